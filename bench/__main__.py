"""`python -m bench [actions] [lists] [startup] [passkit]`: measure, and print tables for each part; default: all."""

from __future__ import annotations

import click

from bench import actions, lists, passkit, startup
from bench.databases import KINDS
from bench.figures import BenchFailed

PARTS = ("actions", "lists", "startup", "passkit")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--seconds", default=3.0, show_default=True, help="Length of a single run of load.")
@click.option("--rounds", default=7, show_default=True, help="How often bare and subject are compared.")
@click.option(
    "--database", "chosen", type=click.Choice([*KINDS, "both"]), default="both", show_default=True, help="Database."
)
def main(parts: tuple[str, ...], seconds: float, rounds: int, chosen: str) -> None:
    """Measure the service against a bare Flask route, lists at a million passes, and the start.

    It takes about twelve minutes. A request that fails makes the whole bench fail.
    """
    kinds = KINDS if chosen == "both" else (chosen,)
    try:
        for part in parts or PARTS:
            if part == "startup":
                startup.run(seconds=seconds)
            for kind in kinds:
                if part == "actions":
                    actions.run(kind, seconds=seconds, rounds=rounds)
                elif part == "lists":
                    lists.run(kind, seconds=seconds)
                elif part == "passkit":
                    passkit.run(kind, seconds=seconds, rounds=rounds)
    except BenchFailed as failure:
        raise click.ClickException(str(failure)) from failure


if __name__ == "__main__":
    main(prog_name="python -m bench")
