"""What a person sees: the pages in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.model import Colors, Kind, Pass
from app.web.colors import LEAST_CONTRAST, contrast
from tests.browser import DESKTOP, PHONE, Browser, serve
from tests.web.shelf import Shelf, path_of, tiers

PAGES = ("/", "/docs", "/docs/errors", "/docs/errors/outcome-unknown", "/docs/test-mode", "/docs/revoke")


@pytest.fixture
def address(shelf: Shelf) -> Iterator[str]:
    """The address of the shelf's world, served."""
    with serve(shelf.world.app) as address:
        yield address


def computed(browser: Browser, selector: str, style: str) -> str:
    return str(browser.run(f"getComputedStyle(document.querySelector('{selector}')).{style}"))


def as_hex(color: str) -> str:
    red, green, blue = (int(part) for part in color.removeprefix("rgb(").removesuffix(")").split(","))
    return f"#{red:02x}{green:02x}{blue:02x}"


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("kind", list(Kind))
def test_no_pass_however_awkward_scrolls_sideways(
    shelf: Shelf, address: str, browser: Browser, kind: Kind, size: tuple[int, int]
) -> None:
    awkward = shelf.awkward()
    program = shelf.program(kind=kind, name="N" * 80, tiers=tiers("T" * 60))
    browser.resize(size)
    for shown in (awkward, shelf.issue(program, first_name="ن" * 60, revoked_at=shelf.world.clock())):
        browser.open(address + path_of(shown))
        assert browser.sideways() == 0
        assert browser.complaints() == []


@pytest.mark.parametrize("path", PAGES)
def test_no_page_scrolls_sideways_on_a_phone(address: str, browser: Browser, path: str) -> None:
    browser.resize(PHONE)
    browser.open(address + path)
    assert browser.sideways() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_card_has_the_programs_colours_by_day_and_night(
    shelf: Shelf, address: str, browser: Browser, scheme: str
) -> None:
    shown = shelf.issue(shelf.program(colors=Colors("#1e3a8a", "#ffffff", "#bfdbfe")))
    browser.prefer(scheme)
    browser.open(address + path_of(shown))
    assert as_hex(computed(browser, ".face", "backgroundColor")) == "#1e3a8a"
    assert as_hex(computed(browser, ".program", "color")) == "#ffffff"
    assert as_hex(computed(browser, ".front dt", "color")) == "#bfdbfe"


def test_colours_that_cannot_be_told_apart_are_not_used(shelf: Shelf, address: str, browser: Browser) -> None:
    browser.open(address + path_of(shelf.awkward()))
    for selector in (".program", ".front dt", ".pass-id"):
        assert contrast(as_hex(computed(browser, selector, "color")), "#ffffff") >= LEAST_CONTRAST


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_words_around_the_card_have_enough_contrast(
    shelf: Shelf, address: str, browser: Browser, scheme: str
) -> None:
    browser.prefer(scheme)
    browser.open(address + path_of(shelf.issue(shelf.program(terms="Terms."), revoked_at=shelf.world.clock())))
    for text, ground in ((".terms", ".back"), (".notice", ".notice")):
        colors = as_hex(computed(browser, text, "color")), as_hex(computed(browser, ground, "backgroundColor"))
        assert contrast(*colors) >= 4.5


def test_the_qr_code_is_drawn_and_large_enough_to_scan(shelf: Shelf, address: str, browser: Browser) -> None:
    browser.resize(PHONE)
    browser.open(address + path_of(shelf.issue()))
    assert browser.run("document.querySelector('.code').naturalWidth") >= 150
    assert browser.run("document.querySelector('.code').getBoundingClientRect().width") >= 150


def test_a_revoked_pass_is_seen_to_be_revoked(shelf: Shelf, address: str, browser: Browser) -> None:
    browser.resize(PHONE)
    browser.open(address + path_of(shelf.issue(revoked_at=shelf.world.clock())))
    stamp = "document.querySelector('.stamp span')"
    assert browser.run(f"{stamp}.innerText") == "REVOKED"
    assert browser.run(f"{stamp}.checkVisibility()") is True
    assert browser.run(f"{stamp}.getBoundingClientRect().width") > 150
    assert computed(browser, ".stamp span", "rotate") != "none"
    assert "opacity" in computed(browser, ".face", "filter")


def test_the_card_is_whole_without_javascript(shelf: Shelf, address: str, browser: Browser) -> None:
    shown = shelf.issue()
    browser.switch_scripts(on=False)
    try:
        browser.open(address + path_of(shown))
        text = str(browser.run("document.body.innerText"))
    finally:
        browser.switch_scripts(on=True)
    for word in ("Harbour Club", "Ada Lovelace", "1,250", shown.id):
        assert word in text


def test_a_right_to_left_name_reads_right_to_left_below_its_label(shelf: Shelf, address: str, browser: Browser) -> None:
    browser.open(address + path_of(shelf.issue(first_name="عبد الرحمن", last_name="الخوارزمي")))
    assert computed(browser, ".holder dd", "direction") == "rtl"
    assert computed(browser, ".holder dd", "textAlign") == "left"


def test_a_ticket_lies_down_where_there_is_room(shelf: Shelf, address: str, browser: Browser) -> None:
    ticket: Pass = shelf.issue(shelf.program(kind=Kind.EVENT_TICKET))
    for size, direction in ((PHONE, "column"), (DESKTOP, "row")):
        browser.resize(size)
        browser.open(address + path_of(ticket))
        assert computed(browser, ".face", "flexDirection") == direction


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/docs"])
def test_no_page_breaks_its_own_policy(address: str, browser: Browser, path: str) -> None:
    browser.open(address + path)
    assert browser.complaints() == []
