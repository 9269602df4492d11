"""How things are named.

An ID is a short prefix that says what it names, then 60 bits of time and 68 random bits, all in hexadecimal: sorting
by ID is sorting by age (paging relies on it), and nobody guesses another one. The first 48 bits are milliseconds; the
12 after them divide the millisecond, because a batch does several things to one pass in one.
"""

from __future__ import annotations

import secrets
import time

ACCOUNT = "acct"
DELIVERY = "dlv"
EVENT = "evt"
HOOK = "hook"
IMPORT = "imp"
KEY = "key"
OPERATION = "op"
PASS = "pass"
PROGRAM = "prog"
REQUEST = "req"
SUBSCRIPTION = "sub"
TEST_EVENT = "evt_test"
TIER = "tier"
WEBHOOK = "whk"

# What may stand where an ID is expected, in paths and fields alike; anything else cannot name a thing of ours.
PATTERN = r"[A-Za-z0-9_-]{1,64}"


def new_id(prefix: str) -> str:
    """Return a fresh ID such as `pass_019ab3c4d5e6f708192a3b4c5d6e7f80`."""
    return f"{prefix}_{time.time_ns() * 4096 // 1_000_000:015x}{secrets.randbits(68):017x}"


def new_link_token() -> str:
    """Return the unguessable part of a pass page's address: 128 random bits, safe in a URL.

    It is not the pass ID on purpose: IDs travel through CRMs, spreadsheets and logs, the address of somebody's
    card should not follow from them.
    """
    return secrets.token_urlsafe(16)
