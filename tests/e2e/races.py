"""Many requests at the same moment, and what may come of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.e2e.scenes import Scene
from tests.e2e.stage import Answer, Call, Stage
from tests.thorough import amount

CROWD = amount(16, thorough=100)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a race between identical requests came to."""

    firsts: list[Answer]
    replays: list[Answer]
    in_progress: int
    others: list[Answer]
    effects: int
    is_whole: bool

    @property
    def is_exactly_once(self) -> bool:
        """Tell whether one request did it, all others were told so or told to wait, and it is done once."""
        alike = {answer.body for answer in (*self.firsts, *self.replays)}
        return (len(self.firsts), len(alike), self.effects, self.others, self.is_whole) == (1, 1, 1, [], True)

    def __str__(self) -> str:
        others = sorted({f"{answer.status} {answer.code}" for answer in self.others})
        return (
            f"{len(self.firsts)} firsts, {len(self.replays)} replays, {self.in_progress} in progress, "
            f"{len(self.others)} others {others}, {self.effects} effects, whole: {self.is_whole}"
        )


def race(stage: Stage, scene: Scene, name: str, call: Call) -> Outcome:
    """Send the same request many times at once."""
    return sort_out(stage, scene, name, stage.send_at_once([call] * CROWD))


def sort_out(stage: Stage, scene: Scene, name: str, answers: Sequence[Answer]) -> Outcome:
    """Sort the answers of a race and count its effect. Who is not let in is told to wait, as the second ones are."""
    done = [answer for answer in answers if answer.status == 200]
    waits = [answer for answer in answers if answer.is_in_progress or answer.code == "too-busy"]
    in_progress = [answer for answer in waits if int(answer.headers["retry-after"]) >= 1]
    seen = stage.look(scene, name)
    return Outcome(
        firsts=[answer for answer in done if not answer.is_replay],
        replays=[answer for answer in done if answer.is_replay],
        in_progress=len(in_progress),
        others=[answer for answer in answers if answer.status != 200 and answer not in in_progress],
        effects=seen.effects,
        is_whole=seen.is_whole,
    )
