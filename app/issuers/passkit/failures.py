"""Every way a request to PassKit can fail. What matters most is told apart by class: did it certainly not happen?

    PassKitFailure
      NotDone                 it certainly had no effect
        InvalidRequest        refused here, nothing was sent: PassKit would lose or change the value silently
        Refused               PassKit said no, and would again
          NotFound            404: no such object (also the answer of the wrong region for everything)
          Conflict            409: the external ID or ticket number is taken
          CredentialsRefused  401, 403
        RateLimited           429; `retry_after`
        Unavailable           cannot be had now: 503; or a read that failed in any unclear way
          NotSent             no byte of the request left: refused connection, DNS, TLS, no free slot, no time left
      Unclear                 it may or may not have happened
        Garbled               an answer came whole and makes no sense: HTML, empty, wrong types, too large

A read has no effect, so it never fails as `Unclear`. Of a write that was tried several times, an earlier try may have
taken effect: then only `NotFound` and `Conflict` keep their class, with `after_unclear` set, because they tell about
the object; everything else becomes `Unclear`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from app.issuers.passkit.retry import Outcome
from app.scrub import scrub_text

TEXT_LENGTH = 300


class PassKitFailure(Exception):
    """A request to PassKit that failed. Nothing in it is secret or of a holder; it can be logged and shown.

    Attributes:
        text: what PassKit said, cut to 300 characters, without secrets and e-mail addresses; or our own words.
        status: HTTP status, None when there was no answer.
        retry_after: seconds PassKit asked to wait.
        upstream_request_id: PassKit's own name for the request, for its support.
        request: method and route, without the values in the path.
        tries: how often it was sent or tried to be.
        after_unclear: an earlier try of the same call may have taken effect.
    """

    outcome: ClassVar[Outcome] = Outcome.FINAL
    words: ClassVar[str] = "failed"

    def __init__(
        self,
        text: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        upstream_request_id: str | None = None,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.retry_after = retry_after
        self.upstream_request_id = upstream_request_id
        self.request: str | None = None
        self.tries = 1
        self.after_unclear = False

    def __str__(self) -> str:
        facts = [
            f"status {self.status}" if self.status else "",
            f"{self.tries} tries" if self.tries > 1 else "",
            f"request ID {self.upstream_request_id}" if self.upstream_request_id else "",
        ]
        told = ", ".join(fact for fact in facts if fact)
        return f"{self.request or 'The request'} {self.words}: {self.text}" + (f" ({told})" if told else "")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class NotDone(PassKitFailure):
    """It certainly had no effect."""


class InvalidRequest(NotDone, ValueError):
    """Refused before anything was sent."""

    words = "was not sent"


class Refused(NotDone):
    """PassKit answered, and the answer is no: any 4xx, a redirect, 501, and a 500 whose body is PassKit's own error.

    PassKit reports broken business rules as 500 with `{"error": "..."}` (field report), for instance
    `pass template id cannot be empty`. Its gateway makes that of an error returned by the method that was called, so
    such a 500 is a decision, not a crash on the way; it is repeated by nobody. A 500 without that body, or whose text
    speaks of time or connections inside PassKit, is `Unclear`.
    """

    words = "was refused"


class NotFound(Refused):
    """404 with PassKit's error body. A 404 without one comes from something else on the way, and is only `Refused`."""

    words = "found nothing"


class Conflict(Refused):
    """409."""


class CredentialsRefused(Refused):
    """401, 403. No repeat helps; somebody must look at the connection.

    Attributes:
        date: PassKit's clock, from the `Date` header.
        is_about_time: the text blames the token's times, so that PassKit's clock and a second try may help.
    """

    words = "was refused for its credentials"
    date: datetime | None = None
    is_about_time = False


class RateLimited(NotDone):
    """429."""

    outcome = Outcome.BUSY
    words = "was told to slow down"


class Unavailable(NotDone):
    """503 with PassKit's error body, which is documented as "back off and repeat"; or a read that failed unclearly."""

    outcome = Outcome.BUSY
    words = "could not be served"


class NotSent(Unavailable):
    """No byte of the request left this machine."""

    outcome = Outcome.NOT_SENT
    words = "could not be sent"


class Unclear(PassKitFailure):
    """Sent, and it is not known what became of it: timeout, reset, cut answer, 502, 504, and the like."""

    outcome = Outcome.LOST
    words = "has an unclear outcome"


class Garbled(Unclear):
    """A whole answer that cannot be understood, or a 500 without PassKit's error; asking again would bring the same."""

    outcome = Outcome.FINAL


def clean_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Return somebody else's text in a form that may be shown and logged: scrubbed first, then cut.

    Args:
        text: what came.
        secrets: values that must not be repeated, whatever they look like.
    """
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    line = " ".join(scrub_text(text).split())
    return line if len(line) <= TEXT_LENGTH else f"{line[: TEXT_LENGTH - 3]}..."
