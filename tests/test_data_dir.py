"""The data folder is private, also that of an older installation, and a missing right is told in a sentence."""

from __future__ import annotations

import multiprocessing
import os
import stat
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from app import data_dir
from app.settings import InvalidSetting
from tests.strict import unavailable

NOBODY = 65534


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """Have files made readable for all, as on most machines; and leave it so for other tests."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_and_what_is_made_in_it_later_are_private(tmp_path: Path) -> None:
    folder = data_dir.prepare(str(tmp_path / "a" / "b"))
    (folder / "anything").touch()
    assert rights(folder) == 0o700
    assert rights(folder / "anything") == 0o600


def test_files_of_an_older_installation_are_made_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    ours = [tmp_path / name for name in ("passrail.db", "passrail.db-wal", "passrail.db-shm", "passrail.db-writers")]
    ours += [tmp_path / name for name in ("jobs.db", "jobs.db-wal", "ratelimit", "demo-key", "metrics/counter_1.db")]
    (tmp_path / "metrics").mkdir()
    for path in ours:
        path.touch(0o644)
    other = tmp_path / "program"
    other.touch(0o755)
    data_dir.prepare(str(tmp_path))
    assert rights(tmp_path) == rights(tmp_path / "metrics") == 0o700
    assert {rights(path) for path in ours} == {0o600}
    assert rights(other) == 0o755


def test_a_link_leads_to_nothing_that_is_changed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch(0o644)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "passrail.db-copy").symlink_to(elsewhere)
    data_dir.prepare(str(folder))
    assert rights(elsewhere) == 0o644


def test_a_folder_for_all_is_left_open(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    data_dir.prepare(str(tmp_path))
    assert rights(tmp_path) == 0o1777


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for given in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InvalidSetting, match=f"^DATA_DIR is {given}, which is a file or lies in one"):
            data_dir.prepare(str(given))


def refusal_of_another_user(given: Path) -> str:
    """Return what is told to a user who is not root, and who has only what everybody has."""
    if os.geteuid() != 0:
        unavailable("a second user", "run as root")

    def prepare(answer: Connection) -> None:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        try:
            data_dir.prepare(str(given))
        except InvalidSetting as error:
            answer.send(str(error))
        else:
            answer.send("")

    forking = multiprocessing.get_context("fork")
    ours, theirs = forking.Pipe()
    process = forking.Process(target=prepare, args=(theirs,))
    process.start()
    assert ours.poll(20)
    said = ours.recv()
    process.join()
    return str(said)


@pytest.fixture
def open_path(tmp_path: Path) -> Path:
    """A folder that every user can reach."""
    for parent in (tmp_path, *tmp_path.parents[:-2]):
        parent.chmod(parent.stat().st_mode | 0o011)
    return tmp_path


def test_a_folder_of_another_user_is_told_with_the_missing_right(open_path: Path) -> None:
    folder = open_path / "folder"
    folder.mkdir(0o755)
    assert refusal_of_another_user(folder) == (
        f"DATA_DIR is {folder}, but the user with the ID 65534 has no right to write to {folder}. "
        f"Give it that right, for example: chown -R 65534 {folder}"
    )
    assert refusal_of_another_user(folder / "new") == (
        f"DATA_DIR is {folder}/new, which the user with the ID 65534 cannot make: Permission denied. "
        "Make the folder and give it to this user."
    )


def test_a_file_of_another_user_in_the_folder_is_told_too(open_path: Path) -> None:
    folder = open_path / "folder"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    assert refusal_of_another_user(folder) == ""
    (folder / "passrail.db").touch(0o644)  # as "passrail migrate" makes it when it is run by root
    assert f"has no right to write to {folder}/passrail.db." in refusal_of_another_user(folder)
