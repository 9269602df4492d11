"""Makes happen, at once, what no request of the API makes happen: `python -m tests.zapier.happenings PASS_ID`.

The holder puts the pass into a wallet and takes it out again; and what has expired is told of, which the worker else
does once a minute. The events are written, queued and delivered as all others are.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from app.accounts.accounts import find_account
from app.answer import describe
from app.demo import ACCOUNT
from app.events import outbox
from app.events.types import PASS_INSTALLED, PASS_UNINSTALLED
from app.jobs import post
from app.model import InstallState, Mode
from app.service import Service, make_service
from app.settings import load_settings
from app.store import passes
from app.store.columns import to_json
from app.sync.expiry import tell_expired


def move(service: Service, pass_id: str) -> None:
    """Put a pass of the demo account into a wallet and take it out."""
    now = service.clock()
    with service.store.write() as connection:
        found = passes.get(connection, find_account(connection, ACCOUNT).id, Mode.TEST, pass_id)
        assert found is not None
        subject, program = found
        for event, state in ((PASS_INSTALLED, InstallState.INSTALLED), (PASS_UNINSTALLED, InstallState.UNINSTALLED)):
            moved = replace(subject, install_state=state)
            data = describe(moved, program, now=now, public_url=service.settings.public_url)
            outbox.record(connection, event, moved, None, to_json(data), now, now)


if __name__ == "__main__":
    running = make_service(load_settings(), post=post)
    move(running, sys.argv[1])
    tell_expired(running)
