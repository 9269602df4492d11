#!/usr/bin/env python3
"""Make blueprints that name your own copy of the Passrail app, ready to import.

    python3 make-module/blueprints/fill.py passrail-a1b2c3

Make gives every custom app an ID with a random ending; a blueprint must name it. The ID stands in the address of the
app's page in Make. The filled blueprints go to the folder `filled` beside this file. Needs nothing but Python.
"""

import re
import sys
from pathlib import Path

PLACEHOLDER = "APP_ID"
FORM = re.compile(r"[a-z][0-9a-z-]{1,28}[0-9a-z]")


def fill(source: Path, target: Path, app_id: str) -> list[Path]:
    """Write every blueprint of a folder with the app's ID into another folder; return the files."""
    target.mkdir(parents=True, exist_ok=True)
    made = []
    for blueprint in sorted(source.glob("*.blueprint.json")):
        path = target / blueprint.name
        text = blueprint.read_text(encoding="utf-8").replace(f"app#{PLACEHOLDER}:", f"app#{app_id}:")
        path.write_text(text, encoding="utf-8")
        made.append(path)
    return made


def main(arguments: list[str]) -> int:
    """Fill the blueprints, or say how to."""
    if len(arguments) != 1 or not FORM.fullmatch(arguments[0]):
        sys.stderr.write("Say your app's ID: python3 make-module/blueprints/fill.py passrail-a1b2c3\n")
        return 2
    here = Path(__file__).resolve().parent
    for path in fill(here, here / "filled", arguments[0]):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
