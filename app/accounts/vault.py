"""Secrets of accounts at rest: AES-256-GCM, bound to the place where they are kept.

A sealed text is `v1.<key id>.<nonce>.<ciphertext>`, the last two in base64 for URLs without padding. Account, table,
column and row are the associated data, so a sealed text that somebody copies into another row does not open there.

Keys come from the setting `VAULT_KEYS`: `new:BASE64,old:BASE64`. The first one seals, all of them open; so a key is
changed by putting a new one in front, sealing every row anew (`reseal`), and then taking the old one out. Each sealing
draws a random nonce of 12 bytes, which is safe for 2**32 of them under one key.

No database and no settings here: this is the arithmetic only.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = "v1"
KEY_BYTES = 32
NONCE_BYTES = 12
TOKEN_BYTES = 24

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


class VaultError(Exception):
    """Something about the vault is wrong. No message repeats a key, a secret or a sealed text.

    InvalidKeys: the setting cannot be used; UnknownKey: a text was sealed with a key that is not in the list;
    SealBroken: the text is none of ours, was changed, or belongs to another place.
    """


class InvalidKeys(VaultError):
    """`VAULT_KEYS` cannot be used."""


class UnknownKey(VaultError):
    """The key that sealed the text is not in the list."""


class SealBroken(VaultError):
    """The text is malformed, was changed, or was sealed for another place."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed text is kept. All four are authenticated with it."""

    account_id: str
    table: str
    column: str
    row_id: str

    def associated_data(self) -> bytes:
        """Return the four as bytes; each with its length in front, so that no two places look alike."""
        parts = (self.account_id, self.table, self.column, self.row_id)
        return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)


def generate_key() -> str:
    """Return a fresh key in base64, to stand behind its ID in `VAULT_KEYS`."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")


class Vault:
    """Seals and opens. Threads may share it."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Take keys of 32 bytes by their IDs, the one that seals first.

        Raises:
            InvalidKeys: there is none, or an ID or a key has the wrong form.
        """
        if not keys:
            raise InvalidKeys("VAULT_KEYS holds no key.")
        for key_id, key in keys.items():
            if not _KEY_ID.fullmatch(key_id):
                raise InvalidKeys("VAULT_KEYS: a key ID has 1 to 32 letters, digits, '-' or '_'.")
            if len(key) != KEY_BYTES:
                raise InvalidKeys(f"VAULT_KEYS: a key must have {KEY_BYTES} bytes, one has {len(key)}.")
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._raw_keys = tuple(keys.values())
        self._first = next(iter(keys))

    @classmethod
    def from_setting(cls, text: str) -> Vault:
        """Read `VAULT_KEYS`.

        Raises:
            InvalidKeys: it cannot be read, or an ID stands in it twice.
        """
        keys: dict[str, bytes] = {}
        for number, part in enumerate(filter(None, map(str.strip, text.split(","))), start=1):
            key_id, separator, encoded = part.partition(":")
            # Whatever stands before the colon may be a key whose ID was forgotten, so it is not repeated.
            if not separator or not _KEY_ID.fullmatch(key_id):
                raise InvalidKeys(f"VAULT_KEYS: entry {number} must be an ID, a colon and a key in base64.")
            if key_id in keys:
                raise InvalidKeys(f"VAULT_KEYS: the ID of entry {number} stands in the list twice.")
            keys[key_id] = _decoded_key(encoded, number)
        return cls(keys)

    def __repr__(self) -> str:
        return f"Vault({', '.join(self._keys)})"

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The IDs of all keys, the one that seals first."""
        return tuple(self._keys)

    def seal(self, secret: str, place: Place) -> str:
        """Encrypt a text for the place where it will be kept."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        # A lone surrogate would raise an error that holds the secret; it comes back as it was.
        sealed = self._keys[self._first].encrypt(
            nonce, secret.encode("utf-8", "surrogatepass"), place.associated_data()
        )
        return f"{VERSION}.{self._first}.{_encoded(nonce)}.{_encoded(sealed)}"

    def open(self, sealed: str, place: Place) -> str:
        """Decrypt a text that was sealed for this place.

        Raises:
            UnknownKey: its key is not in the list.
            SealBroken: it is malformed, was changed, or was sealed for another place.
        """
        key_id, nonce, ciphertext = _split(sealed)
        key = self._keys.get(key_id)
        if key is None:
            raise UnknownKey(f"A secret was sealed with the key {key_id!r}, which VAULT_KEYS does not have.")
        try:
            return key.decrypt(nonce, ciphertext, place.associated_data()).decode("utf-8", "surrogatepass")
        except InvalidTag:
            raise SealBroken("The sealed text was changed, or was sealed for another place.") from None

    def tokens(self, label: str) -> Iterator[str]:
        """Give the token that each key makes of a label, the first key's first.

        The same key and label always make the same token, so that it need not be kept to be known again. Nobody can
        tell it, or a key, from another one.
        """
        for key in self._raw_keys:
            derive = HKDF(SHA256(), TOKEN_BYTES, salt=None, info=b"passrail token " + label.encode())
            yield _encoded(derive.derive(key))

    def reseal(self, sealed: str, place: Place) -> str:
        """Return the text sealed with the first key; unchanged when it is already. Raises as `open`."""
        if self.is_current(sealed):
            return sealed
        return self.seal(self.open(sealed, place), place)

    def is_current(self, sealed: str) -> bool:
        """Say whether the text is sealed with the first key; raises SealBroken when it is malformed."""
        return _split(sealed)[0] == self._first


def is_sealed(text: str) -> bool:
    """Tell a sealed text from a plain one, where a column holds both."""
    return text.startswith(f"{VERSION}.")


def key_id_of(sealed: str) -> str:
    """Return the ID of the key that sealed the text, to check at start-up that all of them are there.

    Raises:
        SealBroken: it is malformed.
    """
    return _split(sealed)[0]


def _split(sealed: str) -> tuple[str, bytes, bytes]:
    parts = sealed.split(".")
    if len(parts) != 4 or parts[0] != VERSION or not _KEY_ID.fullmatch(parts[1]):
        raise SealBroken("The text is not a sealed one.")
    nonce, ciphertext = _decoded(parts[2]), _decoded(parts[3])
    if nonce is None or ciphertext is None or len(nonce) != NONCE_BYTES:
        raise SealBroken("The text is not a sealed one.")
    return parts[1], nonce, ciphertext


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes | None:
    """Decode strictly: two texts that decode alike would be two forms of one secret."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    return data if _encoded(data) == text else None


def _decoded_key(encoded: str, number: int) -> bytes:
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except (ValueError, binascii.Error):
        raise InvalidKeys(f"VAULT_KEYS: the key of entry {number} is not base64.") from None
