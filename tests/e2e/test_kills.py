"""A server killed at any point of an operation leaves nothing double, nothing lost and nothing half done."""

from __future__ import annotations

import random

import pytest

from tests.e2e.kills import (
    KILLS,
    LOCAL_POINTS,
    STEPS_POINTS,
    kill_with_key,
    kill_without_key,
    show,
)
from tests.e2e.scenes import ALL, SCENES, Scene
from tests.e2e.stage import Stage
from tests.tables import Tally

pytestmark = pytest.mark.slow

# Kills differ by the point of the runner, not by the action: two actions are killed at every point, one that makes a
# pass and one that changes it. The others are killed once more each, at a point that chance chooses.
EVERYWHERE = ("create-pass", "update-points")
OTHERS = [scene for scene in ALL if scene.action not in EVERYWHERE]

two_actions = pytest.mark.parametrize("action", EVERYWHERE)
other_actions = pytest.mark.parametrize("scene", OTHERS, ids=lambda scene: scene.action)
every_local_point = pytest.mark.parametrize("point", LOCAL_POINTS)
every_steps_point = pytest.mark.parametrize("point", STEPS_POINTS)


def kill(tally: Tally, stage: Stage, suite: str, scene: Scene, point: str, kills: int, *, remote: bool = False) -> None:
    """Kill at a point, and see that nothing is double, lost or torn."""
    points = STEPS_POINTS if remote else LOCAL_POINTS
    counted = kill_with_key(stage, scene, points[point], kills, remote=remote)
    show(tally, suite, scene.action, point, counted)
    assert counted.kills == kills
    assert counted.is_clean, counted


@pytest.mark.matrix
@two_actions
@every_local_point
def test_a_killed_action_that_is_repeated_is_done_once(tally: Tally, killable: Stage, action: str, point: str) -> None:
    kill(tally, killable, "built-in issuer, SQLite", SCENES[action], point, KILLS)


@other_actions
def test_every_other_action_too_at_one_point(tally: Tally, killable: Stage, scene: Scene) -> None:
    kill(tally, killable, "built-in issuer, SQLite", scene, random.choice(list(LOCAL_POINTS)), KILLS)


@pytest.mark.matrix
@two_actions
@every_steps_point
def test_a_killed_action_at_a_remote_issuer_is_done_once(
    tally: Tally, killable: Stage, action: str, point: str
) -> None:
    """Half as often: `test_passkit_kills.py` does the same at a PassKit over HTTP."""
    kill(tally, killable, "remote issuer, SQLite", SCENES[action], point, max(1, KILLS // 2), remote=True)


@other_actions
def test_every_other_action_at_a_remote_issuer_too_at_one_point(tally: Tally, killable: Stage, scene: Scene) -> None:
    point = random.choice(list(STEPS_POINTS))
    kill(tally, killable, "remote issuer, SQLite", scene, point, max(1, KILLS // 2), remote=True)


@pytest.mark.matrix
@two_actions
@every_local_point
def test_without_a_key_a_killed_action_is_there_as_a_whole_or_not_at_all(
    tally: Tally, killable: Stage, action: str, point: str
) -> None:
    counted = kill_without_key(killable, SCENES[action], LOCAL_POINTS[point], max(1, KILLS // 5))
    show(tally, "no key, SQLite", action, point, counted)
    assert counted.is_clean, counted


@every_local_point
def test_on_postgresql_a_killed_action_is_done_once(tally: Tally, killable_on_postgresql: Stage, point: str) -> None:
    kill(
        tally, killable_on_postgresql, "built-in issuer, PostgreSQL", SCENES["update-points"], point, max(1, KILLS // 2)
    )


@every_steps_point
def test_on_postgresql_a_killed_action_at_a_remote_issuer_is_done_once(
    tally: Tally, killable_on_postgresql: Stage, point: str
) -> None:
    scene, kills = SCENES["update-points"], max(1, KILLS // 2)
    kill(tally, killable_on_postgresql, "remote issuer, PostgreSQL", scene, point, kills, remote=True)
