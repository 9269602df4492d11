"""What the lists are measured on."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import func, select

from app.model import InstallState, Status, system_clock
from app.store.tables import events, passes
from bench import filling, lists
from bench.databases import databases

TOTAL = 1_200


@pytest.mark.parametrize("total", [1_000, 12_345])
def test_the_rare_is_equally_many_in_every_size(total: int) -> None:
    with databases("sqlite") as new_database:
        made = list(filling.all_passes(new_database().account.id, total))
    now = system_clock()
    status = Counter(one.status(now) for one in made)
    assert [status[rare] for rare in (Status.REDEEMED, Status.REVOKED, Status.EXPIRED)] == [filling.RARE] * 3
    assert Counter(one.install_state for one in made)[InstallState.UNINSTALLED] == filling.RARE
    assert Counter(one.program_id for one in made)[filling.SMALL] == filling.RARE
    assert Counter(one.tier_id for one in made)[filling.RARE_TIER] == filling.RARE
    assert Counter(one.email for one in made)[filling.SOMEBODY] == filling.RARE
    assert sum(one.updated_at >= filling.changed_after() for one in made) == filling.RARE
    assert [one.id for one in made] == sorted({one.id for one in made})


def test_filling_stores_all_passes_and_their_events() -> None:
    with databases("sqlite") as new_database:
        database = new_database()
        with database.store() as store, store.read() as connection:
            filling.fill(store, database.account.id, TOTAL)
            assert connection.execute(select(func.count()).select_from(passes)).scalar_one() == TOTAL
            assert connection.execute(select(func.count()).select_from(events)).scalar_one() == 3 * TOTAL


@pytest.mark.only_thorough
def test_lists_run_against_real_servers(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "LEAST_SAMPLES", 1)
    measured = {one.name: one for one in lists.run("sqlite", seconds=0, sizes=(1_000, 2_000))}
    assert measured.keys() == lists.cases(1_000).keys()
    # Whatever is asked for, a full page is found in both, so that they can be compared; or the same few.
    few = {name: one.found for name, one in measured.items() if one.is_flat and one.found[0] < lists.LIMIT}
    assert few.pop("external_id") == [1, 1]
    assert few.pop("history of a pass") == few.pop("events, pass_id") == [3, 3]
    assert {tuple(found) for name, found in few.items() if "nobody" in name or "none" in name} == {(0, 0)}
    assert "| (none) " in capsys.readouterr().out
