"""API keys: their form, how they are made, kept and verified.

A key is `pr_live_` or `pr_test_`, 30 random base62 characters (178 bits) and 6 that are the CRC32 of all before
them: a mistyped key is told from a wrong one without asking the database, and secret scanners can look for
`pr_(live|test)_[0-9A-Za-z]{36}`. Only the SHA-256 is kept; 178 bits need no stretching.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import threading
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, insert, select, update

from app.accounts.accounts import Account
from app.errors import KeyRevoked, NotFound, Unauthorized
from app.model import Clock, IdKind, Mode, new_id
from app.store.columns import from_milliseconds, to_milliseconds
from app.store.engine import Store
from app.store.tables import accounts, api_keys

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_CHARACTERS = 30
CHECK_CHARACTERS = 6
FORM = re.compile(r"pr_(live|test)_[0-9A-Za-z]{36}")
SCOPES = ("read", "write")

# A revoked key may go on working for this long in a process that has just verified it.
CACHE_SECONDS = 1
CACHE_SIZE = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, as its API key says. Account and mode come from here and from nowhere else."""

    account_id: str
    account_name: str
    mode: Mode
    scopes: frozenset[str]
    key_id: str
    key_number: int


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it can be shown: never the key itself, only its first and last characters."""

    id: str
    mode: Mode
    scopes: tuple[str, ...]
    hint: str
    created_at: datetime
    revoked_at: datetime | None


def make_key(mode: Mode) -> str:
    """Return a fresh key in clear text."""
    body = "".join(secrets.choice(BASE62) for _ in range(RANDOM_CHARACTERS))
    start = f"pr_{mode.value}_{body}"
    return start + _check(start)


def is_well_formed(key: str) -> bool:
    """Say whether the text can be a key at all: its form and its check characters are right."""
    return FORM.fullmatch(key) is not None and _check(key[:-CHECK_CHARACTERS]) == key[-CHECK_CHARACTERS:]


def _check(start: str) -> str:
    number, characters = zlib.crc32(start.encode("ascii")), ""
    for _ in range(CHECK_CHARACTERS):
        number, digit = divmod(number, 62)
        characters = BASE62[digit] + characters
    return characters


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def create_key(
    connection: Connection, account: Account, mode: Mode, scopes: Collection[str], now: datetime
) -> tuple[ApiKey, str]:
    """Make a key and return it with its clear text, which cannot be had again."""
    secret = make_key(mode)
    ordered = tuple(scope for scope in SCOPES if scope in scopes)
    key = ApiKey(new_id(IdKind.KEY), mode, ordered, f"pr_{mode.value}_...{secret[-4:]}", now, None)
    row = {
        "id": key.id,
        "account_id": account.id,
        "mode": mode.value,
        "scopes": " ".join(ordered),
        "hint": key.hint,
        "digest": _digest(secret),
        "created_at": to_milliseconds(now),
    }
    connection.execute(insert(api_keys), row)
    return key, secret


def list_keys(connection: Connection, account: Account) -> list[ApiKey]:
    """Return the account's keys, revoked ones too, oldest first."""
    query = select(api_keys).where(api_keys.c.account_id == account.id).order_by(api_keys.c.number)
    keys = []
    for row in connection.execute(query):
        created_at = from_milliseconds(row.created_at)
        assert created_at is not None
        scopes = tuple(row.scopes.split())
        revoked_at = from_milliseconds(row.revoked_at)
        keys.append(ApiKey(row.id, Mode(row.mode), scopes, row.hint, created_at, revoked_at))
    return keys


def revoke_key(connection: Connection, key_id: str, now: datetime) -> None:
    """Make the key useless, everywhere within `CACHE_SECONDS`. Revoking twice keeps the first time.

    Raises:
        NotFound: there is no key of this ID.
    """
    if connection.execute(select(api_keys.c.id).where(api_keys.c.id == key_id)).first() is None:
        raise NotFound(f"There is no API key '{key_id}'. 'passrail key list' shows the keys of an account.")
    query = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    connection.execute(query, {"revoked_at": to_milliseconds(now)})


def revoke_all(connection: Connection, account_id: str, now: datetime) -> None:
    """Make all keys of an account useless, everywhere within `CACHE_SECONDS`."""
    query = update(api_keys).where(api_keys.c.account_id == account_id, api_keys.c.revoked_at.is_(None))
    connection.execute(query, {"revoked_at": to_milliseconds(now)})


_BY_DIGEST = (
    select(api_keys, accounts.c.name.label("account_name"))
    .join(accounts, accounts.c.id == api_keys.c.account_id)
    .where(api_keys.c.digest == bindparam("digest"))
)


class KeyRing:
    """Verifies keys, and remembers for at most `CACHE_SECONDS` who a verified key belongs to."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._verified: dict[str, tuple[datetime, Caller]] = {}
        self._lock = threading.Lock()

    def verify(self, key: str) -> Caller:
        """Return who the key belongs to.

        Raises:
            Unauthorized: it is not a key, or none of ours.
            KeyRevoked: it was one.
        """
        now, digest = self._clock(), _digest(key)
        remembered = self._verified.get(digest)
        if remembered is not None and now < remembered[0]:
            return remembered[1]
        if not is_well_formed(key):
            raise Unauthorized("This is not a Passrail API key, or it has a typing error. Copy the whole key again.")
        caller = self._look_up(digest)
        with self._lock:
            if len(self._verified) >= CACHE_SIZE:
                self._verified.clear()
            self._verified[digest] = (now + timedelta(seconds=CACHE_SECONDS), caller)
        return caller

    def _look_up(self, digest: str) -> Caller:
        with self._store.read() as connection:
            row = connection.execute(_BY_DIGEST, {"digest": digest}).first()
        if row is None:
            raise Unauthorized("This API key is not known here. Check that it belongs to this service.")
        if row.revoked_at is not None:
            raise KeyRevoked()
        return Caller(
            account_id=row.account_id,
            account_name=row.account_name,
            mode=Mode(row.mode),
            scopes=frozenset(row.scopes.split()),
            key_id=row.id,
            key_number=row.number,
        )
