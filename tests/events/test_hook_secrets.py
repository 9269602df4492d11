"""The secrets of hooks at rest: sealed where there are vault keys, and readable through every change of the keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from app.accounts.sealed import missing_key_ids
from app.accounts.vault import SealBroken, UnknownKey, Vault, generate_key
from app.cli import main
from app.events.delivering import DeliveryWorker
from app.store.tables import hooks
from tests.events.workers import Told, delivery_worker, told
from tests.postgres import NewDatabase
from tests.world import World, make_world

KEYS = f"k1:{generate_key()}"


@pytest.fixture(params=["sqlite", "postgresql"])
def sealed(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """A world with keys for its vault, on each of the two databases."""
    url = ""
    if request.param == "postgresql":
        new_database: NewDatabase = request.getfixturevalue("postgres_url")
        url = new_database()
    return make_world(tmp_path / "data", url, vault_keys=KEYS)


def kept(world: World) -> list[str]:
    with world.service.store.read() as connection:
        rows = connection.execute(select(hooks.c.secret, hooks.c.old_secret).order_by(hooks.c.id)).all()
    return [text for row in rows for text in row if text is not None]


def rotate_secret(world: World, hook_id: str) -> str:
    return str(world.request("PATCH", f"/v1/hooks/{hook_id}", json={"rotate_secret": True}).get_json()["secret"])


def signed_with(world: World, hook_id: str, vault: Vault | None) -> tuple[str, ...]:
    """Return the secrets that a delivery is signed with."""
    sender: Told = told()
    world.make_pass()
    service = world.service
    DeliveryWorker(service.store, world.clock, sender, vault).deliver_due(hook_id)  # type: ignore[arg-type]
    return sender.sent[-1].secrets


def rotate_vault(world: World, keys: str) -> str:
    settings = world.service.settings
    environment = {"DATA_DIR": settings.data_dir, "DATABASE_URL": settings.database_url, "BASE_URL": ""}
    result = CliRunner().invoke(main, ["vault", "rotate"], env={**environment, "VAULT_KEYS": keys})
    assert result.exit_code == 0, result.output
    return result.output


def test_no_plain_secret_stands_in_the_table_and_deliveries_are_signed_with_it(sealed: World) -> None:
    hook = sealed.make_hook("pass.created")
    assert signed_with(sealed, hook["id"], sealed.service.vault) == (hook["secret"],)
    new = rotate_secret(sealed, hook["id"])
    assert signed_with(sealed, hook["id"], sealed.service.vault) == (new, hook["secret"])
    texts = kept(sealed)
    assert [text.split(".")[:2] for text in texts] == [["v1", "k1"], ["v1", "k1"]]
    assert not any(secret in text for secret in (new, hook["secret"]) for text in texts)


def test_a_secret_copied_to_another_hook_signs_nothing(sealed: World) -> None:
    first, second = sealed.make_hook("pass.created"), sealed.make_hook("pass.created")
    with sealed.service.store.write() as connection:
        text = connection.execute(select(hooks.c.secret).where(hooks.c.id == first["id"])).scalar_one()
        connection.execute(hooks.update().where(hooks.c.id == second["id"]).values(secret=text))
    sealed.make_pass()
    with pytest.raises(SealBroken, match="another place"):
        delivery_worker(sealed, told()).deliver_due(second["id"])


def test_secrets_from_before_there_were_keys_are_read_and_then_sealed(any_world: World) -> None:
    made = [any_world.make_hook("pass.created") for _ in range(3)]
    new = rotate_secret(any_world, made[0]["id"])
    vault = Vault.from_setting(KEYS)
    expected = [(new, made[0]["secret"]), (made[1]["secret"],), (made[2]["secret"],)]
    for _ in range(2):
        assert [signed_with(any_world, hook["id"], vault) for hook in made] == expected
        rotate_vault(any_world, KEYS)
    assert {text.split(".")[0] for text in kept(any_world)} == {"v1"}
    assert "Encrypted 0 with" in rotate_vault(any_world, KEYS)


def test_a_key_can_be_changed_and_the_old_one_thrown_away(sealed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.vault.HOOKS_AT_ONCE", 2)
    made = [sealed.make_hook("pass.created") for _ in range(5)]
    new_key = f"k2:{generate_key()}"
    assert "Encrypted 6 with the key k2" in rotate_vault(
        sealed, f"{new_key},{KEYS}"
    )  # five hooks, and the service's own
    only_new = Vault.from_setting(new_key)
    assert [signed_with(sealed, hook["id"], only_new) for hook in made] == [(hook["secret"],) for hook in made]


def test_a_worker_without_the_key_says_so_and_tries_nothing(sealed: World) -> None:
    hook = sealed.make_hook("pass.created")
    sealed.make_pass()
    for vault, words in ((None, "VAULT_KEYS is not set"), (Vault.from_setting(f"k2:{generate_key()}"), "'k1'")):
        sender, store = told(), sealed.service.store
        with pytest.raises(UnknownKey, match=words):
            DeliveryWorker(store, sealed.clock, sender, vault).deliver_due(hook["id"])  # type: ignore[arg-type]
        assert sender.sent == []
        with store.read() as connection:
            assert missing_key_ids(connection, vault) == ["k1"]
    [delivery] = sealed.deliveries(hook["id"])
    assert (delivery["status"], delivery["attempts"]) == ("pending", [])
    with sealed.service.store.read() as connection:
        assert missing_key_ids(connection, sealed.service.vault) == []
