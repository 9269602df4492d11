"""Where the server processes keep the figures for `/metrics`: a folder of this run, in memory.

`prometheus_client` maps files into memory. On a full disk, writing to a new page of such a map is not an error but a
signal that ends the process. So the files are not among the data, and all their pages are there before they are used.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client at its import
PREFIX = "passrail-figures-"
# Kinds of figures (`observe.py`), a file for each and process. Routes, statuses and actions are few: all of them
# together take about a tenth of this.
KINDS = ("counter", "histogram")
FILE_BYTES = 512 * 1024

_log = logging.getLogger(__name__)
_held: list[int] = []  # the lock on the folder, which lasts as long as a process of this run


def make_folder() -> Path:
    """Make the folder of this run, and remove those of runs that have ended."""
    place = MEMORY if os.access(MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    for found in place.glob(f"{PREFIX}*"):
        _remove_if_left(found)
    made = Path(tempfile.mkdtemp(prefix=f"new-{PREFIX}", dir=place))
    _held.append(_lock(made))
    # Under its name it can be taken for a left one, so that it gets it with the lock only.
    folder = made.rename(place / made.name.removeprefix("new-"))
    os.environ[VARIABLE] = str(folder)
    return folder


def remove_folder() -> None:
    """Remove the folder of this run."""
    shutil.rmtree(os.environ[VARIABLE], ignore_errors=True)


def _remove_if_left(folder: Path) -> None:
    try:
        if folder.stat().st_uid != os.geteuid():
            return
        descriptor = _lock(folder)
    except OSError:  # it is in use, or has just gone
        return
    shutil.rmtree(folder, ignore_errors=True)
    os.close(descriptor)


def _lock(folder: Path) -> int:
    """Lock a folder for as long as this process or a child of it lives; raises OSError where another has it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def prepare_files(process: int) -> None:
    """Make the files of a server process that starts, with all their pages.

    Where there is no room, the process counts for itself alone: figures are missing, and nothing else.
    """
    try:
        for path in _files(process):
            with path.open("ab") as file:
                file.write(bytes(max(0, FILE_BYTES - path.stat().st_size)))
    except OSError as error:
        del os.environ[VARIABLE]
        _log.warning("no room for figures", extra={"folder": str(path.parent), "reason": error.strerror})


def shrink_files(process: int) -> None:
    """Give the unused pages of a process that has ended back; its figures still count."""
    for path in _files(process):
        try:
            with path.open("rb") as file:
                used = int.from_bytes(file.read(4), "little")
            os.truncate(path, max(used, 8))
        except OSError:
            _log.debug("a file of figures is not there", exc_info=True)


def _files(process: int) -> list[Path]:
    return [Path(os.environ[VARIABLE]) / f"{kind}_{process}.db" for kind in KINDS]
