"""The tests of this folder can fail: with a fault built in on purpose, kills and races count what it breaks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.kills import LOCAL_POINTS, STEPS_POINTS, kill_with_key, kill_without_key, new_names
from tests.e2e.races import CROWD, race
from tests.e2e.scenes import SCENES, Scene
from tests.e2e.stage import Call, Stage, killable_server

pytestmark = [pytest.mark.slow, pytest.mark.only_thorough]

KILLS = 3
POINTS = SCENES["update-points"]
CREATE = SCENES["create-pass"]


@pytest.fixture
def planted(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A server with the fault that the test names."""
    with killable_server(tmp_path_factory.mktemp("planted"), plant=request.param) as stage:
        yield stage


@pytest.mark.parametrize("planted", ["forget-keys"], indirect=True)
def test_a_race_notices_forgotten_keys(planted: Stage) -> None:
    [name] = new_names(CREATE, 1)
    outcome = race(planted, CREATE, name, Call(CREATE.action, CREATE.body(name), idempotency_key="same"))
    assert outcome.effects == len(outcome.firsts) == CROWD
    assert not outcome.is_exactly_once


@pytest.mark.parametrize("planted", ["forget-keys"], indirect=True)
@pytest.mark.parametrize("scene", [CREATE, POINTS], ids=lambda scene: scene.action)
def test_kills_notice_forgotten_keys(planted: Stage, scene: Scene) -> None:
    counted = kill_with_key(planted, scene, LOCAL_POINTS["after the commit"], KILLS)
    assert counted.doubles == KILLS


@pytest.mark.parametrize("planted", ["effect-before-record"], indirect=True)
def test_kills_notice_an_effect_whose_record_is_not_in_its_transaction(planted: Stage) -> None:
    counted = kill_with_key(planted, POINTS, LOCAL_POINTS["before the commit"], KILLS)
    assert (counted.doubles, counted.misplaced) == (KILLS, KILLS)
    without_key = kill_without_key(planted, POINTS, LOCAL_POINTS["before the commit"], KILLS)
    assert without_key.torn == KILLS


@pytest.mark.parametrize("planted", ["blind-retry"], indirect=True)
def test_kills_notice_an_issuer_that_is_tried_again_without_being_asked(planted: Stage) -> None:
    for point in ("after the effect", "before the commit"):
        counted = kill_with_key(planted, POINTS, STEPS_POINTS[point], KILLS, remote=True)
        assert counted.doubles == KILLS, point
    counted = kill_with_key(planted, POINTS, STEPS_POINTS["before the effect"], KILLS, remote=True)
    assert counted.is_clean


@pytest.mark.parametrize("planted", ["answer-before-commit"], indirect=True)
def test_kills_notice_what_was_acknowledged_and_is_not_kept(planted: Stage) -> None:
    counted = kill_with_key(planted, CREATE, LOCAL_POINTS["before the row"], KILLS)
    assert counted.lost >= KILLS
