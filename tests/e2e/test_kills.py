"""A server killed at any point of an operation leaves nothing double, nothing lost and nothing half done.

`PASSRAIL_KILLS=50` kills fifty times at each point of each action instead of ten.
"""

from __future__ import annotations

import pytest

from tests.e2e.kills import (
    KILLS,
    LOCAL_POINTS,
    STEPS_POINTS,
    TALLY,
    kill_with_key,
    kill_without_key,
)
from tests.e2e.scenes import ALL, SCENES, Scene
from tests.e2e.stage import Stage

every_action = pytest.mark.parametrize("scene", ALL, ids=lambda scene: scene.action)
every_local_point = pytest.mark.parametrize("point", LOCAL_POINTS)
every_steps_point = pytest.mark.parametrize("point", STEPS_POINTS)


@every_action
@every_local_point
def test_a_killed_action_that_is_repeated_is_done_once(killable: Stage, scene: Scene, point: str) -> None:
    counted = kill_with_key(killable, scene, LOCAL_POINTS[point], KILLS)
    TALLY.put("built-in issuer, SQLite", scene.action, point, counted)
    assert counted.kills == KILLS
    assert counted.is_clean, counted


@every_action
@every_steps_point
def test_a_killed_action_at_an_issuer_elsewhere_is_done_once(killable: Stage, scene: Scene, point: str) -> None:
    """Half as often: `test_passkit_kills.py` does the same at a PassKit over HTTP, in full."""
    kills = max(1, KILLS // 2)
    counted = kill_with_key(killable, scene, STEPS_POINTS[point], kills, remote=True)
    TALLY.put("issuer elsewhere, SQLite", scene.action, point, counted)
    assert counted.kills == kills
    assert counted.is_clean, counted


@every_action
@every_local_point
def test_without_a_key_a_killed_action_is_there_as_a_whole_or_not_at_all(
    killable: Stage, scene: Scene, point: str
) -> None:
    kills = max(1, KILLS // 5)
    counted = kill_without_key(killable, scene, LOCAL_POINTS[point], kills)
    TALLY.put("no key, SQLite", scene.action, point, counted)
    assert counted.is_clean, counted


@pytest.mark.parametrize("action", ["create-pass", "update-points"])
@every_local_point
def test_on_postgresql_a_killed_action_is_done_once(killable_on_postgresql: Stage, action: str, point: str) -> None:
    counted = kill_with_key(killable_on_postgresql, SCENES[action], LOCAL_POINTS[point], KILLS)
    TALLY.put("built-in issuer, PostgreSQL", action, point, counted)
    assert counted.is_clean, counted


@every_steps_point
def test_on_postgresql_a_killed_action_at_an_issuer_elsewhere_is_done_once(
    killable_on_postgresql: Stage, point: str
) -> None:
    scene = SCENES["update-points"]
    counted = kill_with_key(killable_on_postgresql, scene, STEPS_POINTS[point], KILLS, remote=True)
    TALLY.put("issuer elsewhere, PostgreSQL", scene.action, point, counted)
    assert counted.is_clean, counted
