"""Words of one person, planted wherever they may stand, and looked for in everything that is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import String, Table, select, update

from app.model import Mode
from app.store.tables import metadata
from tests.world import World

EXTERNAL_ID, EMAIL, PHONE = "zorkcustomer-501", "zork@example.com", "+447700900999"
HOLDER = {"email": EMAIL, "first_name": "Zorkfirst", "last_name": "Zorklast", "phone": PHONE}
OLD = {"email": "zorkold@example.com", "last_name": "Zorkmaiden"}
REASON, REFERENCE, FIELD, SEAT = "Zorkreason of Zorklast", "Zorkreference-9", "Zorkfield", "Zorkseat-7"
WORDS = (*HOLDER.values(), *OLD.values(), EXTERNAL_ID, "Zorkreason", REFERENCE, FIELD)
REMARK = json.dumps({"code": "upstream-rejected", "detail": f"No to Zorkfirst Zorklast, {EMAIL} ({EXTERNAL_ID})"})

# What no person's data can come into, and why. Every other text column is planted.
NEVER: dict[str, str] = {
    **{f"{name}.account_id": "an ID of ours" for name in metadata.tables},
    **{f"{name}.id": "an ID of ours" for name in metadata.tables},
    **{f"{name}.mode": "test or live" for name in metadata.tables},
    **{f"{name}.program_id": "an ID of ours" for name in metadata.tables},
    **{f"{name}.status": "one of our words" for name in metadata.tables},
    **{f"{name}.pass_id": "an ID of ours" for name in metadata.tables},
    **{f"{name}.issuer": "one of our words" for name in metadata.tables},
    **{f"{name}.upstream_id": "the issuer's ID of a program or subscription" for name in ("programs", "sinks")},
    **{f"accounts.{name}": "of the business, not of its customers" for name in ("name", "default_country")},
    **{f"secrets.{name}": "of the installation" for name in ("name", "value")},
    **{f"api_keys.{name}": "of the business, not of its customers" for name in ("scopes", "hint", "digest")},
    **{
        f"programs.{name}": "said of all passes of the program"
        for name in ("kind", "name", "tiers", "fields", "colors", "logo_text", "terms", "upstream")
    },
    "passes.tier_id": "an ID of ours or the issuer's",
    "passes.install_state": "one of our words",
    "passes.link_token": "random, and names nobody",
    "passes.closed_by": "one of our words",
    "operations.action": "one of our words",
    "operations.fingerprint": "a hash of the whole request, which tells nothing of its parts",
    "operations.key_digest": "of the event at the caller's, and kept so that it is never done again",
    "operations.resolution": "names a key or a command, never a person",
    "events.type": "one of our words",
    "events.operation_id": "an ID of ours",
    **{
        f"connections.{name}": "of the business, not of its customers"
        for name in ("region", "base_url", "pass_url", "credentials", "company", "username", "ends_cards_by", "notes")
    },
    "sinks.digest": "a hash of a token of ours",
    "inbox.sink_id": "an ID of ours",
    "inbox.method": "of HTTP",
    "inbox.note": "one of our sentences",
    **{
        f"hooks.{name}": "of the business, not of its customers"
        for name in ("target_url", "event_types", "disabled_reason", "secret", "old_secret")
    },
    **{f"deliveries.{name}": "an ID or word of ours" for name in ("hook_id", "event_id", "event_type")},
    "deliveries.test_body": "a sample from the documentation",
    "deliveries.attempts": "status codes, and sentences of ours",
    "troubles.kind": "one of our words",
    "troubles.item_id": "an ID of ours",
    "imports.position": "an ID of ours and a number",
    "erased_people.digest": "a keyed hash, which only this installation can make",
}
PLANTED = {
    "passes.external_id", "passes.email", "passes.first_name", "passes.last_name", "passes.phone", "passes.fields",
    "passes.ticket", "passes.upstream_id", "operations.answer", "operations.problem", "operations.request",
    "events.data", "connections.last_problem", "inbox.body", "inbox.digest", "troubles.why", "imports.problem",
}  # fmt: skip


def text_columns() -> set[str]:
    """Return every column of the database that holds text."""
    return {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.c
        if isinstance(column.type, String)
    }


def act(world: World, action: str, body: dict[str, Any]) -> dict[str, Any]:
    """Do an action that succeeds."""
    answer = world.act(action, body)
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.get_json()
    return done


def plant(world: World, membership: str, coupon: str, field: str) -> list[str]:
    """Plant the words through the API, well and badly; return the IDs of the person's passes."""
    world.make_hook()
    named = {"program_id": membership, "external_id": EXTERNAL_ID}
    card = world.make_pass(**{**named, **HOLDER, **OLD}, fields={field: FIELD}, points=5)
    ticket = world.make_pass(coupon, external_id=EXTERNAL_ID, **HOLDER)
    act(world, "update-pass", {**named, "email": EMAIL, "last_name": HOLDER["last_name"]})
    act(world, "update-points", {**named, "change": "add", "points": 3, "reason": REASON})
    act(world, "create-pass", {**named, **HOLDER})  # returns the one that is there
    act(world, "redeem-pass", {"pass_id": ticket["id"], "reference": REFERENCE})
    assert world.act("create-pass", {**named, "if_exists": "error"}).status_code == 409
    below = {**named, "change": "subtract", "points": 1000, "reason": REASON}
    assert world.act("update-points", below).status_code == 422
    return [card["id"], ticket["id"]]


