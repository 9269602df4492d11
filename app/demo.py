"""The demo account: three programs to try things with, and a key that is found again at the next start."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from app.accounts import accounts, keys
from app.accounts.accounts import Account
from app.errors import NotFound, PassrailError
from app.model import Colors, CustomField, Kind, Mode, Program, Tier
from app.service import Service
from app.store import programs

ACCOUNT = "demo"
KEY_FILE = "demo-key"


def demo_programs(account_id: str, now: datetime) -> list[Program]:
    """Return the demo's programs. Their IDs are fixed, so that the README's commands work as they stand."""
    return [
        Program(
            id="prog_demo_membership",
            account_id=account_id,
            mode=Mode.TEST,
            issuer="builtin",
            kind=Kind.MEMBERSHIP,
            name="Rosewater Club",
            tiers=(
                Tier("tier_demo_bronze", "Bronze"),
                Tier("tier_demo_silver", "Silver"),
                Tier("tier_demo_gold", "Gold"),
            ),
            fields=(CustomField("member_since", "Member since"),),
            colors=Colors(background="#7a1f3d", text="#ffffff", label="#f4c9d6"),
            logo_text="Rosewater",
            terms="One card a person. Points have no cash value.",
            created_at=now,
            updated_at=now,
        ),
        Program(
            id="prog_demo_coupon",
            account_id=account_id,
            mode=Mode.TEST,
            issuer="builtin",
            kind=Kind.COUPON,
            name="Welcome Coupon",
            tiers=(Tier("tier_demo_welcome", "10 % off"),),
            fields=(CustomField("code", "Code"),),
            colors=Colors(background="#14532d", text="#ffffff", label="#bbf7d0"),
            logo_text="Rosewater",
            terms="Once a customer, not with other offers.",
            created_at=now,
            updated_at=now,
        ),
        Program(
            id="prog_demo_ticket",
            account_id=account_id,
            mode=Mode.TEST,
            issuer="builtin",
            kind=Kind.EVENT_TICKET,
            name="Summer Concert",
            tiers=(Tier("tier_demo_standing", "Standing"), Tier("tier_demo_seated", "Seated")),
            fields=(CustomField("seat", "Seat"), CustomField("doors_open", "Doors open")),
            colors=Colors(background="#1e3a8a", text="#ffffff", label="#bfdbfe"),
            logo_text="Rosewater Live",
            terms="Doors close when the music starts.",
            created_at=now,
            updated_at=now,
        ),
    ]


def ensure(connection: Connection, now: datetime) -> Account:
    """Make whatever of the demo is not there yet, and leave alone what is."""
    try:
        account = accounts.find_account(connection, ACCOUNT)
    except NotFound:
        account = accounts.create_account(connection, ACCOUNT, now)
    for program in demo_programs(account.id, now):
        if programs.get(connection, account.id, Mode.TEST, program.id) is None:
            programs.add(connection, program)
    return account


def welcome(service: Service, account: Account) -> str:
    """Say where the service is and how to try it, with a command that works as it stands."""
    settings = service.settings
    key = _key(service, account)
    local = f"http://localhost:{settings.port}"
    return f"""
Passrail will be at {local}   (documentation: {local}/docs)
Test API key: {key}

Issue a pass and get the link to it:

curl -sS {local}/v1/actions/create-pass -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d \
'{{"program_id": "prog_demo_membership", "external_id": "customer-501", "first_name": "Ada", "last_name": "Lovelace"}}'
"""


def _key(service: Service, account: Account) -> str:
    """Return the demo's key: the one of the last start while it is valid, else a new one, kept for the next."""
    path = Path(service.settings.data_dir) / KEY_FILE
    if path.exists():
        key = path.read_text(encoding="ascii").strip()
        try:
            if service.keys.verify(key).account_id == account.id:
                return key
        except PassrailError:
            pass
    with service.store.write() as connection:
        _, key = keys.create_key(connection, account, Mode.TEST, keys.SCOPES, service.clock())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(key, encoding="ascii")
    return key
