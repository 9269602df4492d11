"""A fake PassKit: a real HTTP server that is hard to please in exactly the ways of the live one.

    with FakePassKit(clock, seed.demo).running() as fake:
        fake.fail("delay", "PUT /members/member/points/earn", effect="first", seconds=5)
        ...  # a client talks to fake.url with fake.credentials
        assert fake.effects("PUT /members/member/points/earn", "invoice-17") == 1

How a request goes through it: `http` reads it, `pipeline` finds its route, checks credentials and shape and calls the
handler (`members`, `member_events`, `event_lists`, `coupons`, `tickets`, `ticket_use`, `discovery`, `distribution`,
`sinks`, `bulk`), which works on `state`; `shapes` prints the answer, which `spoiling` may spoil. Everything that can be
set is in `switches`, everything that can go wrong in `faults`, everything that came in `recording`; `control` offers
all of it over HTTP. `seed` makes accounts. For people: `serve`.
"""

from __future__ import annotations

from tests.fakes.passkit.authentication import Credentials
from tests.fakes.passkit.fake import FakePassKit
from tests.fakes.passkit.faults import Fault
from tests.fakes.passkit.serve import serve

__all__ = ["Credentials", "FakePassKit", "Fault", "serve"]
