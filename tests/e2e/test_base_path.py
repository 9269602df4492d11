"""A service under a path (`https://example.com/passes`) behind a proxy that takes the path away, or leaves it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.browser import Browser
from tests.processes import free_port, wait_until
from tests.server.web import HOST, Web, serving
from tests.strict import unavailable
from tests.world import MEMBERSHIP

PATH = "/passes"
PAGES = ("/", "/docs", "/docs/errors", "/docs/errors/not-found", "/docs/test-mode", "/docs/revoke")
# With a slash at its end, proxy_pass takes the path of the location away.
WAYS = {"takes the path away": "/", "leaves the path": ""}


@dataclass(frozen=True)
class Site:
    """The service as the world sees it."""

    url: str
    web: Web


@pytest.fixture(scope="module", params=WAYS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server behind nginx."""
    if (nginx := shutil.which("nginx") or shutil.which("/usr/sbin/nginx")) is None:
        unavailable("nginx", "apt-get install nginx-light")
    folder, port = tmp_path_factory.mktemp("site"), free_port()
    url = f"http://{HOST}:{port}{PATH}"
    with serving(folder, {"BASE_URL": url, "TRUSTED_PROXIES": "1"}) as web:
        configuration = folder / "nginx.conf"
        configuration.write_text(
            f"""
            daemon off; pid {folder}/pid; error_log {folder}/errors;
            events {{}}
            http {{
                access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
                fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
                server {{
                    listen {HOST}:{port};
                    location {PATH}/ {{ proxy_pass {web.address}{WAYS[request.param]}; }}
                }}
            }}
            """
        )
        proxy = subprocess.Popen([nginx, "-p", str(folder), "-c", str(configuration)])
        try:
            wait_until(lambda: proxy.poll() is not None or _answers(url), "nginx")
            yield Site(url, web)
        finally:
            proxy.terminate()
            proxy.wait(20)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=5).ok
    except requests.ConnectionError:
        return False


def test_no_page_asks_for_a_file_that_is_not_there(site: Site, browser: Browser) -> None:
    body = {"program_id": MEMBERSHIP, "external_id": "shown", "first_name": "Ada"}
    created = requests.post(
        f"{site.url}/v1/actions/create-pass", json=body, headers=site.web.headers, timeout=30
    ).json()
    assert created["pass_url"].startswith(f"{site.url}/p/")
    for address in (*(f"{site.url}{page}" for page in PAGES), created["pass_url"]):
        browser.open(address)
        assert browser.complaints() == []
        assert browser.run("document.styleSheets.length") > 0
        links = browser.run(
            "[...document.querySelectorAll('a[href], link[href], script[src], img[src]')]"
            ".map(element => element.href || element.src).filter(url => url.startsWith('http'))"
        )
        for link in set(links):
            assert link.startswith(f"{site.url}/"), link
            assert requests.get(link, timeout=30).status_code == 200, link
    picture = requests.get(created["qr_code_url"], timeout=30)
    assert (picture.status_code, picture.headers["Content-Type"]) == (200, "image/png")


def test_the_reference_shows_the_operations_and_asks_under_the_path(site: Site, browser: Browser) -> None:
    browser.open(f"{site.url}/docs")
    wait_until(lambda: browser.run("document.querySelectorAll('.opblock').length") > 20, "the operations")
    described = requests.get(f"{site.url}/openapi.json", timeout=30).json()
    assert [server["url"] for server in described["servers"]] == [PATH]


def test_answers_lead_to_addresses_under_the_path(site: Site) -> None:
    headers = site.web.headers
    refused = requests.get(f"{site.url}/v1/nothing", headers=headers, timeout=30).json()
    assert refused["type"] == f"{site.url}/docs/errors/not-found"
    assert requests.get(refused["type"], timeout=30).ok
    program: dict[str, Any] = {"name": "Another", "kind": "membership", "tiers": [{"name": "One"}]}
    made = requests.post(f"{site.url}/v1/programs", json=program, headers=headers, timeout=30)
    assert made.headers["Location"] == f"{PATH}/v1/programs/{made.json()['id']}"


def test_a_redirect_stays_under_the_path_and_on_the_host(site: Site) -> None:
    for base in (f"{site.web.address}{PATH}", site.web.address):
        redirect = requests.get(
            f"{base}/v1//me?a=b",
            headers={**site.web.headers, "Host": "evil.example"},
            allow_redirects=False,
            timeout=30,
        )
        assert redirect.status_code == 308
        assert redirect.headers["Location"] == f"{PATH}/v1/me?a=b"
        assert "evil" not in redirect.text
