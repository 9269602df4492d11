"""Killing a server many times at one point, and counting what that did."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

from tests.e2e.killable import AT_SOME_MOMENT
from tests.e2e.scenes import Scene
from tests.e2e.stage import Answer, Call, Cut, Seen, Stage
from tests.processes import wait_until
from tests.tables import Tally
from tests.thorough import amount

KILLS = amount(2, thorough=10)
LONGEST_MOMENT_SECONDS = 0.012
SOME_MOMENT = "some moment"

# Point -> the seam where it lies, and whether the effect is in our database after a crash there. With the built-in
# issuer everything is one transaction, so the row is there from "after the row" on, but not for anybody else.
LOCAL_POINTS: Mapping[str, tuple[str, bool | None]] = {
    "before the row": ("write-1:before", False),
    "after the row": ("operation:after", False),
    "before the effect": ("pass:before", False),
    "before the commit": ("write-1:before-commit", False),
    "after the commit": ("write-1:after-commit", True),
    "before the answer": ("answer:before", True),
    SOME_MOMENT: (AT_SOME_MOMENT, None),
}
# Any other issuer is called between two transactions: the row is committed first, the effect comes last.
STEPS_POINTS: Mapping[str, tuple[str, bool | None]] = {
    "before the row": ("write-1:before", False),
    "after the row": ("write-1:after-commit", False),
    "before the effect": ("effect:before", False),
    "after the effect": ("effect:after", False),
    "before the commit": ("write-2:before-commit", False),
    "after the commit": ("write-2:after-commit", True),
    "before the answer": ("answer:before", True),
    SOME_MOMENT: (AT_SOME_MOMENT, None),
}


@dataclass
class Count:
    """What came of the kills at one point of one action."""

    kills: int = 0
    doubles: int = 0
    lost: int = 0
    torn: int = 0
    misplaced: int = 0

    @property
    def is_clean(self) -> bool:
        """Tell whether nothing went wrong."""
        return not (self.doubles or self.lost or self.torn or self.misplaced)


def show(tally: Tally, suite: str, action: str, point: str, counted: Count) -> None:
    """Show a count in the table at the end of the run."""
    tally(
        f"kills, {suite}",
        action,
        point,
        kills=counted.kills,
        **{"double effects": counted.doubles, "lost": counted.lost, "torn": counted.torn},
    )


_numbers = count(1)


def new_names(scene: Scene, number: int) -> list[str]:
    """Return names of holders nobody has used yet."""
    return [f"{scene.action}-{next(_numbers)}" for _ in range(number)]


def kill_with_key(
    stage: Stage, scene: Scene, point: tuple[str, bool | None], kills: int, *, remote: bool = False
) -> Count:
    """Kill at a point, repeat the same request until it succeeds, look what is there; for each of `kills` holders.

    Lost is what was acknowledged and is not true at the end. Torn is a state of which only a part is there.
    """
    counted, acknowledged = Count(), []
    names = new_names(scene, kills)
    stage.prepare(scene, names, remote)
    for name in names:
        call = Call(scene.action, scene.body(name, remote), idempotency_key=f"key-{name}")
        early = _kill(stage, call, point[0], counted)
        after_crash = stage.look(scene, name)
        counted.torn += not after_crash.is_whole
        counted.misplaced += point[1] is not None and bool(after_crash.effects) != point[1]
        answer = stage.until_done(call)
        again = stage.until_done(call)
        same = all(one.body == answer.body for one in (again, early) if one is not None)
        counted.lost += not (same and again.is_replay)
        seen = stage.look(scene, name)
        counted.doubles += _is_double(stage, scene, name, seen, remote)
        counted.torn += not seen.is_whole
        acknowledged.append(answer)
    counted.lost += sum(not stage.is_kept(answer) for answer in acknowledged)
    return counted


def kill_without_key(stage: Stage, scene: Scene, point: tuple[str, bool | None], kills: int) -> Count:
    """Kill at a point a request that nobody can repeat: afterwards all of it is there, or nothing."""
    counted = Count()
    names = new_names(scene, kills)
    stage.prepare(scene, names)
    for name in names:
        _kill(stage, Call(scene.action, scene.body(name)), point[0], counted)
        seen = stage.look(scene, name)
        counted.torn += not seen.is_whole
        counted.doubles += seen.effects > 1
        counted.misplaced += point[1] is not None and bool(seen.effects) != point[1]
    return counted


def _kill(stage: Stage, call: Call, seam: str, counted: Count) -> Answer | None:
    """Send the request that kills; return its answer where the kill came too late for it."""
    if seam == AT_SOME_MOMENT:
        seam = f"{seam}{random.uniform(0, LONGEST_MOMENT_SECONDS):.6f}"
    before = len(stage.kills())
    try:
        answer = stage.send(Call(call.action, call.body, call.idempotency_key, kill_at=seam))
    except Cut:
        answer = None
    wait_until(lambda: len(stage.kills()) > before, f"the kill at {seam}")
    assert stage.kills()[before:] == [seam]
    assert answer is None or (seam.startswith(AT_SOME_MOMENT) and answer.status == 200), answer
    counted.kills += 1
    return answer


def _is_double(stage: Stage, scene: Scene, name: str, seen: Seen, remote: bool) -> bool:
    """Tell whether the effect is there more than once; in our tables, or in the place outside of them."""
    return seen.effects > 1 or (remote and stage.remote_effects(scene, name) > 1)
