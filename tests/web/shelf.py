"""Programs and passes of any shape, straight into the database: more than any action would make."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from app.model import Colors, CustomField, IdKind, Kind, Mode, Pass, Program, Tier, new_id, new_link_token
from app.store import passes, programs
from tests.world import World

EMAIL, PHONE = "ada@example.com", "+44 20 7946 0000"


class Shelf:
    """A world and the means to fill it."""

    def __init__(self, world: World) -> None:
        self.world = world

    def program(self, **values: Any) -> Program:
        """Add a program; a membership in live mode unless told otherwise."""
        now = self.world.clock()
        usual: dict[str, Any] = {
            "id": new_id(IdKind.PROGRAM),
            "account_id": self.world.account.id,
            "mode": Mode.LIVE,
            "issuer": "builtin",
            "kind": Kind.MEMBERSHIP,
            "name": "Harbour Club",
            "tiers": tiers("Silver"),
            "created_at": now,
            "updated_at": now,
        }
        program = Program(**(usual | values))
        with self.world.service.store.write() as connection:
            programs.add(connection, program)
        return program

    def issue(self, program: Program | None = None, **values: Any) -> Pass:
        """Add a pass; Ada's with 1250 points unless told otherwise."""
        program, now = program or self.program(), self.world.clock()
        usual: dict[str, Any] = {
            "id": new_id(IdKind.PASS),
            "account_id": program.account_id,
            "mode": program.mode,
            "issuer": program.issuer,
            "program_id": program.id,
            "tier_id": program.tiers[0].id,
            "link_token": new_link_token(),
            "created_at": now,
            "updated_at": now,
            "email": EMAIL,
            "phone": PHONE,
            "first_name": "Ada",
            "last_name": "Lovelace",
            "points": Decimal("1250.00") if program.kind is Kind.MEMBERSHIP else None,
        }
        issued = Pass(**(usual | values))
        with self.world.service.store.write() as connection:
            passes.add(connection, issued)
        return issued

    def page(self, program: Program | None = None, **values: Any) -> str:
        """Return the HTML of the page of a new pass."""
        return self.world.client.get(path_of(self.issue(program, **values))).text

    def awkward(self) -> Pass:
        """Add a pass with as much of everything as there may be, in colours that cannot be told apart."""
        program = self.program(
            name="W" * 80,
            tiers=tiers("T" * 60),
            logo_text="L" * 60,
            terms="t" * 2000,
            fields=tuple(CustomField(f"field_{number}", "F" * 60) for number in range(20)),
            colors=Colors("#ffffff", "#fefefe", "#fdfdfd"),
            mode=Mode.TEST,
        )
        values = {field.name: "v" * 500 for field in program.fields}
        return self.issue(
            program, first_name="A" * 60, last_name="B" * 60, points=Decimal("-999999999.99"), fields=values
        )


def path_of(shown: Pass) -> str:
    """Return the path of the pass's page."""
    return f"/p/{shown.link_token}"


def tiers(*names: str) -> tuple[Tier, ...]:
    """Return tiers of these names."""
    return tuple(Tier(new_id(IdKind.TIER), name) for name in names)
