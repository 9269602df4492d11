"""The page of a pass, as HTML."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from app.model import Colors, CustomField, FieldType, Kind, Mode
from app.store import programs
from app.web.qr import data_uri
from tests.web.shelf import EMAIL, PHONE, Shelf, path_of, tiers
from tests.world import MEMBERSHIP

FIELDS = (CustomField("store", "Home store"), CustomField("since", "Since", FieldType.DATE))


def test_the_card_shows_what_the_pass_holds(shelf: Shelf) -> None:
    program = shelf.program(
        name="Harbour Club", logo_text="Harbour Coffee", terms="No cash value.", tiers=tiers("Gold"), fields=FIELDS
    )
    expires = shelf.world.clock() + timedelta(days=30)
    page = shelf.page(program, fields={"store": "Old Port", "since": "2024-02-29"}, expires_at=expires)
    for text in ("Harbour Club", "Harbour Coffee", "Gold", "Ada Lovelace", "1,250", "No cash value."):
        assert text in page
    for text in ("Home store", "Old Port", "Since", "29 Feb 2024", "Valid until", "20 Dec 2026, 09:30 UTC"):
        assert text in page


def test_the_qr_code_of_the_card_is_the_pass_id_with_its_text_below(shelf: Shelf) -> None:
    issued = shelf.issue()
    page = shelf.world.client.get(path_of(issued)).text
    assert f'alt="QR code of the pass ID {issued.id}"' in page
    assert data_uri(issued.id).replace("'", "&#39;") in page
    assert f'<p class="pass-id">{issued.id}</p>' in page


def test_mail_address_and_phone_are_never_shown(shelf: Shelf) -> None:
    page = shelf.page()
    assert EMAIL not in page
    assert PHONE not in page


def test_the_holders_name_is_in_neither_title_nor_metadata(shelf: Shelf) -> None:
    head, _, body = shelf.page().partition("</head>")
    assert "Lovelace" not in head
    assert "Lovelace" in body


def test_nothing_a_user_wrote_becomes_html(shelf: Shelf) -> None:
    evil = "<script>alert(1)</script>\"'"
    program = shelf.program(
        name=evil, logo_text=evil + "!", terms=evil, tiers=tiers(evil), fields=(CustomField("a", evil),)
    )
    page = shelf.page(program, first_name=evil, fields={"a": evil})
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 7


def test_a_pass_without_anything_has_a_page(shelf: Shelf) -> None:
    page = shelf.page(first_name=None, last_name=None, email=None, phone=None, points=Decimal(0))
    assert "Member</dt>" not in page
    assert "None" not in page


def test_long_values_and_many_fields_go_below_the_card(shelf: Shelf) -> None:
    program = shelf.program(fields=tuple(CustomField(f"f{number}", f"Field {number}") for number in range(6)))
    values = {f"f{number}": f"value {number}" for number in range(6)} | {"f0": "long " * 100}
    card, _, back = shelf.page(program, fields=values).partition("</article>")
    assert [number for number in range(6) if f"Field {number}<" in card] == [1, 2, 3, 4]
    assert [number for number in range(6) if f"Field {number}<" in back] == [0, 5]


def test_fields_the_program_no_longer_has_are_not_shown(shelf: Shelf) -> None:
    assert "secret value" not in shelf.page(fields={"gone": "secret value"})


def test_what_users_wrote_finds_its_own_direction(shelf: Shelf) -> None:
    assert '<dd dir="auto">عبد الرحمن الخوارزمي</dd>' in shelf.page(first_name="عبد الرحمن", last_name="الخوارزمي")


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_its_own_look(shelf: Shelf, kind: Kind) -> None:
    assert f'class="card card-{kind}"' in shelf.page(shelf.program(kind=kind))


def test_an_active_pass_is_not_stamped(shelf: Shelf) -> None:
    page = shelf.page()
    assert 'class="stamp' not in page
    assert "card-over" not in page


@pytest.mark.parametrize(
    ("fact", "word"), [("revoked_at", "REVOKED"), ("redeemed_at", "REDEEMED"), ("expires_at", "EXPIRED")]
)
def test_a_pass_that_is_over_is_stamped_and_says_since_when(shelf: Shelf, fact: str, word: str) -> None:
    page = shelf.page(shelf.program(kind=Kind.COUPON), **{fact: shelf.world.clock() - timedelta(days=1)})
    assert f"<span>{word}</span>" in page
    assert f"{word.lower()} on 19 Nov 2026, 09:30 UTC" in page
    assert "card-over" in page


def test_a_pass_expires_on_its_page_when_its_time_has_come(shelf: Shelf) -> None:
    path = path_of(shelf.issue(expires_at=shelf.world.clock() + timedelta(hours=1)))
    assert "EXPIRED" not in shelf.world.client.get(path).text
    shelf.world.clock.advance(hours=1)
    assert "EXPIRED" in shelf.world.client.get(path).text


def test_a_pass_revoked_for_good_shows_no_holder_even_if_the_row_still_had_one(shelf: Shelf) -> None:
    now = shelf.world.clock()
    page = shelf.page(shelf.program(fields=FIELDS), fields={"store": "Old Port"}, revoked_at=now, deleted_at=now)
    assert "REVOKED" in page
    for text in ("Ada", "Lovelace", "1,250", "Old Port", "<img"):
        assert text not in page


def test_a_revoke_by_the_api_is_seen_on_the_page(shelf: Shelf) -> None:
    made = shelf.world.make_pass(external_id="customer-501", first_name="Ada")
    path = made["pass_url"].removeprefix(shelf.world.service.settings.public_url)
    assert "Ada" in shelf.world.client.get(path).text
    revoked = shelf.world.act("revoke-pass", {"program_id": MEMBERSHIP, "external_id": "customer-501"})
    assert revoked.status_code == 200
    assert "REVOKED" in shelf.world.client.get(path).text


def test_only_test_passes_say_so(shelf: Shelf) -> None:
    assert "Test pass" in shelf.page(shelf.program(mode=Mode.TEST))
    assert "Test pass" not in shelf.page(shelf.program(mode=Mode.LIVE))


def test_the_page_stays_out_of_caches_search_engines_and_referrers(shelf: Shelf) -> None:
    answer = shelf.world.client.get(path_of(shelf.issue()))
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert '<meta name="robots" content="noindex">' in answer.text


def test_the_page_needs_no_script_and_no_style_of_its_own(shelf: Shelf) -> None:
    page = shelf.page()
    for forbidden in ("<script", "<style", " style=", "onclick"):
        assert forbidden not in page


@pytest.mark.parametrize("token", ["nobodys-token-1234567", "a.b", "x" * 300, "%00", "%F0%9F%8E%AB", "' OR 1=1"])
@pytest.mark.parametrize("rest", ["", "/card.css", "/qr.svg", "/qr.png"])
def test_an_unknown_token_is_a_friendly_404(shelf: Shelf, token: str, rest: str) -> None:
    answer = shelf.world.client.get(f"/p/{token}{rest}")
    assert answer.status_code == 404
    assert answer.mimetype == "text/html"
    assert "There is nothing at this address" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_stylesheet_holds_the_programs_colours(shelf: Shelf) -> None:
    issued = shelf.issue(shelf.program(colors=Colors("#1e3a8a", "#ffffff", "#bfdbfe")))
    answer = shelf.world.client.get(f"{path_of(issued)}/card.css")
    assert answer.mimetype == "text/css"
    for line in ("--card-background: #1e3a8a;", "--card-text: #ffffff;", "--card-label: #bfdbfe;"):
        assert line in answer.text


def test_the_stylesheet_lets_nothing_through_that_is_not_a_colour(shelf: Shelf) -> None:
    issued = shelf.issue(shelf.program(colors=Colors("red;}*{display:none", "url(//evil.example)", "#12345")))
    assert shelf.world.client.get(f"{path_of(issued)}/card.css").text == (
        ".card {\n  --card-background: #1f2937;\n  --card-text: #ffffff;\n  --card-label: #cbd5e1;\n}\n"
    )


def test_the_stylesheets_address_changes_with_the_colours(shelf: Shelf) -> None:
    program = shelf.program()
    path = path_of(shelf.issue(program))
    before = shelf.world.client.get(path).text
    with shelf.world.service.store.write() as connection:
        programs.save(connection, replace(program, colors=Colors("#ffffff", "#000000", "#000000")))
    after = shelf.world.client.get(path).text
    assert "card.css?v=1f2937ffffffcbd5e1" in before
    assert "card.css?v=ffffff000000000000" in after
