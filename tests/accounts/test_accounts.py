"""Accounts: made, found and listed by name."""

from __future__ import annotations

import pytest

from app.accounts import accounts
from app.errors import Duplicate, NotFound, ValidationFailed
from tests.world import World


def test_an_account_is_found_by_its_name(any_world: World) -> None:
    with any_world.service.store.write() as connection:
        made = accounts.create_account(connection, "Café Łódź", any_world.clock())
        assert accounts.find_account(connection, "Café Łódź") == made
        assert accounts.list_accounts(connection) == [any_world.account, made]


def test_a_name_that_is_taken_is_refused(world: World) -> None:
    with pytest.raises(Duplicate, match="'demo'"), world.service.store.write() as connection:
        accounts.create_account(connection, "demo", world.clock())


def test_a_name_that_cannot_be_one_is_refused(world: World) -> None:
    for name in ("", " ", "x" * 61, "two\nlines", "\x00", "\u200b"):
        with pytest.raises(ValidationFailed, match="1 to 60 characters"), world.service.store.write() as connection:
            accounts.create_account(connection, name, world.clock())


def test_the_longest_name_fits_the_database(any_world: World) -> None:
    with any_world.service.store.write() as connection:
        assert accounts.create_account(connection, "ü" * 60, any_world.clock()).name == "ü" * 60


def test_an_account_that_is_not_there_is_not_found(world: World) -> None:
    with pytest.raises(NotFound, match="passrail account list"), world.service.store.read() as connection:
        accounts.find_account(connection, "nobody")
