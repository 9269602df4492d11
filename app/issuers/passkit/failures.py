"""Every way a request to PassKit can fail.

    PassKitFailure
      InvalidRequest        refused here: PassKit would lose or change the value silently, or not take it
      NotSent               no byte of the request left: refused connection, DNS, TLS, no free slot, no time left
      Answered              an error answer
        NotFound            404 in PassKit's own form
        Conflict            409: an external ID or ticket number that is taken
        NotEnoughPoints     400, 500 that say so
        CredentialsRefused  401
        RateLimited         429; `retry_after`
        Unavailable         503
      Garbled               an answer that came whole and cannot be believed: HTML, another record, a missing value
      Lost                  sent, and no whole answer: timeout, reset, cut answer; or a gateway's 502, 504

What an error answer says is not what happened: after a crash halfway PassKit answers 500 or 503, too. So whether a
write certainly had no effect (`is_certain`) is only said of what was not sent, and of the answers in the table of
`refusals.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from app.issuers.passkit.retry import Outcome
from app.scrub import scrub_text

TEXT_LENGTH = 300


class PassKitFailure(Exception):
    """A request to PassKit that failed. Nothing in it is secret or of a holder; it can be logged and shown.

    `is_answered`: PassKit has answered, so that it is not at work on the request any more.

    Attributes:
        text: what PassKit said, cut to 300 characters, without secrets and e-mail addresses; or our own words.
        status: HTTP status, None when there was no answer.
        is_known: the answer is one of the refusals that are known to have no effect (`refusals.py`).
        retry_after: seconds PassKit asked to wait.
        upstream_request_id: PassKit's own name for the request, for its support.
        request: method and route, without the values in the path.
        is_read: the request only reads.
        tries: how often it was sent or tried to be.
    """

    outcome: ClassVar[Outcome] = Outcome.FINAL
    words: ClassVar[str] = "failed"
    is_answered: ClassVar[bool] = True
    was_not_sent: ClassVar[bool] = False

    def __init__(
        self,
        text: str,
        *,
        status: int | None = None,
        is_known: bool = False,
        retry_after: float | None = None,
        upstream_request_id: str | None = None,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.is_known = is_known
        self.retry_after = retry_after
        self.upstream_request_id = upstream_request_id
        self.request: str | None = None
        self.is_read = False
        self.tries = 1

    @property
    def is_certain(self) -> bool:
        """Tell whether the request certainly has no effect."""
        return self.is_read or self.was_not_sent or self.is_known

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


class InvalidRequest(PassKitFailure, ValueError):
    """Refused before anything was sent.

    Attributes:
        field: which of the caller's fields it is about, "" where it is none of them.
    """

    words = "was not sent"
    was_not_sent = True

    def __init__(self, text: str, field: str = "") -> None:
        super().__init__(text)
        self.field = field


class NotSent(PassKitFailure):
    """No byte of the request left this machine."""

    outcome = Outcome.NOT_SENT
    words = "could not be sent"
    was_not_sent = True


class Answered(PassKitFailure):
    """An error answer."""

    words = "was answered with an error"


class NotFound(Answered):
    """404 in PassKit's own form. A 404 in another form comes from something else on the way."""

    words = "found nothing"


class Conflict(Answered):
    """409."""


class NotEnoughPoints(Answered):
    """The balance would go below zero, and the tier forbids that."""


class CredentialsRefused(Answered):
    """401. No repeat helps; somebody must look at the connection.

    Attributes:
        is_about_time: the token's times are at fault, so that PassKit's clock and a second try may help.
        is_long_lived: the connection has a long-lived token instead of key and secret.
    """

    words = "was refused for its credentials"
    is_about_time = False
    is_long_lived = False


class RateLimited(Answered):
    """429."""

    outcome = Outcome.BUSY
    words = "was told to slow down"


class Unavailable(Answered):
    """503, which is documented as "back off and repeat"."""

    outcome = Outcome.BUSY
    words = "could not be served"


class Garbled(PassKitFailure):
    """A whole answer that cannot be believed; asking again would bring the same."""

    words = "has an answer that cannot be believed"


class Lost(PassKitFailure):
    """Sent, and it is not known what became of it."""

    outcome = Outcome.LOST
    words = "has an unclear outcome"
    is_answered = False


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
