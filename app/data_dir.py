"""The folder `DATA_DIR`, for nobody but the user that the service runs as.

It holds people's names and addresses, and secrets of hooks. What is made in it later is private too: see `umask`.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from app.settings import InvalidSetting

# What the service keeps there. Nothing else is touched: the folder may hold more than our files.
OURS = ("passrail.db*", "jobs.db*", "ratelimit*", "demo-key", "metrics", "metrics/*")


def prepare(data_dir: str) -> Path:
    """Make the folder, take every right in it away from others, and see that this process can write there.

    Returns:
        The folder's absolute path.

    Raises:
        InvalidSetting: it cannot be made or written to; the message names the right that is missing.
    """
    os.umask(0o077)
    folder = Path(data_dir).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InvalidSetting(f"DATA_DIR is {folder}, which is a file or lies in one. Give a folder.") from None
    except OSError as error:
        raise InvalidSetting(
            f"DATA_DIR is {folder}, which {_user()} cannot make: {error.strerror}. "
            "Make the folder and give it to this user."
        ) from None
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise _no_right(folder, folder)
    _make_private(folder)
    for pattern in OURS:
        for path in folder.glob(pattern):
            if path.is_symlink():
                continue
            _make_private(path)
            if not os.access(path, os.R_OK | os.W_OK):
                raise _no_right(folder, path)
    return folder


@cache
def prepare_once(data_dir: str) -> Path:
    """Do it once for this process and those that are forked from it.

    A web process that takes another one's place while a file is read-only has to start: it answers reads and health.

    Returns:
        As `prepare`.

    Raises:
        InvalidSetting: as `prepare`.
    """
    return prepare(data_dir)


def _make_private(path: Path) -> None:
    """Leave the owner's rights alone. A folder that all may write to, such as /tmp, is not ours to close."""
    state = path.stat()
    is_shared = state.st_mode & 0o1000
    if state.st_uid == os.geteuid() and state.st_mode & 0o077 and not is_shared:
        path.chmod(0o700 if path.is_dir() else 0o600)


def _no_right(folder: Path, path: Path) -> InvalidSetting:
    return InvalidSetting(
        f"DATA_DIR is {folder}, but {_user()} has no right to write to {path}. "
        f"Give it that right, for example: chown -R {os.geteuid()} {folder}"
    )


def _user() -> str:
    return f"the user with the ID {os.geteuid()}"
