"""What stands on a card: a pass and its program, turned into the words of its page. Pure; no HTML, no HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from app.model import FieldType, Kind, Mode, Pass, Program, Status
from app.web import words

FRONT_FIELDS = 4
FRONT_LENGTH = 60
WIDE_LENGTH = 17

_TIER_LABELS = {Kind.MEMBERSHIP: "Tier", Kind.COUPON: "Offer", Kind.EVENT_TICKET: "Ticket type"}
_HOLDER_LABELS = {Kind.MEMBERSHIP: "Member", Kind.COUPON: "For", Kind.EVENT_TICKET: "Guest"}


@dataclass(frozen=True, slots=True)
class Line:
    """A value with its label."""

    label: str
    text: str

    @property
    def is_wide(self) -> bool:
        """Tell whether it needs a row of its own."""
        return max(len(self.label), len(self.text)) > WIDE_LENGTH


@dataclass(frozen=True, slots=True)
class Card:
    """Everything the page shows. The holder's e-mail address and phone are not here: the link may be passed on."""

    kind: Kind
    corner: str
    program: str
    tier: Line | None
    holder: Line | None
    points: str | None
    front: tuple[Line, ...]
    back: tuple[Line, ...]
    terms: str | None
    code: str
    status: Status
    notice: str | None
    is_test: bool
    is_erased: bool


def make_card(shown: Pass, program: Program, now: datetime) -> Card:
    """Lay out a pass: what is short goes on the front, the rest under the card.

    Of a permanently revoked pass nothing is used but that it was one, even if its row still held more.
    """
    is_erased = shown.deleted_at is not None
    tier = program.tier(shown.tier_id)
    holder = " ".join(name for name in (shown.first_name, shown.last_name) if name)
    lines = [] if is_erased else list(_field_lines(shown, program))
    front = [line for line in lines if len(line.text) <= FRONT_LENGTH][:FRONT_FIELDS]
    back = [line for line in lines if line not in front]
    if shown.expires_at is not None and not is_erased:
        ended = shown.expires_at <= now
        front.append(Line("Expired" if ended else "Valid until", words.instant(shown.expires_at)))
    return Card(
        kind=program.kind,
        corner=_corner(program),
        program=program.name,
        tier=Line(_TIER_LABELS[program.kind], tier.name) if tier else None,
        holder=Line(_HOLDER_LABELS[program.kind], holder) if holder and not is_erased else None,
        points=None if shown.points is None or is_erased else words.points(shown.points),
        front=tuple(front),
        back=tuple(back),
        terms=program.terms,
        code=shown.id,
        status=shown.status(now),
        notice=_notice(shown, program.kind, now),
        is_test=shown.mode is Mode.TEST,
        is_erased=is_erased,
    )


def _corner(program: Program) -> str:
    """The small words at the top: the logo text, unless it would only repeat the program's name below."""
    if program.logo_text and program.logo_text.casefold() != program.name.casefold():
        return program.logo_text
    return program.kind.words.capitalize()


def _field_lines(shown: Pass, program: Program) -> Iterator[Line]:
    for field in program.fields:
        text = shown.fields.get(field.name, "").strip()
        if text:
            yield Line(field.title, words.day(text) if field.type is FieldType.DATE else text)


def _notice(shown: Pass, kind: Kind, now: datetime) -> str | None:
    """Say in a sentence what the stamp says in a word; None while the pass is good."""
    if shown.deleted_at is not None:
        return f"This {kind.words} was revoked for good and the details of its holder were erased."
    match shown.status(now):
        case Status.REVOKED:
            assert shown.revoked_at is not None
            return f"This {kind.words} was revoked on {words.instant(shown.revoked_at)}. It is not valid."
        case Status.REDEEMED:
            assert shown.redeemed_at is not None
            return f"This {kind.words} was redeemed on {words.instant(shown.redeemed_at)}. It cannot be used again."
        case Status.EXPIRED:
            assert shown.expires_at is not None
            return f"This {kind.words} expired on {words.instant(shown.expires_at)}."
        case Status.ACTIVE:
            return None
