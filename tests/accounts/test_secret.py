from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from app.accounts import secret
from app.accounts.secret import InstallationSecret, Purpose
from app.accounts.vault import Vault, generate_key
from app.errors import NotReady
from app.settings import Settings
from app.store.engine import Store
from app.store.migrate import migrate
from app.store.tables import secrets
from tests.world import World


def vault_with(*key_ids: str) -> Vault:
    return Vault.from_setting(",".join(f"{key_id}:{generate_key()}" for key_id in key_ids))


def test_the_same_text_has_the_same_hash_in_every_process(any_world: World) -> None:
    first, second = (InstallationSecret(any_world.service.store, None) for _ in range(2))
    assert first.digest(Purpose.PERSON, "ada@example.com") == second.digest(Purpose.PERSON, "ada@example.com")
    assert len(first.digest(Purpose.PERSON, "ada@example.com")) == 64


def test_another_purpose_or_text_has_another_hash(any_world: World) -> None:
    hashes = {
        any_world.service.secret.digest(Purpose.PERSON, "58"),
        any_world.service.secret.digest(Purpose.IDEMPOTENCY_KEY, "58"),
        any_world.service.secret.digest(Purpose.PERSON, "59"),
    }
    assert len(hashes) == 3


def test_no_two_installations_make_the_same_hash(tmp_path: Path) -> None:
    hashes = set()
    for name in ("one", "other"):
        settings = Settings(data_dir=str(tmp_path / name))
        migrate(settings)
        store = Store(settings)
        hashes.add(InstallationSecret(store, None).digest(Purpose.PERSON, "58"))
        store.close()
    assert len(hashes) == 2


def test_sealing_the_secret_changes_no_hash_and_leaves_nothing_plain(any_world: World) -> None:
    store = any_world.service.store
    before = InstallationSecret(store, None).digest(Purpose.PERSON, "58")
    vault = vault_with("a")
    with store.read() as connection:
        plain = connection.execute(select(secrets.c.value)).scalar_one()
    with store.write() as connection:
        assert secret.reseal(connection, vault)
        assert not secret.reseal(connection, vault)
        assert plain not in connection.execute(select(secrets.c.value)).scalar_one()
    assert InstallationSecret(store, vault).digest(Purpose.PERSON, "58") == before


@pytest.mark.parametrize("vault", [None, vault_with("other")], ids=["no key", "another key"])
def test_without_the_key_that_sealed_it_a_sentence_says_what_is_missing(world: World, vault: Vault | None) -> None:
    with world.service.store.write() as connection:
        secret.reseal(connection, vault_with("a"))
    with pytest.raises(NotReady, match="VAULT_KEYS"):
        InstallationSecret(world.service.store, vault).digest(Purpose.PERSON, "58")
