"""A service with programs and passes to look at, put straight into the database."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from app import create_app
from app.identifiers import PASS, PROGRAM, TIER, new_id, new_link_token
from app.model import Kind, Mode, Pass, Program, Tier
from app.service import Service
from app.settings import Settings
from app.store import passes, programs
from app.store.tables import accounts, metadata

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
PUBLIC_URL = "https://passes.example"


class World:
    """The service under test and what is in it. `now` is its clock and may be set."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        settings = Settings(
            data_dir=str(folder), database_url=f"sqlite:///{folder / 'web.db'}", base_url=PUBLIC_URL
        )
        self.app: Flask = create_app(settings, clock=lambda: self.now)
        self.service: Service = self.app.extensions["passrail"]
        metadata.create_all(self.service.store.engine)
        with self.service.store.write() as connection:
            connection.execute(insert(accounts), {"id": "acct_1", "name": "Shop", "created_at": 0})

    def client(self) -> FlaskClient:
        return self.app.test_client()

    def program(self, **values: Any) -> Program:
        """Add a program; a membership unless told otherwise."""
        usual: dict[str, Any] = {
            "id": new_id(PROGRAM),
            "account_id": "acct_1",
            "mode": Mode.LIVE,
            "issuer": "builtin",
            "kind": Kind.MEMBERSHIP,
            "name": "Harbour Club",
            "tiers": (Tier(new_id(TIER), "Silver"),),
            "created_at": NOW,
            "updated_at": NOW,
        }
        program = Program(**(usual | values))
        with self.service.store.write() as connection:
            programs.add(connection, program)
        return program

    def issue(self, program: Program | None = None, **values: Any) -> Pass:
        """Add a pass; Ada's membership with 1250 points unless told otherwise."""
        program = program or self.program()
        usual: dict[str, Any] = {
            "id": new_id(PASS),
            "account_id": program.account_id,
            "mode": program.mode,
            "issuer": program.issuer,
            "program_id": program.id,
            "tier_id": program.tiers[0].id,
            "link_token": new_link_token(),
            "created_at": NOW,
            "updated_at": NOW,
            "email": "ada@example.com",
            "phone": "+44 20 7946 0000",
            "first_name": "Ada",
            "last_name": "Lovelace",
            "points": Decimal("1250.00") if program.kind is Kind.MEMBERSHIP else None,
        }
        issued = Pass(**(usual | values))
        with self.service.store.write() as connection:
            passes.add(connection, issued)
        return issued

    def page(self, program: Program | None = None, **values: Any) -> str:
        """Return the HTML of the page of a new pass."""
        return self.client().get(f"/p/{self.issue(program, **values).link_token}").text
