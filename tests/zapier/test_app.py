"""The Zapier integration by itself, and every step of it against the running service."""

from __future__ import annotations

import json
import sys

import pytest

from tests.zapier.conftest import RunningService
from tests.zapier.workshop import Workshop

pytestmark = pytest.mark.slow


def test_the_apps_own_tests_pass(workshop: Workshop) -> None:
    done = workshop.npm("test")
    assert done.status == 0, done.everything


def test_zapiers_own_client_finds_the_app_valid(workshop: Workshop) -> None:
    done = workshop.zapier("validate", "--without-style")
    assert done.status == 0, done.everything


def test_every_step_keeps_its_promises_and_hooks_go_all_the_way(
    workshop: Workshop, service: RunningService, python_environment: dict[str, str]
) -> None:
    happenings = json.dumps([sys.executable, "-m", "tests.zapier.happenings"])
    done = workshop.npm(
        "run",
        "test:live",
        **python_environment,
        PASSRAIL_URL=service.url,
        PASSRAIL_KEY=service.world.key,
        RECEIVER_PORT=str(service.receiver_port),
        HAPPENINGS=happenings,
    )
    assert done.status == 0, done.everything
