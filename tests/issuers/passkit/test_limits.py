"""How long one action may take, and how many requests of one account are under way at once."""

from __future__ import annotations

import threading

import responses

from app.issuers.passkit.failures import Answered, NotSent, Unavailable
from app.issuers.passkit.transport import Transport
from tests.issuers.passkit.conftest import ACTION_SECONDS, API, Bench
from tests.issuers.passkit.test_transport import OK, SAID, THING, failing, new_id, prepare, send

Mock = responses.RequestsMock


def test_one_action_has_one_deadline_for_all_its_calls(bench: Bench, http: Mock) -> None:
    transport = bench.transport()
    prepare(http, OK, (503, SAID), is_read=True)
    send(transport, is_read=True)
    bench.passed += ACTION_SECONDS - 1.1
    failure = failing(transport, is_read=True)
    assert (type(failure), failure.tries) == (Unavailable, 1)
    bench.passed += 2
    spent = failing(transport)
    assert (type(spent), spent.text) == (NotSent, "The time for this action was used up.")
    assert len(http.calls) == 2


def test_what_is_left_of_the_time_bounds_the_answer(bench: Bench, http: Mock) -> None:
    transport = bench.transport()
    prepare(http, OK, OK)
    send(transport)
    bench.passed += ACTION_SECONDS - 7
    send(transport)
    assert [call.request.req_kwargs["timeout"] for call in http.calls] == [(5.0, 20.0), (5.0, 7.0)]  # type: ignore[attr-defined]


def test_at_most_five_requests_of_an_account_are_under_way(bench: Bench, http: Mock) -> None:
    under_way, most, five, go = [0], [0], threading.Event(), threading.Event()
    lock = threading.Lock()

    def slow(_request: object) -> tuple[int, dict[str, str], str]:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
            if under_way[0] == 5:
                five.set()
        go.wait(10)
        with lock:
            under_way[0] -= 1
        return 200, {}, '{"id":"x"}'

    http.add_callback("PUT", THING, slow)
    http.put(f"{API}/other", json={"id": "x"})
    threads = [threading.Thread(target=send, args=(bench.transport(),)) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert five.wait(10)
    other = bench.transport(connection="conn_2")
    assert other.write("PUT", "/other", new_id, {}) == "x"
    go.set()
    for thread in threads:
        thread.join()
    assert most[0] == 5
    assert len(http.calls) == 21


def test_whoever_gets_no_place_in_time_has_sent_nothing(bench: Bench, http: Mock) -> None:
    bench.pool.at_once = 1
    state = bench.state()
    state.slots.acquire()
    failure = failing(Transport(state, 0.05))
    state.slots.release()
    assert (type(failure), failure.text) == (NotSent, "Too many requests of this account were under way.")


def test_a_failed_request_gives_its_place_back(bench: Bench, http: Mock) -> None:
    prepare(http, (400, SAID))
    for _ in range(20):
        assert isinstance(failing(bench.transport()), Answered)
