"""What the queue holds cannot run code, and only this installation's own jobs are done."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from huey.registry import Message
from huey.serializer import Serializer, SignedSerializer

from app.accounts.secret import Purpose
from app.queue.queue import Queue, make_queue
from app.service import make_service
from app.settings import Settings
from app.store.migrate import migrate

LATER = datetime(2026, 11, 20, 9, 30, 0, 250_000, tzinfo=UTC)
ran: list[str] = []


def run_code(what: str) -> str:
    ran.append(what)
    return what


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], str], tuple[str]]:
        return run_code, ("from a pickle",)


class World:
    """A queue of an installation, with one job."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(data_dir=str(folder))
        migrate(settings)
        secret = make_service(settings).secret
        self.queue = make_queue(Queue, settings, lambda text: secret.digest(Purpose.QUEUE, text))
        self.job = self.queue.task(name="deliver")(run_code)

    def work(self) -> None:
        """Do what a worker does until the queue is empty."""
        for task in self.queue.read_schedule(LATER.replace(tzinfo=None)):
            task.eta = None
            self.queue.enqueue(task)
        while self.queue.pending_count():
            task = self.queue.dequeue()
            if task is not None:
                self.queue.execute(task)


@pytest.fixture
def world(tmp_path: Path) -> World:
    ran.clear()
    return World(tmp_path / "one")


def test_a_job_reaches_the_worker_at_once_or_at_its_time(world: World) -> None:
    world.job("hook_1")
    world.job.schedule(args=("hook_2",), eta=LATER)
    assert world.queue.read_schedule(LATER.replace(tzinfo=None) - timedelta(milliseconds=1)) == []
    world.work()
    assert sorted(ran) == ["hook_1", "hook_2"]


def test_a_message_is_text_that_names_a_job_and_its_row(world: World) -> None:
    world.job("hook_1")
    (data,) = world.queue.storage.enqueued_items()
    signature, _, body = bytes(data).decode().partition(".")
    assert len(signature) == 64
    assert body.endswith('"job":"tests.queue.test_messages.deliver","eta":null,"ids":["hook_1"]}')


@pytest.mark.parametrize("place", ["queue", "schedule"])
def test_a_pickle_is_dropped_with_one_line_and_runs_nothing(
    world: World, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    pickled = pickle.dumps(Trap())
    if place == "queue":
        world.queue.storage.enqueue(pickled)
    else:
        world.queue.storage.add_to_schedule(pickled, LATER)
    world.job("hook_1")
    with caplog.at_level(logging.WARNING):
        world.work()
    assert ran == ["hook_1"]
    assert [record.getMessage()[:35] for record in caplog.records] == ["a message in the queue was dropped:"]
    assert pickle.loads(pickled) == "from a pickle"
    assert ran == ["hook_1", "from a pickle"], "the pickle would have run code"


def forged(message: Message, world: World, other: World) -> dict[str, Any]:
    """Messages for a job that exists, none of which this installation has written as it is."""
    right = world.queue.serializer.serialize(message)
    return {
        "of huey, as earlier versions wrote them": Serializer().serialize(message),
        "of huey, signed": SignedSerializer("secret").serialize(message),
        "of another installation": other.queue.serializer.serialize(message),
        "altered": right.replace(b"hook_1", b"hook_2"),
        "with another signature": b"0" * 64 + right[64:],
        "without a signature": right[65:],
        "cut": right[:-1],
        "nothing": b"",
        "a dot": b".",
        "not text": b"\xff\xfe.{}",
    }


def test_only_what_this_installation_has_signed_is_done(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = World(tmp_path / "other")
    message = Message(id="1", name="tests.queue.test_messages.deliver", args=("hook_1",), kwargs={})
    messages = forged(message, world, other)
    for data in messages.values():
        world.queue.storage.enqueue(data)
    with caplog.at_level(logging.WARNING):
        world.work()
    assert ran == []
    assert len(caplog.records) == len(messages)
    world.queue.storage.enqueue(world.queue.serializer.serialize(message))
    world.work()
    assert ran == ["hook_1"]


def test_a_job_that_this_version_does_not_know_is_dropped(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.queue.storage.enqueue(world.queue.serializer.serialize(Message(id="1", name="gone", args=())))
    with caplog.at_level(logging.WARNING):
        world.work()
    assert len(caplog.records) == 1


@pytest.mark.parametrize("ids", [(b"bytes",), ({"a": "dict"},), ("Zoë",)])
def test_a_job_about_anything_but_ids_is_not_posted(world: World, ids: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        world.job(*ids)
    assert world.queue.pending_count() == 0
