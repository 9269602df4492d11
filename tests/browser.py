"""A headless browser and a real server for tests that must see what a person sees.

The fixture `browser` is there for every test; `from tests.browser import serve` gives the server. Where Chromium or its
driver is missing, such tests skip and say what to install; with `PASSRAIL_TEST_STRICT=1` they fail instead.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from werkzeug.serving import make_server

from tests.strict import unavailable

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=1",
)
PHONE = (390, 844)
DESKTOP = (1280, 900)


class Browser:
    """A browser window with the few things tests ask of it. `driver` is the whole of Selenium."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def resize(self, size: tuple[int, int], scale: int = 1) -> None:
        """Make the viewport this large; a phone's is narrower than any window may be."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
        self._command("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme: str) -> None:
        """Ask pages for their `light` or `dark` colours."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._command("Emulation.setEmulatedMedia", {"features": features})

    def switch_scripts(self, on: bool) -> None:
        """Let pages run JavaScript, or not; `run` works either way."""
        self._command("Emulation.setScriptExecutionDisabled", {"value": not on})

    def open(self, url: str) -> None:
        """Go to a page, forgetting what the console said before."""
        self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        self.driver.get(url)

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        answer = self._command("Runtime.evaluate", {"expression": script, "returnByValue": True, "awaitPromise": True})
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def complaints(self) -> list[str]:
        """Return what the console holds against the page: script errors, failed loads, policy violations."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries if entry["level"] in ("WARNING", "SEVERE")]

    def sideways(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        return int(self.run("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def _command(self, name: str, values: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self.driver.execute_cdp_cmd(name, values)
        return answer


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for the whole run."""
    with open_browser() as window:
        yield window


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a browser with a profile of its own; skip (or fail, when strict) where there is none."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        unavailable("chromium and chromedriver", "apt-get install chromium chromium-driver")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        options.binary_location = chromium
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = Chrome(options=options, service=ChromeService(executable_path=chromedriver))
        try:
            yield Browser(driver)
        finally:
            driver.quit()


@contextmanager
def serve(app: Flask) -> Iterator[str]:
    """Run the application on a free port of this machine and give its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
