"""The fake for people: a PassKit account to try Passrail's PassKit path with, and nothing is real."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from tests.fakes.passkit import seed
from tests.fakes.passkit.authentication import Credentials
from tests.fakes.passkit.fake import FakePassKit


def serve(
    port: int = 8090,
    *,
    host: str = "127.0.0.1",
    credentials: Credentials | None = None,
    delay_seconds: float = 0.0,
    echo: Callable[[str], None] | None = None,
) -> None:
    """Run the fake with demo objects until it is interrupted.

    Args:
        port: where to listen; 0 takes any free port.
        host: the address to listen on. The remote control asks for no credentials: keep it to this machine.
        credentials: what opens the account; by default well-known demo credentials.
        delay_seconds: how long every answer takes.
        echo: prints a line about where it is and how to use it.

    Raises:
        OSError: the port is taken.
    """
    fake = FakePassKit(lambda: datetime.now(UTC), seed.demo, port=port, host=host, credentials=credentials)
    fake.switches.delay_seconds = delay_seconds
    fake.start()
    if echo is not None:
        for line in introduction(fake):
            echo(line)
    try:
        fake.wait()
    except KeyboardInterrupt:
        fake.stop()


def introduction(fake: FakePassKit) -> list[str]:
    """Say what a person needs to use it."""
    return [
        f"A fake PassKit answers at {fake.url}. Nothing in it is real, and it forgets everything when it stops.",
        f"  API key     {fake.credentials.key}",
        f"  API secret  {fake.credentials.secret}",
        f"  program     {seed.PROGRAM}, tiers {seed.BRONZE}, {seed.SILVER}, {seed.GOLD}, {seed.FOREVER}",
        f"  campaign    {seed.CAMPAIGN}, offers {seed.OFFER_FIXED}, {seed.OFFER_VARIABLE}",
        f"  production  {seed.PRODUCTION}, event {seed.EVENT}, ticket types {seed.ADULT}, {seed.CHILD}",
        f"  remote control (faults, clock, what came): {fake.url}/_fake",
    ]
