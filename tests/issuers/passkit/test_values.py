from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from app.issuers.passkit import reading, values
from app.issuers.passkit.answers import MalformedAnswer
from app.issuers.passkit.failures import InvalidRequest
from app.issuers.passkit.filters import Filters, pages


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("0", 0),
        ("0.00", 0),
        ("1", 1),
        ("0.1", 0.1),
        ("12.34", 12.34),
        ("12345.67", 12345.67),
        ("131071.99", 131071.99),
        ("4194303.5", 4194303.5),
        ("16777215", 16777215),
        ("16777216", 16777216),
    ],
)
def test_points_that_float32_keeps_are_sent(value: str, sent: float) -> None:
    written = values.points(Decimal(value))
    assert written == sent
    assert isinstance(written, int) or written != int(written)


@pytest.mark.parametrize(
    "value",
    [
        "-1",
        "-0.01",
        "16777217",
        "16777216.01",
        "999999999.99",
        "1234567.89",
        "262144.01",
        "9999999.5",
        "0.001",
        "NaN",
        "Infinity",
    ],
)
def test_points_that_would_change_are_refused_before_sending(value: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        values.points(Decimal(value))
    assert (caught.value.field, caught.value.is_certain) == ("points", True)


def test_whole_points_survive_up_to_the_limit() -> None:
    for value in (*range(0, 16_777_217, 65_537), 16_777_215, 16_777_216):
        assert values.points(Decimal(value)) == value


@pytest.mark.parametrize(("value", "is_kept"), [("-2", True), ("-16777217", False), ("-1234567.89", False)])
def test_balances_below_zero_are_kept_as_others(value: str, is_kept: bool) -> None:
    assert values.is_kept(Decimal(value)) is is_kept


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "/", "a\nb", "a\x00", "a\ud800"])
def test_ids_that_could_not_be_asked_for_again_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        values.path_external_id(text)
    assert caught.value.field == "external_id"


def test_values_in_paths_are_encoded() -> None:
    assert values.path_value("ada+1@example.com?x#y%2F ä:") == "ada%2B1%40example.com%3Fx%23y%252F%20%C3%A4%3A"


def test_instants_are_written_with_their_zone() -> None:
    berlin = timezone(timedelta(hours=1))
    assert values.instant(datetime(2026, 11, 20, 9, 30, tzinfo=berlin)) == "2026-11-20T08:30:00.000Z"


def test_meta_data_is_merged_because_passkit_replaces_it() -> None:
    current = {"seat": "1A", "note": "old"}
    assert values.merge_meta_data(current, {"note": "new"}) == {"seat": "1A", "note": "new"}
    assert values.merge_meta_data(current, {"note": None}) == {"seat": "1A"}
    assert values.merge_meta_data({}, {"a": "b"}) == {"a": "b"}
    assert current == {"seat": "1A", "note": "old"}


def test_the_last_meta_data_is_emptied_because_none_at_all_changes_nothing() -> None:
    assert values.merge_meta_data({"note": "old"}, {"note": None}) == {"note": ""}
    assert values.merge_meta_data({}, {}) == {}


def test_filters_are_one_group_of_one_condition() -> None:
    made = Filters(field="member.id", value="m", limit=50, offset=100, order_by="created")
    assert made.to_json() == {
        "limit": 50,
        "offset": 100,
        "filterGroups": [
            {
                "condition": "AND",
                "fieldFilters": [{"filterField": "member.id", "filterValue": "m", "filterOperator": "eq"}],
            }
        ],
        "orderBy": "created",
        "orderAsc": True,
    }
    assert Filters().to_json() == {"limit": 100, "offset": 0}


@pytest.mark.parametrize(
    ("count", "largest", "asked"), [(0, 100, 1), (24, 100, 1), (250, 100, 4), (250, 60, 5), (60, 60, 2)]
)
def test_pages_are_walked_to_the_end_even_when_passkit_cuts_them(count: int, largest: int, asked: int) -> None:
    offsets: list[int] = []

    def ask(filters: Filters) -> list[int]:
        offsets.append(filters.offset)
        return list(range(count))[filters.offset :][: min(filters.limit, largest)]

    assert list(pages(ask, Filters())) == list(range(count))
    assert len(offsets) <= asked


