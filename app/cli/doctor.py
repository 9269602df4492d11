"""`passrail doctor`."""

from __future__ import annotations

import click

from app import doctor as examination
from app.doctor import Level
from app.service import make_service
from app.settings import load_settings


@click.command()
def doctor() -> None:
    """Look at settings, database, queue, worker, clock, keys, connections, parked work and hooks.

    Prints a line for each, with the cure where something is wrong. Ends with 1 if anything is.
    """
    levels = []
    for name, finding in examination.examine(make_service(load_settings())):
        click.echo(f"{finding.level.value:<8} {name:<12} {finding.says}")
        if finding.cure:
            click.echo(f"{'':<21} {finding.cure}")
        levels.append(finding.level)
    raise SystemExit(1 if Level.WRONG in levels else 0)
