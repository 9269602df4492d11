from __future__ import annotations

import base64
import itertools
import re
from dataclasses import replace

import pytest

from app.accounts.vault import (
    InvalidKeys,
    Place,
    SealBroken,
    UnknownKey,
    Vault,
    VaultError,
    generate_key,
    key_id_of,
)

PLACE = Place("acct_1", "connections", "credentials", "conn_1")
SECRET = "canary: ein Geheimnis mit Umläuten"
# Always the same: they stand in the names of tests, which several processes must agree on.
OLD, NEW = (base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))


@pytest.fixture
def vault() -> Vault:
    return Vault.from_setting(f"k1:{OLD}")


def test_what_was_sealed_opens_again(vault: Vault) -> None:
    for secret in (SECRET, "", "x" * 100_000, "\ud800"):
        assert vault.open(vault.seal(secret, PLACE), PLACE) == secret


def test_a_sealed_text_has_four_parts(vault: Vault) -> None:
    sealed = vault.seal(SECRET, PLACE)
    assert re.fullmatch(r"v1\.k1\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]+", sealed)
    assert "canary" not in sealed
    assert key_id_of(sealed) == "k1"


def test_the_same_secret_is_sealed_differently_each_time(vault: Vault) -> None:
    assert len({vault.seal(SECRET, PLACE) for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    "place",
    [
        replace(PLACE, account_id="acct_2"),
        replace(PLACE, table="hooks"),
        replace(PLACE, column="secret"),
        replace(PLACE, row_id="conn_2"),
        Place("acct_1connections", "", "credentials", "conn_1"),
        Place("acct_1", "connectionscredentials", "", "conn_1"),
    ],
)
def test_a_secret_does_not_open_in_another_place(vault: Vault, place: Place) -> None:
    with pytest.raises(SealBroken, match="another place"):
        vault.open(vault.seal(SECRET, PLACE), place)


def test_swapped_rows_are_refused(vault: Vault) -> None:
    places = [replace(PLACE, row_id=f"conn_{number}") for number in range(20)]
    rows = [vault.seal(f"secret {place.row_id}", place) for place in places]
    for (here, place), (there, sealed) in itertools.product(enumerate(places), enumerate(rows)):
        if here == there:
            assert vault.open(sealed, place) == f"secret {place.row_id}"
        else:
            with pytest.raises(SealBroken):
                vault.open(sealed, place)


def test_no_two_places_look_alike() -> None:
    texts = ["", "a", "b", "ab", "a\x00", "ä", "a.b"]
    places = {Place(*parts) for parts in itertools.product(texts, repeat=4)}
    assert len({place.associated_data() for place in places}) == len(places)


def test_every_changed_character_is_noticed(vault: Vault) -> None:
    sealed = vault.seal("secret", PLACE)
    for index, character in enumerate(sealed):
        changed = sealed[:index] + ("A" if character != "A" else "B") + sealed[index + 1 :]
        with pytest.raises(VaultError):
            vault.open(changed, PLACE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "canary",
        "v1",
        "v1.k1..",
        "v1.k1.AAAAAAAAAAAAAAAA",
        "v1.k1.AAAAAAAAAAAAAAAA.",
        "v1.k1.AAAAAAAAAAAAAAAA.AAAA",
        "v1.k1.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAA.x",
        "v1.k1.AAAA.AAAAAAAAAAAAAAAAAAAAAAAA",
        "v1.k1.AAAAAAAAAAAAAAA=.AAAAAAAAAAAAAAAAAAAAAAAA",
        "v1.k1.AAAAAAAAAAAAAAAA.AAAA AAAAAAAAAAAAAAAAAAAA",
        "v1.k1.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAA==",
        "v1.k1.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAB",
        "v1.k1.AAAAAAAAAAAAAAA+.AAAAAAAAAAAAAAAAAAAAAAAA",
        "v1.k1.ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ.AAAAAAAAAAAAAAAAAAAAAAAA",
        "v2.k1.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAA",
        "v1.k 1.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAA",
    ],
)
def test_what_is_no_sealed_text_is_refused(vault: Vault, text: str) -> None:
    with pytest.raises(SealBroken) as caught:
        vault.open(text, PLACE)
    assert "canary" not in str(caught.value)


