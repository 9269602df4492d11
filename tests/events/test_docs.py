"""The code in `docs/hooks.md` is tried: it takes what we send, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from app.events.hook_secrets import generate
from app.events.schedule import WAITS
from app.events.sending import headers
from app.events.types import DESCRIPTIONS
from app.model import system_clock
from tests.processes import ROOT
from tests.strict import unavailable

PAGE = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
BODY = '{"id":"evt_1","type":"points.changed","data":{"first_name":"Ädä"}}'
SECRET = generate()


def block(language: str) -> str:
    [code] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(code)


def sent() -> dict[str, str]:
    return headers("evt_1", BODY, [generate(), SECRET], system_clock())


FORGED: dict[str, dict[str, Any]] = {
    "another secret": {"secret": generate()},
    "a changed body": {"body": BODY.replace("points", "pounds")},
    "too old": {"headers": {"webhook-timestamp": "1700000000"}},
    "another id": {"headers": {"webhook-id": "evt_2"}},
    "no signature": {"headers": {"webhook-signature": "v1,"}},
}


def test_the_python_code_takes_what_we_send_and_nothing_else() -> None:
    space: dict[str, Any] = {}
    exec(block("python"), space)
    read_event = space["read_event"]
    assert read_event(SECRET, sent(), BODY) == json.loads(BODY)
    for change in FORGED.values():
        forged = {**sent(), **change.get("headers", {})}
        with pytest.raises(WebhookVerificationError):
            read_event(change.get("secret", SECRET), forged, change.get("body", BODY))


def test_the_javascript_code_takes_what_we_send_and_nothing_else(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        unavailable("node", "apt-get install nodejs")
    (tmp_path / "read.mjs").write_text(block("js"))
    cases = [{"secret": SECRET, "headers": sent(), "body": BODY}]
    cases += [
        {"secret": SECRET, "body": BODY, **change, "headers": {**sent(), **change.get("headers", {})}}
        for change in FORGED.values()
    ]
    script = (
        'import { readEvent } from "./read.mjs";\n'
        f"for (const c of {json.dumps(cases)}) {{\n"
        "  try { console.log(JSON.stringify(readEvent(c.secret, c.headers, c.body))); }\n"
        '  catch { console.log("refused"); }\n}\n'
    )
    (tmp_path / "try.mjs").write_text(script)
    done = subprocess.run([node, "try.mjs"], cwd=tmp_path, capture_output=True, text=True, check=True)
    first, *others = done.stdout.splitlines()
    assert json.loads(first) == json.loads(BODY)
    assert others == ["refused"] * len(FORGED)


def test_the_page_tells_the_schedule_that_there_is() -> None:
    words = {5: "5 s", 300: "5 min", 1800: "30 min"}
    told = [words.get(int(wait.total_seconds()), f"{wait.total_seconds() / 3600:.0f} h") for wait in WAITS]
    assert f"after {', '.join(told[:-1])} and {told[-1]}" in " ".join(PAGE.split())


def test_the_page_names_every_route_of_hooks() -> None:
    document = json.loads((ROOT / "openapi" / "openapi.json").read_text(encoding="utf-8"))
    for path in document["paths"]:
        if path.startswith(("/v1/hooks", "/v1/event-types")):
            assert f"{path}`" in PAGE, path
    assert "hook.disabled" in DESCRIPTIONS
