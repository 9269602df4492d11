"""The guide to the Zapier app: what it tells people to type is there, and works as it is written."""

from __future__ import annotations

import json
import re

import pytest

from tests.processes import ROOT
from tests.zapier.conftest import RunningService
from tests.zapier.workshop import Workshop

pytestmark = pytest.mark.slow

GUIDE = (ROOT / "docs" / "zapier.md").read_text(encoding="utf-8")
INVOKED = re.compile(r"^zapier-platform invoke (?:.*\\\n)*.*$", re.MULTILINE)


def test_the_commands_to_try_steps_with_work_as_they_are_written(workshop: Workshop, service: RunningService) -> None:
    connection = {"authData_base_url": service.url, "authData_api_key": service.world.key}
    commands = INVOKED.findall(GUIDE)
    assert len(commands) == 4
    results = [workshop.shell(command, **connection) for command in [*commands, commands[-1]]]
    assert [result.everything for result in results if result.status != 0] == []
    once, twice = json.loads(results[-2].output), json.loads(results[-1].output)
    assert (once["points"], twice) == (25, once)


def test_every_command_of_the_guide_is_one_of_zapiers_client(workshop: Workshop) -> None:
    named = set(re.findall(r"^\s*zapier-platform ([a-z:]+)", GUIDE, re.MULTILINE))
    commands = workshop.client.resolve().parents[1] / "oclif" / "commands"
    known = {
        str(path.relative_to(commands).with_suffix("")).replace("/", ":").removesuffix(":index")
        for path in commands.rglob("*.js")
    }
    assert {"login", "register", "push", "users:add", "migrate"} <= named
    assert named - known == set()
