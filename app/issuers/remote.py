"""What a remote issuer must be able to do beside making effects true: reads, lists, programs, webhooks.

RemoteIssuer    a remote issuer as one account sees it, for the time of one action
RemoteKind      a kind of remote issuer, one for the process: what is registered in `issuers/__init__.py`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from app.issuers.protocol import Issuer
from app.model import Clock, CustomField, EndsCardsBy, Kind, Pass, Program, Tier
from app.schema import Base
from app.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundProgram:
    """A program as a remote issuer has it. `upstream` is what only that issuer's code understands, and the keys that
    everybody knows: `pass_url` (host of the pass pages), `is_draft`, `notes` (sentences).

    `has_all_fields`: False where some custom fields could not be read; those that are on record then stay.
    """

    kind: Kind
    upstream_id: str
    name: str
    tiers: tuple[Tier, ...]
    fields: tuple[CustomField, ...] = ()
    has_all_fields: bool = True
    upstream: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a remote issuer can issue from.

    Attributes:
        programs: that could be read.
        notes: sentences on what could not be, and why.
        unread: kinds of which a program may be missing: that it is not among `programs` does not say that it is gone.
    """

    programs: Sequence[FoundProgram]
    notes: tuple[str, ...] = ()
    unread: frozenset[Kind] = frozenset()


@dataclass(frozen=True, slots=True)
class Profile:
    """Whose credentials these are."""

    company: str
    username: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to connect to, and with what. Empty texts: the kind's own default."""

    region: str
    secrets: Mapping[str, str] = field(repr=False)
    base_url: str = ""
    pass_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An account's way to a remote issuer, with its credentials opened.

    Attributes:
        name: of the connection; requests of one name and target share what is learned and limited for them.
        target: where, and with what.
        ends_cards_by: how a revoke that can be undone ends a card.
    """

    name: str
    target: Target
    ends_cards_by: EndsCardsBy = EndsCardsBy.EXPIRY


@dataclass(frozen=True, slots=True)
class Notification:
    """What a webhook tells: which record something happened to, and whether it was deleted. Never believed as it is."""

    upstream_id: str
    is_deleted: bool


class RemoteIssuer(Issuer, Protocol):
    """A remote issuer as one account sees it, for the time of one action.

    The methods below raise a PassrailError where the issuer cannot be asked or refuses: UpstreamUnavailable,
    RateLimited, UpstreamCredentialsRefused, UpstreamRejected.
    """

    def profile(self) -> Profile:
        """Prove the credentials: whose are they, and is it the right region?"""
        ...

    def catalogue(self) -> Catalogue:
        """Read the programs. What cannot be read is left out and named; where nothing can be read, that is raised."""
        ...

    def find(self, program: Program, external_id: str) -> Pass | None:
        """Return the program's pass of this external ID as a new pass of ours; None: there is none."""
        ...

    def read(self, program: Program, known: Pass) -> Pass | None:
        """Return a pass as the issuer has it now; None: its record is gone.

        `known` itself is returned where nothing differs, and where a revoke has deleted the record (no `upstream_id`).
        """
        ...

    def read_new(self, program: Program, upstream_id: str) -> Pass | None:
        """Return a pass that is not on record here, by the issuer's own ID; None: the program has none."""
        ...

    def passes(self, program: Program, offset: int, limit: int, known: Callable[[str], Pass | None]) -> Sequence[Pass]:
        """Return a page of the program's passes, those made first first.

        Args:
            program: whose passes.
            offset: how many to leave out.
            limit: how many to return at most.
            known: gives our record of a pass by the issuer's ID. Such a pass is returned as `read` would; all others as
                new passes of ours.
        """
        ...

    def subscribe(self, program: Program, url: str) -> str:
        """Have webhooks of the program sent to the address; return the issuer's ID of the subscription."""
        ...

    def find_subscription(self, program: Program, url: str) -> str | None:
        """Return the ID of the subscription that sends to the address; None: there is none."""
        ...

    def unsubscribe(self, program: Program, subscription_id: str) -> None:
        """End a subscription. One that is not there any more is as good."""
        ...


class RemoteKind(Protocol):
    """A kind of remote issuer, one for the process."""

    name: str  # in the database, in addresses and answers, in lower case
    title: str  # as people write it
    form: Base  # what PUT /v1/issuer takes for it; its field `issuer` takes the name only

    def __init__(self, settings: Settings, clock: Clock) -> None: ...

    def target(self, form: Mapping[str, Any]) -> Target:
        """Make a target of a form that was filled in."""
        ...

    def complete(self, target: Target) -> Target:
        """Fill in the addresses that the target leaves to us.

        Raises:
            app.errors.ValidationFailed: something is missing or cannot be used.
        """
        ...

    def open(self, access: Access, now: datetime, seconds: float) -> RemoteIssuer:
        """Return the issuer as this account sees it.

        Args:
            access: whose, with what.
            now: the time.
            seconds: everything that is asked through it together ends about then.
        """
        ...

    def notification(self, body: str) -> Notification | None:
        """Read a webhook; None: it is not understood."""
        ...

    def can_reach(self, public_url: str, base_url: str) -> bool:
        """Tell whether the issuer's webhooks can reach this service."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...