def test_a_walk_is_bounded() -> None:
    assert len(list(pages(lambda filters: [0] * filters.limit, Filters(), most=250))) == 250


@pytest.mark.parametrize("found", [{}, {"x": None}, {"x": ""}])
def test_absent_null_and_default_texts_are_the_same(found: dict[str, Any]) -> None:
    assert reading.text_of(found, "x") == ""
    assert reading.number_of(found, "x") == 0
    assert reading.instant_of(found, "x") is None
    assert reading.name_of(found, "x", {0: "NONE"}) == "NONE"
    with pytest.raises(MalformedAnswer):
        reading.required(found, "x")


@pytest.mark.parametrize("found", [{}, {"x": None}])
def test_absent_and_null_structures_are_the_same(found: dict[str, Any]) -> None:
    assert reading.object_of(found, "x") == {}
    assert list(reading.objects_of(found, "x")) == []
    assert reading.flag_of(found, "x") is False
    assert reading.texts_by_name(found, "x") == {}
    assert reading.names_of(found, "x", {}) == ()


@pytest.mark.parametrize(
    ("read", "wrong"),
    [
        (reading.text_of, [5, True, [], {}]),
        (reading.object_of, ["", [], 5, "x"]),
        (reading.objects_of, [["x"], [None], {"a": 1}, 5, "x"]),
        (reading.flag_of, ["true", 1, 0]),
        (reading.number_of, [True, [], "x", "NaN", "Infinity", float("inf"), "1e400"]),
        (reading.instant_of, ["x", 5, "2026-13-01T00:00:00Z", ["x"], {"seconds": "9" * 17}]),
    ],
)
def test_wrong_types_are_told_by_the_name_of_the_field_only(read: Any, wrong: list[Any]) -> None:
    for value in wrong:
        with pytest.raises(MalformedAnswer, match=r"^x is ") as caught:
            read({"x": value}, "x")
        assert repr(value) not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "points"), [(105, "105"), (105.1, "105.1"), (105.0999984741211, "105.1"), ("7.5", "7.5")]
)
def test_points_come_back_without_what_float32_did(value: Any, points: str) -> None:
    assert reading.points_of({"x": value}, "x") == Decimal(points)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-20T09:30:00Z",
        "2026-11-20T09:30:00.000000000Z",
        "2026-11-20T10:30:00+01:00",
        {"seconds": 1795167000, "nanos": 0},
        {"seconds": "1795167000"},
    ],
)
def test_instants_are_read_in_every_form(value: Any) -> None:
    assert reading.instant_of({"x": value}, "x") == datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", {"seconds": 0}])
def test_times_that_were_never_set_are_none(value: Any) -> None:
    assert reading.instant_of({"x": value}, "x") is None


def test_names_come_as_names_or_numbers() -> None:
    names = {0: "NONE", 1: "ONE"}
    assert [reading.name_of({"x": value}, "x", names) for value in ("ONE", 1, 0, 7, "LATER")] == [
        "ONE",
        "ONE",
        "NONE",
        "7",
        "LATER",
    ]
    assert reading.names_of({"x": ["ONE", 0]}, "x", names) == ("ONE", "NONE")
    with pytest.raises(MalformedAnswer):
        reading.name_of({"x": True}, "x", names)


def test_meta_data_of_other_types_is_read_as_text() -> None:
    assert reading.texts_by_name({"x": {"a": "b", "c": 5, "d": None}}, "x") == {"a": "b", "c": "5", "d": ""}


def test_an_answer_about_another_record_says_nothing() -> None:
    assert reading.same_id({"id": "m"}, "m") == "m"
    for found in ({"id": "other"}, {"id": ""}, {}):
        with pytest.raises(MalformedAnswer):
            reading.same_id(found, "m")


def test_the_answer_of_a_delete_is_empty() -> None:
    reading.nothing({})
    with pytest.raises(MalformedAnswer):
        reading.nothing({"code": 13})