def test_two_spellings_of_one_seal_are_not_both_accepted(vault: Vault) -> None:
    sealed = vault.seal("x", PLACE)
    spare_bits = sealed[-1]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    opened = []
    for letter in letters:
        try:
            opened.append(vault.open(sealed[:-1] + letter, PLACE))
        except SealBroken:
            assert letter != spare_bits
    assert opened == ["x"]


def test_a_key_is_changed_without_a_gap(vault: Vault) -> None:
    places = [replace(PLACE, row_id=f"conn_{number}") for number in range(1000)]
    rows = {place: vault.seal(f"secret {place.row_id}", place) for place in places}
    both = Vault.from_setting(f"k2:{NEW},k1:{OLD}")
    for place in places:
        assert both.open(rows[place], place) == f"secret {place.row_id}"
        rows[place] = both.reseal(rows[place], place)
        assert both.is_current(rows[place])
        assert both.open(rows[place], place) == f"secret {place.row_id}"
    only_new = Vault.from_setting(f"k2:{NEW}")
    assert all(only_new.open(rows[place], place) == f"secret {place.row_id}" for place in places)


def test_resealing_leaves_what_is_current(vault: Vault) -> None:
    sealed = vault.seal(SECRET, PLACE)
    assert vault.reseal(sealed, PLACE) == sealed


def test_resealing_does_not_move_a_secret_to_another_place(vault: Vault) -> None:
    both = Vault.from_setting(f"k2:{NEW},k1:{OLD}")
    with pytest.raises(SealBroken):
        both.reseal(vault.seal(SECRET, PLACE), replace(PLACE, account_id="acct_2"))


def test_an_unknown_key_is_named(vault: Vault) -> None:
    with pytest.raises(UnknownKey, match="'k1', which VAULT_KEYS does not have"):
        Vault.from_setting(f"k2:{NEW}").open(vault.seal(SECRET, PLACE), PLACE)


def test_another_key_of_the_same_id_does_not_open(vault: Vault) -> None:
    with pytest.raises(SealBroken):
        Vault.from_setting(f"k1:{NEW}").open(vault.seal(SECRET, PLACE), PLACE)


def test_the_setting_may_have_spaces_and_line_ends() -> None:
    assert Vault.from_setting(f" k2:{NEW} ,\n k1: {OLD},").key_ids == ("k2", "k1")


SHORT = base64.b64encode(b"canary").decode()


@pytest.mark.parametrize(
    "setting",
    [
        "",
        " , ",
        OLD,
        f":{OLD}",
        f"k 1:{OLD}",
        f"k1:{OLD},k1:{NEW}",
        "k1:",
        "k1:not base64 at all",
        f"k1:{SHORT}",
        f"k1:{OLD}{OLD}",
        "0123456789abcdef0123456789abcdef:k1",
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_without_repeating_it(setting: str) -> None:
    with pytest.raises(InvalidKeys) as caught:
        Vault.from_setting(setting)
    message = str(caught.value)
    assert message.startswith("VAULT_KEYS")
    for piece in (OLD, NEW, SHORT, "canary", "0123456789abcdef"):
        assert piece not in message
    assert caught.value.__cause__ is None


def test_keys_may_also_be_given_as_bytes() -> None:
    assert Vault({"k1": b"x" * 32}).key_ids == ("k1",)
    for keys in ({}, {"k.1": b"x" * 32}, {"k1": b"x" * 16}):
        with pytest.raises(InvalidKeys):
            Vault(keys)


def test_fresh_keys_have_256_bits() -> None:
    assert len(base64.b64decode(generate_key())) == 32
    assert generate_key() != generate_key()


def test_nothing_secret_is_shown(vault: Vault) -> None:
    sealed = vault.seal(SECRET, PLACE)
    assert repr(vault) == "Vault(k1)"
    with pytest.raises(SealBroken) as caught:
        vault.open(sealed, replace(PLACE, row_id="conn_2"))
    shown = f"{caught.value}{caught.value!r}"
    assert OLD not in shown
    assert sealed not in shown
    assert "canary" not in shown
