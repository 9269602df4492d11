"""Taking secrets and holders' data out of what is written to places people look at.

By the name of a value (authorization, secret, phone ...) and by its shape (our own keys, JWTs, PEM, e-mail addresses,
addresses with paths, long random text): either is enough.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REDACTED = "[redacted]"
LONGEST = 20_000  # characters of one text; a body of somebody else's in an error can be of any size

_SECRET_NAME = re.compile(
    r"authori[sz]ation|secret|token|passw(?:or)?d|passphrase|cookie|credential|signature|pem$|"
    r"(?:api|private|signing|encryption)[-_ ]?keys?|(?:hook|target|callback)[-_ ]?url|"
    r"e[-_]?mail|phone|(?:first|last|full|holder)[-_ ]?name",
    re.IGNORECASE,
)
_TEXT = re.compile(
    r"(?P<pem>-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z))"
    r"|(?P<parameters>\[parameters: .*?(?=\n\(Background on|\Z)|DETAIL: [^\n]*|with url: \S+)"
    r"|(?P<named>(?P<name>[\"']?\b[\w-]{0,40}(?:authori[sz]ation|secret|token|passw(?:or)?d|passphrase|cookie|credential|"
    r"signature|api[-_ ]?key|private[-_ ]?key|hook[-_ ]?url|target[-_ ]?url|callback[-_ ]?url|e[-_]?mail|phone|"
    r"first[-_]?name|last[-_]?name)\w{0,40}[\"']?\s*[:=]\s*)"
    r"(?:b?\"(?:[^\"\\]|\\.)*\"|b?'(?:[^'\\]|\\.)*'|(?:(?:Bearer|Basic|Token|PKAuth)\s+)?[^\s,;&)\]}]+))"
    r"|(?P<scheme>\b(?:Bearer|Basic)\s+[\w.~+/=-]{6,})"
    r"|(?P<address>(?P<origin>\b[a-z][a-z0-9+.-]{1,20}://)(?P<login>[^\s/@\"'<>]+@)?(?P<host>[^\s/?#\"'<>@]+)"
    r"(?P<path>[/?#][^\s\"'<>]*)?)"
    r"|(?P<page>/p/[\w-]{16,})"
    r"|(?P<key>pr_(?:live|test)_[0-9A-Za-z]{6,})"
    r"|(?P<signing>whsec_[A-Za-z0-9+/=_-]+)"
    r"|(?P<jwt>\beyJ[\w-]{6,}\.[\w-]+\.?[\w-]*)"
    r"|(?P<email>[^\s\"'<>()\[\],;:=/@%]{1,64}(?:@|%40)(?:[^\s\"'<>()\[\],;:=/@.]{1,63}\.)+\w{2,24})"
    r"|(?P<random>(?<![\w+/-])[A-Za-z0-9+/_-]{32,}={0,2})",
    re.IGNORECASE | re.DOTALL,
)


def _replacement(match: re.Match[str]) -> str:
    kind = match.lastgroup
    found = match.group()
    if match["named"] is not None:
        return f"{match['name']}{REDACTED}"
    if match["address"] is not None:
        path = match["path"]
        return f"{match['origin']}{match['host']}{'/' + REDACTED if path and path != '/' else path or ''}"
    if kind == "page":
        return f"/p/{REDACTED}"
    if kind == "random" and not _looks_random(found):
        return found
    return f"[{kind}]" if kind == "email" else REDACTED


def _looks_random(text: str) -> bool:
    """Tell a key from a long name or a file path, which hardly have both capitals and digits."""
    if len(text) >= 40 and all(letter in "0123456789abcdefABCDEF" for letter in text):
        return True
    return re.search("[A-Z]", text) is not None and re.search("[0-9]", text) is not None


def scrub_text(text: str) -> str:
    """Return the text without keys, tokens, passwords, e-mail addresses, paths of addresses, and values of SQL."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}..."
    return _TEXT.sub(_replacement, text)


def scrub_named(name: str, value: Any) -> Any:
    """Return what may be logged of a value that has a name: nothing where the name says that it is secret."""
    return REDACTED if _SECRET_NAME.search(name) else scrub(value)


def scrub(value: Any, depth: int = 0) -> Any:
    """Return a copy of a value that may be logged: secret by its name or by its shape, either is taken out.

    What is neither text, number, mapping nor list becomes its scrubbed `str()`.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if depth < 6 and isinstance(value, Mapping):
        return {
            scrub_text(str(key)): REDACTED if _SECRET_NAME.search(str(key)) else scrub(item, depth + 1)
            for key, item in value.items()
        }
    if depth < 6 and isinstance(value, (list, tuple, set, frozenset)):
        return [scrub(item, depth + 1) for item in value]
    if isinstance(value, (bytes, bytearray)):
        value = bytes(value).decode("utf-8", "replace")
    return scrub_text(str(value))
