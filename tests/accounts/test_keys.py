"""API keys: their form, that a typing error is noticed, and that nobody can read them out of the database."""

from __future__ import annotations

import hashlib
import re
import string
import zlib
from pathlib import Path

import pytest
from sqlalchemy import select

from app.accounts import keys
from app.accounts.keys import BASE62, KeyRing, is_well_formed, make_key
from app.errors import KeyRevoked, NotFound, Unauthorized
from app.model import Mode
from app.store.tables import api_keys
from tests.world import World

MODES = pytest.mark.parametrize("mode", list(Mode))


@MODES
def test_a_key_has_44_characters_and_says_its_mode(mode: Mode) -> None:
    for _ in range(50):
        key = make_key(mode)
        assert len(key) == 44
        assert re.fullmatch(rf"pr_{mode.value}_[0-9A-Za-z]{{36}}", key)
        assert is_well_formed(key)


def test_the_last_six_characters_are_the_crc32_of_the_rest_in_base62() -> None:
    alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase
    key = make_key(Mode.LIVE)
    number = 0
    for character in key[-6:]:
        number = number * 62 + alphabet.index(character)
    assert number == zlib.crc32(key[:-6].encode())


def test_no_two_keys_are_alike() -> None:
    made = {make_key(Mode.TEST) for _ in range(2000)}
    assert len(made) == 2000
    assert len({key[8:20] for key in made}) == 2000
    for place in range(8, 38):
        assert len({key[place] for key in made}) == 62


@MODES
def test_no_typing_error_in_one_character_passes(mode: Mode) -> None:
    tried = 0
    for _ in range(5):
        key = make_key(mode)
        for place in range(8, 44):
            for character in BASE62:
                if character != key[place]:
                    assert not is_well_formed(key[:place] + character + key[place + 1 :])
                    tried += 1
    assert tried == 5 * 36 * 61


def test_no_two_characters_in_the_wrong_order_pass() -> None:
    for _ in range(50):
        key = make_key(Mode.TEST)
        for place in range(8, 43):
            swapped = key[:place] + key[place + 1] + key[place] + key[place + 2 :]
            assert is_well_formed(swapped) is (swapped == key)


def test_a_key_with_something_missing_or_too_much_is_none() -> None:
    key = make_key(Mode.TEST)
    for place in range(44):
        assert not is_well_formed(key[:place] + key[place + 1 :])
    for wrong in (
        "",
        " " + key,
        key + "\n",
        key + "0",
        key.upper(),
        key.replace("test", "live"),
        key.replace("_", "-"),
    ):
        assert not is_well_formed(wrong)
    assert not is_well_formed("pr_test_" + "é" * 36)
    assert not is_well_formed("pr_demo_" + key[8:])


def test_a_mistyped_key_is_refused_without_asking_the_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_arguments: object) -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(KeyRing, "_look_up", asked)
    ring = KeyRing(world.service.store, world.clock)
    wrong = world.key[:-1] + ("A" if world.key[-1] != "A" else "B")
    with pytest.raises(Unauthorized, match="typing error"):
        ring.verify(wrong)
    with pytest.raises(AssertionError, match="asked"):
        ring.verify(world.key)


def test_only_the_hash_is_in_the_database(world: World) -> None:
    key = world.make_key()
    assert world.get("/v1/me", key=key).status_code == 200
    with world.service.store.read() as connection:
        digests = set(connection.execute(select(api_keys.c.digest)).scalars())
    assert hashlib.sha256(key.encode()).hexdigest() in digests
    world.service.store.close()
    files = [path for path in Path(world.service.settings.data_dir).rglob("*") if path.is_file()]
    assert "passrail.db" in {path.name for path in files}
    contents = b"".join(path.read_bytes() for path in files)
    assert hashlib.sha256(key.encode()).hexdigest().encode() in contents
    assert key.encode() not in contents
    assert key[8:38].encode() not in contents
    assert key[-6:].encode() not in contents


def test_a_key_is_shown_by_its_last_four_characters_only(world: World) -> None:
    with world.service.store.write() as connection:
        made, secret = keys.create_key(connection, world.account, Mode.LIVE, ("write", "read"), world.clock())
        listed = keys.list_keys(connection, world.account)[-1]
    assert listed == made
    assert made.hint == f"pr_live_...{secret[-4:]}"
    assert (made.scopes, made.mode, made.revoked_at) == (("read", "write"), Mode.LIVE, None)
    assert secret[8:-4] not in repr(made)


def test_a_key_knows_its_account_mode_and_scopes(world: World) -> None:
    key = world.make_key(account="other", mode=Mode.LIVE, scopes=("read",))
    caller = world.service.keys.verify(key)
    assert (caller.account_name, caller.mode, caller.scopes) == ("other", Mode.LIVE, frozenset({"read"}))
    mine = world.service.keys.verify(world.key)
    assert (mine.account_id, mine.mode) == (world.account.id, Mode.TEST)
    assert mine.account_id != caller.account_id
    assert mine.key_number != caller.key_number


def test_a_revoked_key_works_for_less_than_a_second(any_world: World) -> None:
    ring = any_world.service.keys
    key_id = ring.verify(any_world.key).key_id
    with any_world.service.store.write() as connection:
        keys.revoke_key(connection, key_id, any_world.clock())
    any_world.clock.advance(milliseconds=999)
    assert ring.verify(any_world.key).key_id == key_id
    any_world.clock.advance(milliseconds=1)
    for _ in range(2):
        with pytest.raises(KeyRevoked):
            ring.verify(any_world.key)
    fresh = KeyRing(any_world.service.store, any_world.clock)
    with pytest.raises(KeyRevoked):
        fresh.verify(any_world.key)


def test_using_a_key_does_not_make_the_memory_of_it_longer(world: World) -> None:
    ring = world.service.keys
    key_id = ring.verify(world.key).key_id
    with world.service.store.write() as connection:
        keys.revoke_key(connection, key_id, world.clock())
    for _ in range(9):
        world.clock.advance(milliseconds=100)
        ring.verify(world.key)
    world.clock.advance(milliseconds=100)
    with pytest.raises(KeyRevoked):
        ring.verify(world.key)


def test_revoking_twice_keeps_the_first_time(any_world: World) -> None:
    with any_world.service.store.write() as connection:
        made, _ = keys.create_key(connection, any_world.account, Mode.TEST, ("read",), any_world.clock())
        first = any_world.clock()
        keys.revoke_key(connection, made.id, first)
        any_world.clock.advance(hours=1)
        keys.revoke_key(connection, made.id, any_world.clock())
        listed = {key.id: key.revoked_at for key in keys.list_keys(connection, any_world.account)}
    assert listed[made.id] == first
    assert list(listed.values()).count(None) == 1


def test_a_key_that_is_not_there_cannot_be_revoked(world: World) -> None:
    with pytest.raises(NotFound, match="passrail key list"), world.service.store.write() as connection:
        keys.revoke_key(connection, "key_nowhere", world.clock())


def test_the_memory_of_keys_does_not_grow_without_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "CACHE_SIZE", 3)
    ring = KeyRing(world.service.store, world.clock)
    for _ in range(7):
        ring.verify(world.make_key())
        assert len(ring._verified) <= 3
