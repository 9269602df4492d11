"""QR codes that lead to the page of a pass."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree

import segno

from app.answer import pass_url
from tests.web.shelf import Shelf, path_of


def test_the_png_is_the_code_of_the_pages_public_address(shelf: Shelf) -> None:
    issued = shelf.issue()
    answer = shelf.world.client.get(f"{path_of(issued)}/qr.png")
    expected = io.BytesIO()
    address = pass_url("https://pass.example.com", issued.link_token)
    segno.make(address, error="m", micro=False).save(expected, kind="png", scale=10, border=4, light="#ffffff")
    assert answer.mimetype == "image/png"
    assert answer.data == expected.getvalue()


def test_the_svg_is_an_image_a_browser_can_show(shelf: Shelf) -> None:
    answer = shelf.world.client.get(f"{path_of(shelf.issue())}/qr.svg")
    root = ElementTree.fromstring(answer.data)
    assert answer.mimetype == "image/svg+xml"
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert int(root.attrib["width"]) >= 300


def test_a_code_is_kept_nowhere_so_that_none_outlives_its_pass(shelf: Shelf) -> None:
    path = path_of(shelf.issue())
    for form in ("svg", "png"):
        answer = shelf.world.client.get(f"{path}/qr.{form}")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Robots-Tag"] == "noindex"


def test_the_api_gives_the_address_of_the_png(shelf: Shelf) -> None:
    made = shelf.world.make_pass()
    path = made["qr_code_url"].removeprefix(shelf.world.service.settings.public_url)
    assert shelf.world.client.get(path).mimetype == "image/png"
