"""The runner's expressions, held against examples of Make's own documentation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.make.iml.evaluation import evaluate, render
from tests.make.iml.parser import Malformed, parse
from tests.make.iml.values import UNDEFINED, Unknown

SCOPE: dict[str, Any] = {
    "parameters": {
        "name": "Make",
        "none": None,
        "empty": "",
        "list": ["a", "b", "c"],
        "people": [
            {"key": "John", "value": "1", "label": "work"},
            {"key": "Paul", "value": "2", "label": "home"},
        ],
        "odd key": "found",
        "when": datetime(2018, 10, 1, 9, 32, tzinfo=UTC),
    },
    "body": {"data": [], "detail": "No."},
    "headers": {"webhook-id": "evt_1"},
    "statusCode": 409,
}

# From the pages on functions (help.make.com/functions) and on IML in developers.make.com, with the values those give.
DOCUMENTED = [
    ("if(1=1, 'a', 'b')", "a"),
    ("if(1=2, 'a', 'b')", "b"),
    ("ifempty('a', 'b')", "a"),
    ("ifempty(parameters.unknown, 'b')", "b"),
    ("ifempty('', 'b')", "b"),
    ("length('Hello')", 5),
    ("length(parameters.list)", 3),
    ("lower('Hello')", "hello"),
    ("trim('  Hello ')", "Hello"),
    ("substring('Hello', 0, 3)", "Hel"),
    ("substring('Hello', 1, 3)", "el"),
    ("contains('Hello World', 'Hello')", True),
    ("contains('Hello World', 'Bye')", False),
    ("split('John, George, Paul', ',')", ["John", " George", " Paul"]),
    ("join(parameters.list, ', ')", "a, b, c"),
    ("first(parameters.list)", "a"),
    ("map(parameters.people, 'key')", ["John", "Paul"]),
    ("map(parameters.people, 'key', 'label', 'work')", ["John"]),
    ("map(parameters.people, 'key', 'label', 'work,home')", ["John", "Paul"]),
    ("toCollection(parameters.people, 'key', 'value')", {"John": "1", "Paul": "2"}),
    ("formatDate(parameters.when, 'MM/DD/YYYY')", "10/01/2018"),
    ("formatDate(parameters.when, 'YYYY-MM-DD HH:mm A')", "2018-10-01 09:32 AM"),
    ("formatDate(parameters.when, 'DD.MM.YYYY HH:mm')", "01.10.2018 09:32"),
    ("formatDate(parameters.when, 'YYYY-MM-DDTHH:mm:ssZ')", "2018-10-01T09:32:00+00:00"),
    ("parseDate('2016-12-28', 'YYYY-MM-DD')", datetime(2016, 12, 28, tzinfo=UTC)),
    ("parseDate('2016-12-28 16:03', 'YYYY-MM-DD HH:mm')", datetime(2016, 12, 28, 16, 3, tzinfo=UTC)),
    ("parseDate('2016-12-28 04:03 PM', 'YYYY-MM-DD hh:mm A')", datetime(2016, 12, 28, 16, 3, tzinfo=UTC)),
    ("parseDate('1482940986', 'X')", datetime(2016, 12, 28, 16, 3, 6, tzinfo=UTC)),
    ("encodeURL('Automate your workflow')", "Automate%20your%20workflow"),
    # Arrays count from 1, `[]` is the first, there is no place 0.
    ("parameters.list[1]", "a"),
    ("parameters.list[]", "a"),
    ("parameters.list[0]", UNDEFINED),
    ("parameters.people[2].key", "Paul"),
    ("parameters.`odd key`", "found"),
    ("headers.`webhook-id` + '.' + statusCode", "evt_1.409"),
    # Operators, their order, loose equality.
    ("1 + 2 * 3", 7),
    ("(1 + 2) * 3", 9),
    ("1 = 1 & 2 > 1 | false", True),
    ("'1' = 1", True),
    ("null = undefined", True),
    ("!false", True),
    ("1 == 1 && 2 === 2 || false", True),
    ("ifempty(body.data, 'x')", []),
    ("erase", None),
    ("emptystring", ""),
]


@pytest.mark.parametrize(("text", "value"), DOCUMENTED, ids=[text for text, _ in DOCUMENTED])
def test_an_expression_has_the_documented_value(text: str, value: Any) -> None:
    found = evaluate(parse(text), SCOPE)
    assert found is value if value is UNDEFINED else found == value
    assert type(found) is type(value)


def test_an_hmac_is_that_of_rfc_4231() -> None:
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert evaluate(parse("sha256('what do ya want for nothing?', 'hex', 'Jefe')"), {}) == expected


@pytest.mark.parametrize(
    "text", ["if(1=1; 'a'; 'b')", "'open", "lower('a'", "1 +", "a b", "{1}", "list[x]", "parameters.", "1 ~ 2", ""]
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse(text)


@pytest.mark.parametrize(
    "text",
    ["uuid()", "replace('a', 'a', 'b')", "unknown.name", "parameters.list.name", "formatDate('2018', 'YYYY')",
     "formatDate(parameters.when, 'dddd')", "parameters.none < 1"],
)  # fmt: skip
def test_what_is_not_known_raises(text: str) -> None:
    with pytest.raises(Unknown):
        evaluate(parse(text), SCOPE)


def test_an_expression_that_stands_alone_keeps_its_type() -> None:
    assert render("{{parameters.list}}", SCOPE) == ["a", "b", "c"]
    assert render("{{statusCode}}", SCOPE) == 409
    assert render("[{{statusCode}}] {{body.detail}}{{parameters.none}}", SCOPE) == "[409] No."


def test_undefined_vanishes_and_null_stays() -> None:
    template = {"a": "{{parameters.unknown}}", "b": "{{parameters.none}}", "c": {"d": "{{parameters.unknown}}"}}
    assert render(template, SCOPE) == {"b": None, "c": {}}
    assert render(["{{parameters.unknown}}", "{{parameters.name}}"], SCOPE) == ["Make"]


def test_a_collection_is_spread() -> None:
    template = {"x": "1", "{{...}}": "{{toCollection(parameters.people, 'key', 'value')}}"}
    assert render(template, SCOPE) == {"x": "1", "John": "1", "Paul": "2"}
    assert render({"{{...}}": "{{toCollection(parameters.unknown, 'key', 'value')}}"}, SCOPE) == {}


def test_an_expression_is_no_key() -> None:
    with pytest.raises(Unknown):
        render({"{{parameters.name}}": 1}, SCOPE)


def test_the_branch_not_taken_is_not_worked_out() -> None:
    text = "if(parameters.unknown, formatDate(parameters.unknown, 'YYYY'), parameters.unknown)"
    assert evaluate(parse(text), SCOPE) is UNDEFINED
