"""The load generator where there is no `wrk`: a process of its own, a thread for each connection.

It reads a plan (a `load.Load`, and where to send it) as JSON from its standard input and writes a `figures.Run`.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from dataclasses import asdict
from itertools import count
from typing import Any

from bench.figures import Run, percentile


def main() -> None:
    """Do as the plan says."""
    print(json.dumps(asdict(run(json.load(sys.stdin)))))


def run(plan: dict[str, Any]) -> Run:
    """Send requests until the time is over, and sum up."""
    numbers = count(1)
    durations: list[float] = []
    errors: list[str] = []
    start = time.perf_counter()
    arguments = (plan, numbers, start + plan["seconds"], durations, errors)
    threads = [threading.Thread(target=_send, args=arguments) for _ in range(plan["connections"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    p50, p99 = (percentile(durations or [0.0], percent) * 1000 for percent in (50, 99))
    return Run(len(durations), seconds, len(errors), p50, p99)


def _send(plan: dict[str, Any], numbers: count[int], end: float, durations: list[float], errors: list[str]) -> None:
    passes = plan["pass_ids"]
    connection = http.client.HTTPConnection("127.0.0.1", plan["port"], timeout=20)
    while (begun := time.perf_counter()) < end:
        number = next(numbers)  # atomic, so no two threads get the same one
        unique, pass_id = f"{plan['prefix']}{number}", passes[number % len(passes)]

        def fill(text: str, unique: str = unique, pass_id: str = pass_id) -> str:
            return text.replace("@UNIQUE@", unique).replace("@PASS@", pass_id)

        headers = {name: fill(value) for name, value in plan["headers"].items()}
        try:
            connection.request(plan["method"], fill(plan["path"]), fill(plan["body"]) or None, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            errors.append(repr(error))
            connection.close()
            continue
        if 200 <= answer.status < 300:
            durations.append(time.perf_counter() - begun)
        else:
            errors.append(str(answer.status))
    connection.close()


if __name__ == "__main__":
    main()
