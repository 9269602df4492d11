"""`python -m bench [PART ...]`: measure, and print tables; default: all parts."""

from __future__ import annotations

import click

from bench import actions, beside, hooks, lists, passkit, purge, startup, trip
from bench.databases import KINDS
from bench.figures import BenchFailed

PARTS = ("actions", "lists", "startup", "passkit", "beside", "hooks", "trip", "purge")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--seconds", default=3.0, show_default=True, help="Length of a single run of load.")
@click.option("--rounds", default=9, show_default=True, help="How often bare and subject are compared.")
@click.option(
    "--database", "chosen", type=click.Choice([*KINDS, "both"]), default="both", show_default=True, help="Database."
)
@click.option("--events", default=10_000, show_default=True, help="Events sent to hooks.")
@click.option("--rate", default=40.0, show_default=True, help="Events a second.")
@click.option(
    "--passes",
    "sizes",
    multiple=True,
    type=click.IntRange(min=lists.SIZES[0]),
    default=lists.SIZES,
    show_default=True,
    help="Passes that lists are read among; give it once for each database, the least first.",
)
def main(
    parts: tuple[str, ...],
    seconds: float,
    rounds: int,
    chosen: str,
    events: int,
    rate: float,
    sizes: tuple[int, ...],
) -> None:
    """Measure the service against a bare Flask route, lists at a million passes, the start, hooks, and the purge.

    `trip` counts what one action goes through.

    It takes about twenty minutes. A request that fails makes the whole bench fail.
    """
    kinds = KINDS if chosen == "both" else (chosen,)
    try:
        for part in parts or PARTS:
            if part == "startup":
                startup.run(seconds=seconds)
            elif part == "trip":
                trip.run()
            for kind in kinds:
                if part == "actions":
                    actions.run(kind, seconds=seconds, rounds=rounds)
                elif part == "lists":
                    lists.run(kind, seconds=seconds, sizes=sizes)
                elif part == "passkit":
                    passkit.run(kind, seconds=seconds, rounds=rounds)
                elif part == "beside":
                    beside.run(kind, seconds=seconds, rounds=rounds)
                elif part == "hooks":
                    hooks.run(kind, events=events, rate=rate)
                elif part == "purge":
                    purge.run(kind, seconds=seconds)
    except BenchFailed as failure:
        raise click.ClickException(str(failure)) from failure


if __name__ == "__main__":
    main(prog_name="python -m bench")
