"""Load on a server: a fixed number of connections, each sending its next request when the last was answered.

`wrk` does it where it is installed. Else a client in Python does (`client.py`), which takes so much processor time of
its own that the ratios come out too good; that of processor times stays right.
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.figures import BenchFailed, Run
from bench.servers import Server
from tests.processes import ROOT

UNIQUE, PASS = "@UNIQUE@", "@PASS@"
SETTLE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of request, sent over and over.

    In path, headers and body `@UNIQUE@` stands for a text that was never sent before, `@PASS@` for the next of
    `pass_ids`, round and round.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    pass_ids: tuple[str, ...] = ("none",)

    def to(self, path: str) -> Load:
        """Return the same load on another path: what the bare route gets."""
        return replace(self, path=path)


def generator() -> str:
    """Say what sends the requests."""
    return "wrk" if shutil.which("wrk") else "the Python client (wrk is not installed: throughput ratios are too good)"


def put_load(server: Server, load: Load, *, connections: int, seconds: float) -> Run:
    """Load the server, and measure what the clients see and what the workers take.

    Raises:
        BenchFailed: a request failed, or none was answered.
    """
    time.sleep(SETTLE_SECONDS)  # requests of the run before, whose connections were closed, come to their end
    send = _by_wrk if shutil.which("wrk") else _by_python
    before = server.cpu_seconds()
    run = send(server, load, connections, seconds)
    run = replace(run, cpu_seconds=server.cpu_seconds() - before)
    if run.errors or not run.requests:
        raise BenchFailed(f"{load.method} {load.path}: {run.errors} failed of {run.requests + run.errors} requests.")
    return run


# One thread of wrk is enough for two workers and keeps the numbers unique without any arrangement. wrk writes its own
# summary to the standard output, too: the figures go to a file.
_SCRIPT = """
local number, passes = 0, %(passes)s
local path, body = %(path)s, %(body)s
local headers = %(headers)s

local function fill(text)
  local filled = string.gsub(text, "@(%%u+)@", {UNIQUE = %(prefix)s .. number, PASS = passes[number %% #passes + 1]})
  return filled
end

function request()
  number = number + 1
  local filled = {}
  for name, value in pairs(headers) do filled[name] = fill(value) end
  return wrk.format(%(method)s, fill(path), filled, body and fill(body))
end

function done(summary, latency)
  local errors = summary.errors
  local file = io.open(%(result)s, "w")
  file:write(string.format('{"answers": %%d, "microseconds": %%d, "wrong": %%d, "broken": %%d, "p50": %%f, "p99": %%f}',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
  file:close()
end
"""


def _by_wrk(server: Server, load: Load, connections: int, seconds: float) -> Run:
    with tempfile.TemporaryDirectory(prefix="passrail-wrk-") as name:
        script, result = Path(name, "load.lua"), Path(name, "result.json")
        headers = {"Host": f"127.0.0.1:{server.port}", **load.headers}
        words = {
            "method": _lua(load.method),
            "path": _lua(load.path),
            "body": _lua(load.body) if load.body else "nil",
            "headers": "{" + ", ".join(f"[{_lua(key)}] = {_lua(value)}" for key, value in headers.items()) + "}",
            "passes": "{" + ", ".join(map(_lua, load.pass_ids)) + "}",
            "prefix": _lua(f"{secrets.token_hex(6)}-"),
            "result": _lua(str(result)),
        }
        script.write_text(_SCRIPT % words, encoding="ascii")
        # wrk counts whole seconds.
        options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "20s", "-s", str(script)]
        command = ["wrk", *options, f"http://127.0.0.1:{server.port}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not result.exists():
            raise BenchFailed(f"wrk failed: {done.stdout}{done.stderr}")
        found: dict[str, Any] = json.loads(result.read_text(encoding="ascii"))
    return Run(
        requests=found["answers"] - found["wrong"],
        seconds=found["microseconds"] / 1e6,
        errors=found["wrong"] + found["broken"],
        p50_ms=found["p50"] / 1000,
        p99_ms=found["p99"] / 1000,
    )


def _lua(text: str) -> str:
    """Write a text as Lua does; for printable ASCII that is as JSON does."""
    assert text.isascii()
    assert text.isprintable()
    return json.dumps(text)


def _by_python(server: Server, load: Load, connections: int, seconds: float) -> Run:
    plan = {
        **asdict(load),
        "port": server.port,
        "connections": connections,
        "seconds": seconds,
        "prefix": f"{secrets.token_hex(6)}-",
    }
    command = [sys.executable, "-m", "bench.client"]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(plan), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchFailed(f"the client failed: {done.stderr}")
    return Run(**json.loads(done.stdout))
