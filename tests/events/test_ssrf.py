"""No address of a hook leads into a private network: over sixty ways to try, and none gets through."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache, lru_cache
from typing import Any

import pytest

from app.events.targets import InvalidTarget, allowed_hosts, read_target, shown
from tests.events.ssrf import NAMES, REDIRECTS
from tests.processes import ROOT

MINIMUM = 60
# `lo` must be up before Python starts: libraries look at their import whether there is IPv6.
NAMESPACE = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"']


@lru_cache(maxsize=1)
def has_namespaces() -> bool:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run([*NAMESPACE, "sh", "true"], check=False).returncode == 0


@cache
def battery(*options: str) -> dict[str, Any]:
    prefix = [*NAMESPACE, "sh"] if "--patched" not in options else []
    command = [*prefix, sys.executable, "-m", "tests.events.ssrf", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# Both ways where both work: sockets that are real, and sockets that only write down.
WAYS = ["namespace", "--patched"]


def options_of(way: str) -> list[str]:
    if way == "--patched":
        return [way]
    if not has_namespaces():
        # The patched run asks the same; nothing is skipped.
        return ["--patched"]
    return []


@pytest.mark.parametrize("way", WAYS)
def test_nothing_private_is_reached(way: str) -> None:
    found = battery(*options_of(way))
    assert found["cases"] >= MINIMUM
    assert found["leaks"] == {}
    assert found["controls"] == dict.fromkeys(found["controls"], True)
    assert len(found["controls"]) >= 2


@pytest.mark.parametrize("way", WAYS)
def test_who_subscribes_hears_of_it_at_once(way: str) -> None:
    """What is accepted looks public at that moment: names that lead elsewhere later, and the relay itself."""
    later = {name for name in NAMES if name.startswith("rebinds-")}
    assert set(battery(*options_of(way))["accepted"]) == later | set(REDIRECTS)


def test_the_battery_finds_leaks_where_there_is_no_guard() -> None:
    found = battery("--unguarded", *options_of("namespace"))
    assert len(found["leaks"]) > 30


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.com/", "https://"),
        ("https://example.com:8080/", "443 or 8443"),
        ("https://a:b@example.com/", "user name"),
        ("https://example.com/#x", "fragment"),
        ("https://exämple.com/", "ASCII"),
        (f"https://example.com/{'x' * 2048}", "2048"),
        ("https://example_com/", "such as"),
        ("https://example.com:x/", "proper"),
        ("https://[::1/", "proper"),
    ],
)
def test_a_refusal_names_the_rule(url: str, words: str) -> None:
    with pytest.raises(InvalidTarget, match=words):
        read_target(url, frozenset())


def test_the_operator_can_allow_a_host_or_one_port_of_it() -> None:
    allowed = allowed_hosts("n8n.internal, Make.internal:8080,[::1]:9000,")
    assert allowed == {"n8n.internal", "make.internal:8080", "[::1]:9000"}
    assert read_target("http://n8n.internal:5678/x", allowed).is_allowed
    assert read_target("http://MAKE.internal:8080/x", allowed).is_allowed
    assert read_target("http://[::1]:9000/x", allowed).is_allowed
    for url in (
        "http://make.internal/x",
        "http://make.internal:8081/x",
        "http://[::1]:9001/",
        "http://x.n8n.internal/",
    ):
        with pytest.raises(InvalidTarget):
            read_target(url, allowed)


def test_of_an_address_only_host_and_end_are_shown() -> None:
    assert shown("https://hooks.zapier.com/hooks/standard/1/secret4f9x/") == "hooks.zapier.com/…f9x/"
