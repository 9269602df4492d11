"""The service against thousands of generated requests, and the fuzz run against services with a bug planted in them.

Schemathesis makes the requests from the description, with all of its checks and ours (`hooks.py`); what is configured
is in `schemathesis.toml`, with the reasons. A run that finds nothing means something only because the same run finds
every bug of `planted.py`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.contract import document
from tests.contract.fuzzing import Outcome, Stage, fuzz, serving, set_stage
from tests.contract.planted import BUGS
from tests.contract.problems import complaints

# Nightly runs ask for more, and for other seeds; the same seed makes the same requests.
EXAMPLES = int(os.environ.get("PASSRAIL_FUZZ_EXAMPLES", "100"))
SEED = int(os.environ.get("PASSRAIL_FUZZ_SEED", "20261120"))
PHASES = ("examples", "coverage", "fuzzing", "stateful")
# The only request there is: nothing can be chosen in it.
WITHOUT_INPUT = {"get_me", "get_issuer", "forget_issuer", "list_event_types"}
# Cannot succeed here: the service that is fuzzed has no keys for a vault, so that it is connected to nobody.
NOT_HERE = {"connect_issuer", "change_issuer", "import_passes"}
# Next to nothing but an ID can be chosen, and Schemathesis takes it from those it has seen: hooks, which deleting uses
# up, and operations, of which only resolving one tells the ID under that name.
FROM_A_POOL = {"get_hook", "update_hook", "delete_hook", "get_operation", "resolve_operation"}
# What generated data is not sure to get past: most of the rest are IDs of nobody, and rules of `hooks.ABOUT_DATA`.
ACCEPTED_OVERALL, ACCEPTED_EACH = 0.6, 0.2
# Of Schemathesis's warnings these two say that data was refused or not found, which is counted below.
COUNTED_WARNINGS = {"missing_test_data", "validation_mismatch", "low_valid_rate"}

# An ordinary run plants one bug for each kind of check: of keys, of data, and of ours.
PLANTED = tuple(BUGS)

# An ordinary run has the examples of every operation (`test_openapi.py`) instead.
pytestmark = [pytest.mark.slow, pytest.mark.only_thorough]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Outcome]]]:
    """The two runs and those with a planted bug, each against a service of its own, two side by side."""
    folder = tmp_path_factory.mktemp("fuzz")
    stages = {name: set_stage(folder / name) for name in ("mixed", "invalid", *PLANTED)}
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(_run, name, stage) for name, stage in stages.items()}


def _run(name: str, stage: Stage) -> Outcome:
    """Fuzz one of them. In a planted one only the operations are narrowed, to be quick."""
    bug = BUGS.get(name)
    more = ["--phases", "fuzzing", "--mode", "negative"] if name == "invalid" else []
    if bug is not None:
        more = [part for operation in bug.operations for part in ("--include-operation-id", operation)]
    with serving(stage, planted=name if bug is not None else None) as url:
        return fuzz(stage, url, examples=40 if bug is not None else EXAMPLES, seed=SEED, more=more)


@pytest.fixture(scope="module")
def mixed(outcomes: dict[str, Future[Outcome]]) -> Outcome:
    """All phases, with valid and invalid requests."""
    return outcomes["mixed"].result()


@pytest.fixture(scope="module")
def invalid(outcomes: dict[str, Future[Outcome]]) -> Outcome:
    """Invalid requests alone: in the mixed run they are only a fifth of the random ones."""
    return outcomes["invalid"].result()


def test_no_check_fails_in_any_phase(mixed: Outcome) -> None:
    assert mixed.returned == 0, mixed.output
    assert {name: mixed.report["phases"][name]["status"] for name in PHASES} == dict.fromkeys(PHASES, "success")
    assert mixed.report["operations"]["tested"] == len(document.load().operations)


def test_no_check_fails_for_invalid_requests(invalid: Outcome) -> None:
    assert invalid.returned == 0, invalid.output
    assert invalid.report["operations"]["tested"] == len(document.load().operations) - len(WITHOUT_INPUT)


def test_every_operation_is_tried_often_enough(mixed: Outcome) -> None:
    tried = Counter(note.operation for note in mixed.notes if note.phase == "fuzzing")
    expected = {one.id for one in document.load().operations} - WITHOUT_INPUT
    assert {name: tried[name] for name in expected - FROM_A_POOL if tried[name] < EXAMPLES} == {}
    assert all(tried[name] >= EXAMPLES // 10 for name in FROM_A_POOL)


def test_valid_requests_get_past_the_door(mixed: Outcome) -> None:
    """A run in which everything is refused or not found would prove nothing."""
    valid = [note for note in mixed.notes if note.phase == "fuzzing" and note.is_valid]
    tried = Counter(note.operation for note in valid)
    accepted = Counter(note.operation for note in valid if note.status < 300)
    share = {one.id: accepted[one.id] / tried[one.id] for one in document.load().operations}
    assert {name for name, found in share.items() if found < ACCEPTED_EACH} == NOT_HERE
    assert accepted.total() / tried.total() >= ACCEPTED_OVERALL


@pytest.mark.parametrize("run", ["mixed", "invalid"])
def test_no_invalid_body_is_accepted(request: pytest.FixtureRequest, run: str) -> None:
    """Said once more by counting, because the check has exceptions. A query may have become right: null is not sent."""
    outcome: Outcome = request.getfixturevalue(run)
    with_body = {one.id for one in document.load().operations if one.body is not None}
    refused = [note for note in outcome.notes if note.operation in with_body and not note.is_valid]
    assert len(refused) > EXAMPLES
    assert [note for note in refused if note.status < 300] == []


@pytest.mark.parametrize("run", ["mixed", "invalid"])
def test_every_error_answer_is_a_problem_and_none_a_page(request: pytest.FixtureRequest, run: str) -> None:
    """Over all answers, those to the probes that the checks themselves send included."""
    outcome: Outcome = request.getfixturevalue(run)
    errors = [answer for answer in outcome.answers if answer["status"] >= 400]
    assert len(errors) > EXAMPLES
    for answer in errors:
        content = answer["content"]
        assert complaints(answer["status"], content["mimeType"], content["text"].encode()) == []
    pages = [answer for answer in outcome.answers if "html" in answer["content"]["mimeType"]]
    assert [page for page in pages if page["content"]["size"]] == []


def test_the_service_fails_only_where_it_is_asked_to(mixed: Outcome) -> None:
    """`only_simulated_failures` in `hooks.py` holds each against its request; this holds the statuses."""
    assert {note.status for note in mixed.notes if note.status >= 500} <= {503, 504}
    server_log = (mixed.folder / "server.log").read_text(encoding="utf-8")
    assert "Traceback" not in server_log


def test_no_warning_is_given_away(mixed: Outcome) -> None:
    """Schemathesis warns of what it could not test: regular expressions, authentication, media types."""
    given = {name for name, found in mixed.report["warnings"].items() if found}
    assert given <= COUNTED_WARNINGS


@pytest.mark.parametrize("name", PLANTED)
def test_the_run_finds_a_planted_bug(outcomes: dict[str, Future[Outcome]], name: str) -> None:
    """The same configuration, hooks and checks."""
    found = outcomes[name].result()
    assert BUGS[name].found_as in found.failures, found.output
