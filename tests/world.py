"""A small world to test in: a service on a database of its own, two accounts, their keys, a clock that stands still."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import make_url
from werkzeug.test import TestResponse

from app import create_app
from app.accounts import accounts, keys
from app.accounts.accounts import Account
from app.demo import demo_programs
from app.model import Mode
from app.service import Service
from app.settings import Settings
from app.store import programs
from app.store.migrate import migrate

# A receiver that needs no name service. It is nobody: what is sent is sent by tests that bring their own.
RECEIVER_HOST = "hooks.example.com"
MEMBERSHIP, COUPON, TICKET = "prog_demo_membership", "prog_demo_coupon", "prog_demo_ticket"
BRONZE, SILVER, GOLD = "tier_demo_bronze", "tier_demo_silver", "tier_demo_gold"


@dataclass
class FakeClock:
    """Time that passes only when a test says so."""

    now: datetime = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **time: float) -> None:
        """Let time pass: `advance(days=7)`."""
        self.now += timedelta(**time)


@dataclass
class World:
    """A service and what is needed to call it. `key` is the demo account's test key, with every scope."""

    app: Flask
    clock: FakeClock
    account: Account
    key: str
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    @property
    def service(self) -> Service:
        """The parts of the service."""
        service: Service = self.app.extensions["passrail"]
        return service

    def act(self, action: str, body: dict[str, Any], **options: Any) -> TestResponse:
        """POST an action. Options: `key`, `idempotency_key`."""
        return self.request("POST", f"/v1/actions/{action}", json=body, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        """GET a path."""
        return self.request("GET", path, **options)

    def request(
        self, method: str, path: str, *, key: str | None = None, idempotency_key: str | None = None, **options: Any
    ) -> TestResponse:
        """Send a request with the demo account's key, or another one."""
        headers = {"Authorization": f"Bearer {key or self.key}", **options.pop("headers", {})}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return self.client.open(path, method=method, headers=headers, **options)

    def make_pass(self, program_id: str = MEMBERSHIP, **values: Any) -> dict[str, Any]:
        """Create a pass and return the answer."""
        answer = self.act("create-pass", {"program_id": program_id, **values})
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.get_json()
        return made

    def events(self, **query: Any) -> list[dict[str, Any]]:
        """Return the events, newest first."""
        listed: list[dict[str, Any]] = self.get("/v1/events", query_string={"limit": 100, **query}).get_json()["data"]
        return listed

    def make_hook(self, *event_types: str, **values: Any) -> dict[str, Any]:
        """Create a hook for these types (default: all) and return the answer, with its secret."""
        body = {"target_url": f"https://{RECEIVER_HOST}/h/4f9x", "event_types": event_types or ["*"], **values}
        answer = self.request("POST", "/v1/hooks", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.get_json()
        return made

    def deliveries(self, hook_id: str, **query: Any) -> list[dict[str, Any]]:
        """Return a hook's deliveries, newest first."""
        answer = self.get(f"/v1/hooks/{hook_id}/deliveries", query_string={"limit": 100, **query})
        listed: list[dict[str, Any]] = answer.get_json()["data"]
        return listed

    def make_key(self, *, account: str = "demo", mode: Mode = Mode.TEST, scopes: tuple[str, ...] = keys.SCOPES) -> str:
        """Make another key, and the account too if there is none of that name."""
        with self.service.store.write() as connection:
            known = {one.name: one for one in accounts.list_accounts(connection)}
            owner = known.get(account) or accounts.create_account(connection, account, self.clock())
            return keys.create_key(connection, owner, mode, scopes, self.clock())[1]


def make_world(folder: Path, database_url: str = "", **settings: Any) -> World:
    """Make a world on a migrated database with the demo's programs. The rate limit is out of the way."""
    values: dict[str, Any] = {
        "rate_limit_per_minute": 10_000_000,
        "rate_limit_burst": 1_000_000,
        "hook_allowed_hosts": RECEIVER_HOST,
        **settings,
    }
    chosen = Settings(data_dir=str(folder), database_url=database_url, base_url="https://pass.example.com", **values)
    _make_tables(chosen)
    clock = FakeClock()
    app = create_app(chosen, clock)
    service: Service = app.extensions["passrail"]
    with service.store.write() as connection:
        account = accounts.create_account(connection, "demo", clock())
        for program in demo_programs(account.id, clock()):
            programs.add(connection, program)
        _, key = keys.create_key(connection, account, Mode.TEST, keys.SCOPES, clock())
    return World(app, clock, account, key)


def _make_tables(settings: Settings) -> None:
    """Have a database with tables; SQLite: a copy of one that was migrated before, in a tenth of the time."""
    url = make_url(settings.database)
    if url.get_backend_name() != "sqlite" or Path(url.database or "").exists():
        migrate(settings)
        return
    file = Path(url.database or "")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_migrated_file())


@cache
def _migrated_file() -> bytes:
    with TemporaryDirectory() as folder:
        settings = Settings(data_dir=folder)
        migrate(settings)
        return Path(make_url(settings.database).database or "").read_bytes()
