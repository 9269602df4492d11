"""`passrail doctor`: each thing that can be wrong is found, with its cure; a sound installation is told so."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, text, update

from app import doctor, sweeps
from app.accounts import secret
from app.accounts.vault import Vault, generate_key
from app.cli import main
from app.doctor import CHECKS, Finding, Level
from app.heartbeat import Heartbeat
from app.model import system_clock
from app.service import Service, make_service
from app.settings import Settings
from app.store.engine import Store
from app.store.tables import connections, hooks
from app.store.troubles import Kind
from tests.processes import free_port
from tests.world import World


def found(service: Service) -> dict[str, Finding]:
    return dict(doctor.examine(service))


def with_settings(service: Service, **values: object) -> Service:
    return replace(service, settings=replace(service.settings, **values))  # type: ignore[arg-type]


def sound(world: World) -> Service:
    """The world's service as an operator has it who did everything right."""
    service = with_settings(world.service, base_url="https://pass.example.com", trusted_proxies=1)
    vault = Vault.from_setting(f"k1:{generate_key()}")
    with service.store.write() as connection:
        secret.reseal(connection, vault)
    service = replace(service, vault=vault)
    Heartbeat(service).beat()
    return service


def hook_row(world: World, **values: object) -> dict[str, object]:
    now = int(world.clock.now.timestamp() * 1000)
    row = {
        "id": "hook_1",
        "account_id": world.account.id,
        "mode": "test",
        "target_url": "https://hooks.example.com",
        "event_types": '["*"]',
        "status": "active",
        "secret": "whsec_x",
        "failures": 0,
        "created_at": now,
        "updated_at": now,
    }
    return {**row, **values}


def test_a_sound_installation_is_told_so(any_world: World) -> None:
    any_world.clock.now = system_clock()  # PostgreSQL's is not ours to set
    findings = found(sound(any_world))
    assert list(findings) == [name for name, _, _ in CHECKS]
    assert {name: finding for name, finding in findings.items() if finding.level is not Level.OK} == {}


def wrong(findings: dict[str, Finding], name: str, level: Level = Level.WRONG) -> str:
    assert findings[name].level is level, findings[name]
    assert findings[name].cure
    return f"{findings[name].says} {findings[name].cure}"


def test_links_that_lead_to_this_machine_are_a_warning(world: World) -> None:
    assert "BASE_URL" in wrong(found(with_settings(world.service, base_url="")), "settings", Level.WARNING)
    bare = with_settings(world.service, base_url="https://pass.example.com", trusted_proxies=0)
    assert "TRUSTED_PROXIES" in wrong(found(bare), "settings", Level.WARNING)


def test_a_full_disk_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.doctor.LEAST_FREE", 1 << 60)
    assert "Make room" in wrong(found(world.service), "files")


def test_tables_of_another_version_are_found_and_what_needs_them_is_left_out(any_world: World) -> None:
    with any_world.service.store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    findings = found(any_world.service)
    assert "passrail migrate" in wrong(findings, "database")
    assert "clock" not in findings


def test_a_database_that_cannot_be_reached_is_found(world: World) -> None:
    settings = replace(world.service.settings, database_url=f"postgresql://x@127.0.0.1:{free_port()}/x")
    findings = found(replace(world.service, settings=settings, store=Store(settings)))
    assert "DATABASE_URL" in wrong(findings, "database")


def test_a_redis_that_does_not_answer_is_found(world: World) -> None:
    service = with_settings(world.service, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    assert "REDIS_URL" in wrong(found(service), "queue")


def test_a_worker_that_is_gone_is_found(any_world: World) -> None:
    assert "so far" in wrong(found(any_world.service), "worker")
    Heartbeat(any_world.service).beat()
    assert found(any_world.service)["worker"].level is Level.OK
    any_world.clock.advance(minutes=10)
    assert "since" in wrong(found(any_world.service), "worker")


def test_a_clock_that_is_wrong_is_found(any_world: World) -> None:
    any_world.make_pass()
    any_world.clock.now -= timedelta(hours=1)
    assert "NTP" in wrong(found(any_world.service), "clock")


def test_a_missing_key_is_found_and_an_old_one_is_a_warning(world: World) -> None:
    service = sound(world)
    assert "k1" in wrong(found(replace(service, vault=None)), "keys")
    assert "k1" in wrong(found(replace(service, vault=Vault.from_setting(f"k2:{generate_key()}"))), "keys")
    assert service.vault is not None
    both = Vault({"k2": os.urandom(32), "k1": service.vault._raw_keys[0]})
    assert "vault rotate" in wrong(found(replace(service, vault=both)), "keys", Level.WARNING)
    assert "vault new-key" in wrong(found(with_plain_secret(world)), "keys", Level.WARNING)


def with_plain_secret(world: World) -> Service:
    with world.service.store.write() as connection:
        connection.execute(text("UPDATE secrets SET value = :value"), {"value": "00" * 32})
    return replace(world.service, vault=None)


def test_a_connection_that_does_not_work_is_found_by_its_accounts_name(world: World) -> None:
    row = {
        "account_id": world.account.id, "mode": "live", "issuer": "passkit", "region": "pub1", "base_url": "x",
        "pass_url": "x", "credentials": "", "company": "x", "username": "x", "connected_at": 1, "last_worked_at": 1,
        "last_problem": "{}",
    }  # fmt: skip
    with world.service.store.write() as connection:
        connection.execute(insert(connections), row)
    assert f"{world.account.name} (live)" in wrong(found(world.service), "connections")


def test_parked_work_is_found(world: World) -> None:
    sweeps.park(world.service, Kind.HOOK, "hook_1", "why")
    assert "passrail parked list" in wrong(found(world.service), "parked work")


def test_events_that_nobody_sends_are_found_and_a_disabled_hook_is_a_warning(any_world: World) -> None:
    with any_world.service.store.write() as connection:
        connection.execute(insert(hooks), hook_row(any_world))
    any_world.make_pass()
    any_world.clock.advance(minutes=10)
    assert "worker" in wrong(found(any_world.service), "hooks")
    with any_world.service.store.write() as connection:
        connection.execute(update(hooks).values(status="disabled"))
    assert "disabled" in wrong(found(any_world.service), "hooks", Level.WARNING)


def command(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(main, words, env={"DATABASE_URL": "", "REDIS_URL": "", **environment})


def test_the_command_prints_a_line_for_each_and_ends_with_one_when_something_is_wrong(tmp_path: Path) -> None:
    before = command("doctor", DATA_DIR=str(tmp_path))
    assert before.exit_code == 1
    assert "Run 'passrail migrate'" in before.output
    assert command("migrate", DATA_DIR=str(tmp_path)).exit_code == 0
    Heartbeat(make_service(Settings(data_dir=str(tmp_path)))).beat()
    after = command("doctor", DATA_DIR=str(tmp_path))
    assert after.exit_code == 0, after.output
    for name, _, _ in CHECKS:
        assert f" {name} " in after.output


def test_a_setting_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path) -> None:
    told = command("doctor", DATA_DIR=str(tmp_path), PORT="many")
    assert told.exit_code == 1
    assert "PORT" in told.output
