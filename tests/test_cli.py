"""The command line: accounts, keys, migrations, the demo; mistakes are told in a sentence."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, text

from app import create_app
from app.accounts.keys import is_well_formed
from app.cli import main
from app.settings import Settings
from tests.postgres import NewDatabase

Run = Callable[..., Result]


def runner(environment: dict[str, str]) -> Run:
    def run(*words: str, **more: str) -> Result:
        return CliRunner().invoke(main, words, env={**environment, **more})

    return run


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def unmigrated(data_dir: Path) -> Run:
    return runner({"DATA_DIR": str(data_dir), "DATABASE_URL": "", "PORT": "8123", "BASE_URL": ""})


@pytest.fixture
def run(unmigrated: Run) -> Run:
    succeeded(unmigrated("migrate"))
    return unmigrated


def succeeded(result: Result) -> str:
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def refused(result: Result, *words: str, code: int = 1) -> str:
    """Check that the command failed in a sentence, on standard error, without a traceback."""
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Error: " in result.stderr
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.stderr
    return result.stderr


def test_an_account_is_made_and_listed(run: Run) -> None:
    made = succeeded(run("account", "create", "Rosewater"))
    account_id = re.search(r"acct_[0-9a-f]{32}", made)
    assert account_id is not None
    assert "Next: passrail key create --account Rosewater --mode test" in made
    listed = succeeded(run("account", "list")).splitlines()
    assert len(listed) == 1
    assert listed[0].split("  ")[::2] == [account_id.group(), "Rosewater"]


def test_without_accounts_the_list_is_empty(run: Run) -> None:
    assert succeeded(run("account", "list")) == ""


def test_an_account_gets_another_name(run: Run) -> None:
    succeeded(run("account", "create", "Rosewater"))
    succeeded(run("account", "create", "Lavender"))
    succeeded(run("account", "rename", "Rosewater", "Rosewater Club"))
    assert "Rosewater Club" in succeeded(run("account", "list"))
    refused(run("account", "rename", "Rosewater Club", "Lavender"), "already an account")
    refused(run("account", "rename", "Rosewater", "Other"), "no account named 'Rosewater'")
    refused(run("account", "rename", "Lavender", ""), "1 to 60 characters")


def test_an_account_is_deleted_once_somebody_has_said_yes(run: Run) -> None:
    succeeded(run("account", "create", "Rosewater"))
    succeeded(run("key", "create", "--account", "Rosewater", "--mode", "live"))
    asked = run("account", "delete", "Rosewater")
    assert asked.exit_code == 1
    assert "  1 api keys" in asked.stdout
    assert "Rosewater" in succeeded(run("account", "list"))
    assert succeeded(run("account", "delete", "Rosewater", "--yes")).endswith("Deleted Rosewater.\n")
    assert succeeded(run("account", "list")) == ""
    refused(run("account", "delete", "Rosewater", "--yes"), "no account named 'Rosewater'")


def test_an_account_with_operations_without_an_outcome_is_deleted_by_force_only(run: Run, data_dir: Path) -> None:
    account_id = succeeded(run("account", "create", "Rosewater")).split("(")[1].split(")")[0]
    engine = create_engine(Settings(data_dir=str(data_dir)).database)
    insert = (
        "INSERT INTO operations (id, account_id, mode, action, status, fingerprint, created_at)"
        " VALUES ('op_1', :account_id, 'live', 'create-pass', 'unknown', 'f', 1)"
    )
    with engine.begin() as connection:
        connection.execute(text(insert), {"account_id": account_id})
    engine.dispose()
    refused(run("account", "delete", "Rosewater", "--yes"), "no outcome yet", "--force")
    assert "Deleted" in succeeded(run("account", "delete", "Rosewater", "--yes", "--force"))


def test_an_account_name_that_is_taken_or_none_is_refused(run: Run) -> None:
    succeeded(run("account", "create", "Rosewater"))
    assert refused(run("account", "create", "Rosewater")) == (
        "Error: There is already an account named 'Rosewater'. Choose another name.\n"
    )
    refused(run("account", "create", ""), "1 to 60 characters")
    refused(run("account", "create", "x" * 61), "1 to 60 characters")
    assert len(succeeded(run("account", "list")).splitlines()) == 1


def test_a_key_is_shown_once_and_works(run: Run, data_dir: Path) -> None:
    succeeded(run("account", "create", "Rosewater"))
    key, sentence = succeeded(run("key", "create", "--account", "Rosewater", "--mode", "live")).splitlines()
    assert is_well_formed(key)
    assert key.startswith("pr_live_")
    assert re.fullmatch(r"This is key key_[0-9a-f]{32}\. It is shown only now; keep it safe\.", sentence)
    listed = succeeded(run("key", "list", "--account", "Rosewater"))
    assert key not in listed
    assert f"pr_live_...{key[-4:]}  read,write  " in listed
    assert listed.rstrip().endswith("  valid")
    me = (
        create_app(Settings(data_dir=str(data_dir)))
        .test_client()
        .get("/v1/me", headers={"Authorization": f"Bearer {key}"})
    )
    assert (me.get_json()["account_name"], me.get_json()["mode"]) == ("Rosewater", "live")


def test_a_key_is_printed_as_json_for_scripts(run: Run) -> None:
    succeeded(run("account", "create", "Rosewater"))
    words = ("key", "create", "--account", "Rosewater", "--mode", "test", "--scope", "read", "--json")
    told = json.loads(succeeded(run(*words)))
    assert set(told) == {"id", "key", "account", "mode", "scopes"}
    assert (told["account"], told["mode"], told["scopes"]) == ("Rosewater", "test", ["read"])
    assert is_well_formed(told["key"])
    assert told["id"] in succeeded(run("key", "list", "--account", "Rosewater"))


def test_a_revoked_key_is_listed_as_revoked_and_no_longer_works(run: Run, data_dir: Path) -> None:
    succeeded(run("account", "create", "Rosewater"))
    words = ("key", "create", "--account", "Rosewater", "--mode", "test", "--json")
    told, other = (json.loads(succeeded(run(*words))) for _ in range(2))
    assert succeeded(run("key", "revoke", told["id"])) == f"Revoked {told['id']}.\n"
    assert succeeded(run("key", "revoke", told["id"])) == f"Revoked {told['id']}.\n"
    lines = succeeded(run("key", "list", "--account", "Rosewater")).splitlines()
    assert [line.split("  ")[-1].split()[0] for line in lines] == ["revoked", "valid"]
    client = create_app(Settings(data_dir=str(data_dir))).test_client()
    for key, status in ((told["key"], 401), (other["key"], 200)):
        assert client.get("/v1/me", headers={"Authorization": f"Bearer {key}"}).status_code == status


def test_what_is_not_there_is_told_with_where_to_look(run: Run) -> None:
    refused(run("key", "create", "--account", "nobody", "--mode", "test"), "'nobody'", "passrail account list")
    refused(run("key", "list", "--account", "nobody"), "'nobody'")
    refused(run("key", "revoke", "key_nowhere"), "'key_nowhere'", "passrail key list")


@pytest.mark.parametrize(
    "words",
    [
        ("key", "create", "--account", "x"),
        ("key", "create", "--mode", "test"),
        ("key", "create", "--account", "x", "--mode", "demo"),
        ("key", "create", "--account", "x", "--mode", "test", "--scope", "admin"),
        ("key", "list"),
        ("key", "revoke"),
        ("account", "create"),
        ("account", "delete"),
        ("nonsense",),
    ],
)
def test_a_command_that_is_none_is_refused_with_its_usage(unmigrated: Run, words: tuple[str, ...]) -> None:
    refused(unmigrated(*words), "Usage: ", code=2)


@pytest.mark.parametrize(
    "words",
    [("account", "list"), ("account", "create", "x"), ("key", "list", "--account", "x"), ("parked", "list"), ("demo",)],
)
def test_before_the_first_migration_every_command_says_what_to_do(unmigrated: Run, words: tuple[str, ...]) -> None:
    refused(unmigrated(*words), "The database is not ready. Run 'passrail migrate' first.")


def test_migrating_twice_is_fine(run: Run) -> None:
    succeeded(run("account", "create", "Rosewater"))
    assert succeeded(run("migrate")) == ""
    assert "Rosewater" in succeeded(run("account", "list"))


def test_a_database_of_a_newer_version_is_left_alone(run: Run, data_dir: Path) -> None:
    engine = create_engine(f"sqlite:///{data_dir / 'passrail.db'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    refused(run("migrate"), "newer version")
    refused(run("account", "list"), "not ready")
    with engine.begin() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
    engine.dispose()


@pytest.mark.parametrize("words", [("migrate",), ("account", "list"), ("demo",)])
def test_a_database_that_is_away_is_told_in_a_sentence(unmigrated: Run, words: tuple[str, ...]) -> None:
    away = "postgresql://passrail:hunter2@127.0.0.1:1/passrail"
    told = refused(unmigrated(*words, DATABASE_URL=away), "The database cannot be used. Check DATABASE_URL.")
    assert "hunter2" not in told


def test_a_data_folder_that_is_none_is_told_in_a_sentence(unmigrated: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for words in (("migrate",), ("account", "list"), ("openapi",)):
        refused(unmigrated(*words, DATA_DIR=str(tmp_path / "file")), "DATA_DIR")


def test_a_wrong_setting_is_told_in_a_sentence(unmigrated: Run) -> None:
    for words in (("migrate",), ("account", "list"), ("openapi",)):
        told = refused(unmigrated(*words, PORT="http"))
        assert told == "Error: PORT is 'http'; it must be a whole number.\n"


def key_of(told: str) -> str:
    found = re.search(r"Test API key: (\S+)", told)
    assert found is not None
    return found.group(1)


def test_the_demo_run_twice_has_the_same_key_and_keeps_what_is_there(run: Run, data_dir: Path) -> None:
    first = succeeded(run("demo"))
    client = create_app(Settings(data_dir=str(data_dir))).test_client()
    headers = {"Authorization": f"Bearer {key_of(first)}"}
    body = {"program_id": "prog_demo_membership", "external_id": "customer-501"}
    made = client.post("/v1/actions/create-pass", json=body, headers=headers).get_json()
    changed = client.patch("/v1/programs/prog_demo_membership", json={"name": "Mine"}, headers=headers)
    assert changed.status_code == 200
    assert succeeded(run("demo")) == first
    listed = client.get("/v1/passes", headers=headers).get_json()["data"]
    assert [(one["id"], one["program_name"]) for one in listed] == [(made["id"], "Mine")]
    assert len(succeeded(run("account", "list")).splitlines()) == 1
    assert len(succeeded(run("key", "list", "--account", "demo")).splitlines()) == 1


def test_the_demo_has_a_program_of_each_kind(run: Run, data_dir: Path) -> None:
    client = create_app(Settings(data_dir=str(data_dir))).test_client()
    headers = {"Authorization": f"Bearer {key_of(succeeded(run('demo')))}"}
    programs = client.get("/v1/programs", headers=headers).get_json()["data"]
    assert {(one["id"], one["kind"]) for one in programs} == {
        ("prog_demo_membership", "membership"),
        ("prog_demo_coupon", "coupon"),
        ("prog_demo_ticket", "event_ticket"),
    }


def test_the_command_the_demo_prints_issues_a_pass(run: Run, data_dir: Path) -> None:
    told = succeeded(run("demo"))
    command = shlex.split(next(line for line in told.splitlines() if line.startswith("curl ")))
    address = next(word for word in command if word.startswith("http"))
    assert address.startswith("http://localhost:8123/")
    headers = [tuple(command[place + 1].split(": ", 1)) for place, word in enumerate(command) if word == "-H"]
    body = command[command.index("-d") + 1]
    answer = create_app(Settings(data_dir=str(data_dir))).test_client().post(address, headers=headers, data=body)
    assert (answer.status_code, answer.get_json()["external_id"]) == (200, "customer-501")


def test_the_demo_makes_another_key_when_its_own_is_gone_or_revoked(run: Run, data_dir: Path) -> None:
    first = key_of(succeeded(run("demo")))
    key_file = data_dir / "demo-key"
    assert key_file.read_text() == first
    assert key_file.stat().st_mode & 0o077 == 0
    key_file.unlink()
    second = key_of(succeeded(run("demo")))
    key_id = succeeded(run("key", "list", "--account", "demo")).splitlines()[-1].split()[0]
    succeeded(run("key", "revoke", key_id))
    third = key_of(succeeded(run("demo")))
    key_file.write_text("nonsense")
    fourth = key_of(succeeded(run("demo")))
    assert len({first, second, third, fourth}) == 4
    assert key_of(succeeded(run("demo"))) == fourth


def test_the_description_of_the_api_is_printed_without_a_database(unmigrated: Run) -> None:
    described = json.loads(succeeded(unmigrated("openapi")))
    assert described["openapi"] == "3.1.0"
    assert "/v1/actions/create-pass" in described["paths"]


def test_every_command_has_a_help_text(unmigrated: Run) -> None:
    groups = ("account", "key", "parked")
    commands = (("account", "create"), ("key", "create"), ("parked", "drop"), ("demo",), ("openapi",))
    for words in ((), *((name,) for name in groups), *commands):
        told = succeeded(unmigrated(*words, "--help"))
        assert re.search(r"Usage: .*\n\n  [A-Z`]\S* .*\.", told), told


def test_the_commands_work_on_postgresql_too(data_dir: Path, empty_postgres_url: NewDatabase) -> None:
    run = runner({"DATA_DIR": str(data_dir), "DATABASE_URL": empty_postgres_url()})
    refused(run("account", "list"), "passrail migrate")
    succeeded(run("migrate"))
    assert succeeded(run("demo")) == succeeded(run("demo"))
    refused(run("account", "create", "x" * 61), "1 to 60 characters")
    assert len(succeeded(run("account", "list")).splitlines()) == 1
