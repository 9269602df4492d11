"""The interactive documentation, used as a person uses it: Authorize, Try it out, Execute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser import DESKTOP, Browser, serve
from tests.world import World

pytestmark = pytest.mark.slow

# Swagger UI works for seconds on a description of this size, and for a minute where others want the processor too.
WAIT_SECONDS = 180
# One script finds and uses an element: React may put another in its place between two calls.
FIND = "const found = [...document.querySelectorAll(arguments[0])].find((one) => one.checkVisibility());"


class DocsPage:
    """The page, and the few things a person does on it."""

    def __init__(self, browser: Browser) -> None:
        self._driver = browser.driver

    def wait_for(self, selector: str, use: str = "return true") -> Any:
        """Wait until an element is shown; return what a script makes of it, which calls it `found`."""
        script = f"{FIND} if (found) {{ {use} }}"
        return WebDriverWait(self._driver, WAIT_SECONDS).until(lambda driver: driver.execute_script(script, selector))

    def click(self, selector: str) -> None:
        """Click by script: the element may be below the fold or under a sticky header."""
        self.wait_for(selector, "found.click(); return true")

    def authorize(self, key: str) -> None:
        self.click(".btn.authorize")
        self.wait_for(".auth-container input")
        self._driver.find_element(By.CSS_SELECTOR, ".auth-container input").send_keys(key)
        self.click(".auth-btn-wrapper .btn.authorize")
        self.click(".auth-btn-wrapper .btn-done")

    def try_out(self, tag: str, operation_id: str) -> str:
        """Execute an operation as it is prefilled, and return the status that is shown."""
        operation = f"#operations-{tag}-{operation_id}"
        self.click(f"{operation} .opblock-summary-control")
        self.click(f"{operation} .execute")
        shown: str = self.wait_for(
            f"{operation} .live-responses-table tbody .response-col_status", "return found.innerText"
        )
        return shown.split()[0]


@pytest.fixture
def page(world: World, browser: Browser) -> Iterator[DocsPage]:
    with serve(world.app) as address:
        browser.resize(DESKTOP)
        browser.open(f"{address}/docs")
        yield DocsPage(browser)


def test_try_it_works_after_authorize_without_a_line_typed_but_the_key(
    world: World, page: DocsPage, browser: Browser
) -> None:
    page.wait_for("#operations-Account-get_me")
    page.authorize(world.key)
    assert page.try_out("Account", "get_me") == "200"
    assert page.try_out("Actions", "create_pass") == "200"
    assert world.get("/v1/passes?external_id=customer-501").get_json()["data"]
    assert page.try_out("Actions", "update_points") == "200"
    assert browser.complaints() == []


def test_without_a_key_the_page_shows_the_problem(page: DocsPage) -> None:
    page.wait_for("#operations-Account-get_me")
    assert page.try_out("Account", "get_me") == "401"
