"""A delivery worker for tests: the real one on a world's database and clock; its sender is real or says what came."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.events.delivering import DeliveryWorker
from app.events.schedule import Outcome
from app.events.sending import Sender
from tests.world import World


@dataclass(frozen=True)
class Sent:
    """One request that would have been sent."""

    url: str
    event_id: str
    body: str
    secrets: tuple[str, ...]


@dataclass
class Told:
    """Stands in for the sender: gives the outcomes it was told, the last one for ever."""

    outcomes: deque[Outcome] = field(default_factory=lambda: deque([Outcome(200)]))
    sent: list[Sent] = field(default_factory=list)
    meanwhile: Callable[[], None] | None = None

    def send(self, url: str, event_id: str, body: str, secrets: Sequence[str], now: datetime) -> Outcome:
        """Take a request."""
        self.sent.append(Sent(url, event_id, body, tuple(secrets)))
        if self.meanwhile is not None:
            self.meanwhile()
        return self.outcomes.popleft() if len(self.outcomes) > 1 else self.outcomes[0]


def told(*outcomes: Outcome) -> Told:
    """Make a sender that has these outcomes."""
    return Told(deque(outcomes or [Outcome(200)]))


def delivery_worker(world: World, sender: Told | Sender, jitter: float = 0.5) -> DeliveryWorker:
    """Make a delivery worker on the world. A jitter of 0.5 spreads nothing."""
    service = world.service
    return DeliveryWorker(service.store, world.clock, sender, service.vault, lambda: jitter)  # type: ignore[arg-type]
