"""The answers of PassKit that are known to be decisions: the request certainly has no effect.

Everything else that is not a success says nothing about what happened (`failures.py`). An answer belongs here only
with its status, its gRPC code (where the body has one) and its text, and with the evidence that it is given before
anything is done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.issuers.passkit.failures import Answered, Conflict, CredentialsRefused, NotEnoughPoints, NotFound


class TokenTimeRefused(CredentialsRefused):
    """The token's times do not fit PassKit's clock."""

    is_about_time = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """One line of the table.

    Attributes:
        statuses: of the HTTP answer.
        codes: of gRPC, one of which the body must have unless it has none.
        text: of the error; the whole of it must match.
        failure: what the answer is.
        evidence: how we know.
    """

    statuses: frozenset[int]
    codes: frozenset[int]
    text: re.Pattern[str]
    failure: type[Answered]
    evidence: str


def _line(statuses: set[int], codes: set[int], text: str, failure: type[Answered], evidence: str) -> Refusal:
    return Refusal(frozenset(statuses), frozenset(codes), re.compile(text, re.DOTALL), failure, evidence)


KNOWN = (
    _line({400}, {3}, r"validation error: Key: '.*", Answered, "field report: the validator runs before the method"),
    _line({400}, {3}, r"proto: (?:syntax error|\(line).*", Answered, "field report: the body could not be read at all"),
    _line({401}, {16}, r"Token used before issued", TokenTimeRefused, "documented, with a help article of its own"),
    _line({401}, {16}, r"jwt was issued too long ago", TokenTimeRefused, "field report: iat 60 s back, 0 of 12 taken"),
    _line(
        {401},
        {16},
        r"[Tt]oken is expired(?: by .*)?",
        TokenTimeRefused,
        "text of golang-jwt, whose 'Token used before issued' PassKit documents; checked before the method",
    ),
    _line(
        {401},
        {16},
        r"(?:token )?signature is invalid|token (?:is malformed|contains an invalid number of segments).*",
        CredentialsRefused,
        "texts of golang-jwt, as above",
    ),
    _line({401}, {16}, r"illegal base64 data at input byte \d+", CredentialsRefused, "field report: a wrong prefix"),
    _line(
        {404},
        {5},
        r"[a-z ]+?(?: with [A-Za-z]+)? ?\[[^\]]*\] does not exist",
        NotFound,
        "field report: 'program [uuid:...] does not exist', 'ticket with id[...] does not exist'",
    ),
    _line(
        {409},
        {6},
        r"[a-z ]+ \[[^\]]*\] already exists",
        Conflict,
        "field report of the status for an external ID that is taken; the words are those of gRPC's ALREADY_EXISTS",
    ),
    _line(
        {400, 500},
        {2, 3, 9},
        r"insufficient (?:points|secondaryPoints|tierPoints)",
        NotEnoughPoints,
        "documented that such a tier forbids it; that nothing is taken then is what 'forbid' means",
    ),
    _line({500}, {2}, r"pass template id cannot be empty", Answered, "field report: checked before a record is made"),
    _line({501}, {12}, r"Method Not Allowed|Not Implemented", Answered, "the gateway's own: no method was called"),
)


def known_refusal(status: int, code: int | None, text: str) -> type[Answered] | None:
    """Return what an answer is, None where it is not known to be a decision.

    Args:
        status: of the HTTP answer.
        code: gRPC's, where the body has one.
        text: of the error, as PassKit sent it.
    """
    for line in KNOWN:
        if status in line.statuses and (code is None or code in line.codes) and line.text.fullmatch(text):
            return line.failure
    return None