def plant_rows(world: World, pass_id: str) -> None:
    """Plant the words in rows, where no caller can put them."""
    now = 1_790_000_000_000
    account = {"account_id": world.account.id, "mode": Mode.TEST.value}
    operation = {
        **account, "action": "update-pass", "status": "failed", "fingerprint": "f", "created_at": now,
        "problem": REMARK,
    }  # fmt: skip
    rows: list[tuple[str, dict[str, Any]]] = [
        ("operations", {**operation, "id": "op_1", "pass_id": pass_id, "request": REMARK}),
        ("operations", {**operation, "id": "op_2"}),
        ("imports", {
            **account, "id": "imp_1", "status": "failed", "position": "{}", "found": 0, "added": 0, "changed": 0,
            "problem": REMARK, "created_at": now, "finished_at": now,
        }),
        ("troubles", {
            "kind": "operation", "item_id": "op_1", "tries": 1, "why": f"Zorkfirst <{EMAIL}>", "first_at": now,
            "next_at": now, "parked_at": now,
        }),
        ("inbox", {
            "id": "whk_1", "sink_id": "sub_of_nobody", "method": "PUT", "body": REMARK, "digest": "d",
            "received_at": now, "done_at": now,
        }),
    ]  # fmt: skip
    with world.service.store.write() as connection:
        for name, row in rows:
            connection.execute(metadata.tables[name].insert(), row)
        passes = metadata.tables["passes"]
        connection.execute(update(passes).where(passes.c.id == pass_id).values(ticket=json.dumps({"seat": SEAT})))
        connections = metadata.tables["connections"]
        connection.execute(update(connections).values(last_problem=REMARK))


def dump(world: World) -> dict[str, str]:
    """Return everything that is kept, by the table or file where it stands."""
    with world.service.store.read() as connection:
        kept = {name: _text(connection.execute(select(table)).all(), table) for name, table in metadata.tables.items()}
    folder = Path(world.service.settings.data_dir)
    files = {str(path): path.read_bytes().decode("utf-8", "replace") for path in folder.rglob("*") if path.is_file()}
    return {**kept, **files}


def _text(rows: Any, table: Table) -> str:
    return json.dumps([list(row) for row in rows], ensure_ascii=False)


def hits(kept: dict[str, str], words: tuple[str, ...] = (*WORDS, SEAT)) -> set[tuple[str, str]]:
    """Return where which words stand."""
    return {(word, place) for place, text in kept.items() for word in words if word.lower() in text.lower()}


def erase(world: World, **body: Any) -> dict[str, Any]:
    """Erase a person; return the answer."""
    answer = world.request("POST", "/v1/people/erase", json=body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.get_json()
    return told


def export(world: World, **body: Any) -> list[dict[str, Any]]:
    """Export a person, page after page; return all items."""
    items, cursor = list[dict[str, Any]](), None
    while True:
        more: dict[str, str] = {} if cursor is None else {"cursor": cursor}
        answer = world.request("POST", "/v1/people/export", json={**body, **more})
        assert answer.status_code == 200, answer.text
        page = answer.get_json()
        items += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items
