"""A setting that cannot be used stops every process at its start, with one line that says what would be right."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT, command_of, free_port

COMMANDS = {
    "web": command_of("web"),
    "worker": command_of("worker"),
    "command line": ["passrail", "demo"],
}


@pytest.mark.matrix("value", "process")
@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("VAULT_KEYS", "a key without its ID", "VAULT_KEYS: entry 1 must be an ID, a colon and a key in base64."),
        ("VAULT_KEYS", "k1:bm90IDMyIGJ5dGVz", "VAULT_KEYS: a key must have 32 bytes, one has 12."),
        ("DATA_DIR", "/dev/null/x", "DATA_DIR is /dev/null/x, which is a file or lies in one. Give a folder."),
        ("PORT", "65536", "PORT is 65536; it must be 65535 or less."),
        ("LOG_LEVEL", "loud", "LOG_LEVEL is 'loud'; it must be one of DEBUG, INFO, WARNING, ERROR."),
    ],
)
@pytest.mark.parametrize("process", COMMANDS)
def test_a_setting_that_cannot_be_used_is_told_in_a_line(
    process: str, setting: str, value: str, sentence: str, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DATA_DIR": str(tmp_path),
        "PORT": str(free_port()),
        setting: value,
    }
    ended = subprocess.run(
        COMMANDS[process],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
    )
    assert ended.returncode != 0
    assert ended.stdout.strip() == f"Error: {sentence}"
