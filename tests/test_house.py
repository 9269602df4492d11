"""The rules of the house: who may import whom, how long a module may be, what must be said about it.

Each rule is a function over sources, so that a test can plant a violation and see it caught.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

from app import errors
from app.errors import PassrailError
from app.events import types as event_types

ROOT = Path(__file__).parent.parent
Sources = Mapping[str, str]

# Values and words that everybody may use; among themselves, too.
PLAIN = {
    "answer",
    "data_dir",
    "concurrency",
    "effects",
    "errors",
    "model",
    "refusals",
    "schema",
    "scrub",
    "setting_rules",
    "settings",
    "timed",
}

# Which part may import which others, beyond itself and the plain ones. Import goes downwards:
# web, api, cli, jobs -> people -> actions -> operations -> sync -> issuers, events, accounts -> store.
ALLOWED: dict[str, set[str]] = {
    "store": set(),
    "accounts": {"store"},
    "events": {"accounts", "store"},
    "issuers": {"store"},
    "service": {"accounts", "issuers", "store"},
    "sweeps": {"service", "store"},
    "retention": {"service", "store", "sweeps"},
    "observe": set(),
    "outages": {"store"},
    "logs": {"observe", "outages", "service"},
    "metrics": {"events", "observe", "service", "store"},
    "health": {"heartbeat", "service", "store"},
    "prefix": {"service"},
    "security": {"service"},
    "demo": {"accounts", "service", "store"},
    "doctor": {"accounts", "events", "heartbeat", "service", "store", "sweeps"},
    "sync": {"accounts", "events", "issuers", "service", "store", "sweeps"},
    "operations": {"accounts", "events", "issuers", "observe", "service", "store", "sweeps", "sync"},
    "actions": {"operations"},
    "people": {"accounts", "actions", "events", "operations", "service", "store", "sync"},
    "api": {"accounts", "actions", "events", "issuers", "logs", "operations", "people", "service", "store", "sync"},
    "web": {"actions", "service", "store"},
    "queue": set(),
    "connection_budget": {"store"},
    "heartbeat": {"service", "store"},
    "jobs": {
        "accounts",
        "connection_budget",
        "events",
        "heartbeat",
        "logs",
        "operations",
        "queue",
        "retention",
        "service",
        "store",
        "sweeps",
        "sync",
    },
    # What stands between gunicorn and the application knows nothing of either's insides.
    "server": set(),
    "gunicorn_conf": {"api", "connection_budget", "jobs", "logs", "server", "service", "store"},
    # `app/__init__.py` wires the parts of the web application.
    "app": {"api", "health", "jobs", "logs", "metrics", "observe", "prefix", "security", "service", "store", "web"},
    "cli": {
        "accounts",
        "api",
        "app",
        "demo",
        "doctor",
        "events",
        "issuers",
        "operations",
        "people",
        "service",
        "store",
        "sweeps",
        "sync",
    },
}

# Everything below the HTTP faces works without Flask: jobs and the command line use it, too.
WITHOUT_FLASK = PLAIN | {
    "accounts",
    "actions",
    "demo",
    "events",
    "heartbeat",
    "issuers",
    "jobs",
    "queue",
    "retention",
    "server",
    "store",
    "sweeps",
}

LONGEST = 300
MAY_BE_LONGER = {
    "app/errors.py": "the catalogue of all errors, one after another; most of it is text",
    "app/schema.py": "the kinds of field, one after another",
    "app/store/tables.py": "the tables, one after another",
}

TIME_CALLS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.localtime",
    "time.gmtime",
}
MAY_ASK_FOR_THE_TIME = {
    "app/store/writers.py": "how long a writer has waited for its turn",
    "app/issuers/passkit/transport.py": "how long a call to PassKit has taken; tests hand in another one",
    "app/server/worker.py": "how long a client may take",
    "app/timed.py": "how long an answer may take",
    "app/api/shared_limit.py": "how long Redis is left alone",
    "app/store/chunks.py": "how long a transaction held the database's writer",
    "app/events/sending.py": "how long an attempt took",
    "app/model.py": "the clock itself; and IDs sort by the real time, in tests too",
    "app/observe.py": "how long a request took",
}


MAY_NAME_PASSKIT = {
    "app/issuers/__init__.py": "it is registered here",
    "app/settings.py": "its own setting",
    "app/cli/passkit.py": "its own commands",
    "app/cli/__init__.py": "they are registered here",
}


def sources() -> Sources:
    """Return the text of every module of the service, by its path."""
    found = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in (ROOT / "app").rglob("*.py")}
    assert len(found) > 60
    return {path: text for path, text in found.items() if "/migrations/" not in path}


def part_of(path: str) -> str:
    """Return the part of the house that a module belongs to: `app/api/passes.py` is of `api`."""
    words = path.removesuffix(".py").removesuffix("/__init__").split("/")
    return words[1] if len(words) > 1 else "app"


def imported(text: str) -> Iterator[str]:
    """Return the dotted names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            # `from app import errors` imports the module `app.errors`, `from app.errors import X` a thing of it.
            yield from (f"app.{alias.name}" for alias in node.names) if name == "app" else (name,)


def wrong_imports(texts: Sources) -> list[str]:
    """Return what is imported although the table does not allow it."""
    parts = {part_of(path) for path in texts} - {"app"}
    wrong = []
    for path, text in texts.items():
        part = part_of(path)
        allowed = PLAIN | {part} | ALLOWED.get(part, set())
        for name in imported(text):
            words = name.split(".")
            if words[0] == "":
                wrong.append(f"{path}: relative import {name}")
            elif words[0] == "app":
                target = words[1] if len(words) > 1 and words[1] in parts else "app"
                if target not in allowed:
                    wrong.append(f"{path}: {part} may not import {target}")
            elif words[0].startswith("flask") and part in WITHOUT_FLASK:
                wrong.append(f"{path}: {part} may not import {words[0]}")
    return wrong


def too_long(texts: Sources) -> set[str]:
    """Return the modules that are longer than a module should be."""
    return {path for path, text in texts.items() if text.count("\n") > LONGEST}


def asks_for_the_time(texts: Sources) -> set[str]:
    """Return the modules that ask the machine for the time."""
    found = set()
    for path, text in texts.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute):
                owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
                if f"{owner}.{node.attr}" in TIME_CALLS:
                    found.add(path)
            elif isinstance(node, ast.ImportFrom) and node.module == "time":
                found |= {path for alias in node.names if f"time.{alias.name}" in TIME_CALLS}
    return found


def names_passkit(texts: Sources) -> set[str]:
    """Return the files that name PassKit, outside its own folder."""
    own = "app/issuers/passkit/"
    return {path for path, text in texts.items() if "passkit" in text.lower() and not path.startswith(own)}


def every_text() -> Sources:
    """Return the text of every file of the service, modules, templates and all."""
    found = {str(path.relative_to(ROOT)): path for path in (ROOT / "app").rglob("*") if path.is_file()}
    return {path: file.read_text("utf-8", "replace") for path, file in found.items() if "__pycache__" not in path}


def without_docstring(texts: Sources) -> list[str]:
    """Return the modules, public classes, functions and methods that do not say what they are for.

    A method that takes the place of one in a base class is described there; an error says it in `explanation`.
    """
    missing = []
    for path, text in texts.items():
        tree = ast.parse(text)
        missing += [path] if ast.get_docstring(tree) is None else []
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                missing += [f"{path}: {name}" for name in _undescribed(path, node)]
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_undescribed(node):
                missing.append(f"{path}: {node.name}")
    return missing


def _undescribed(path: str, node: ast.ClassDef) -> Iterator[str]:
    explained = any(
        isinstance(one, ast.Assign) and getattr(one.targets[0], "id", "") == "explanation" for one in node.body
    )
    if not explained and _is_undescribed(node):
        yield node.name
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and _is_undescribed(method) and not _is_inherited(path, node, method):
            yield f"{node.name}.{method.name}"


def _is_undescribed(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return not node.name.startswith("_") and ast.get_docstring(node) is None


def _is_inherited(path: str, node: ast.ClassDef, method: ast.FunctionDef) -> bool:
    if not node.bases:
        return False
    module = importlib.import_module(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    bases = inspect.getmro(getattr(module, node.name))[1:]
    return any(method.name in vars(base) for base in bases)


def never_used(names: set[str], texts: Sources) -> set[str]:
    """Return those of the names that no action uses, and nothing of the events' own."""
    used = {
        node.id
        for path, text in texts.items()
        if part_of(path) in ("events", "operations", "sync")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Name)
    }
    return names - used


def test_imports_go_the_agreed_way() -> None:
    assert wrong_imports(sources()) == []


def test_the_table_of_imports_names_every_part_and_goes_round_nowhere() -> None:
    texts = sources()
    assert {part_of(path) for path in texts} == set(ALLOWED) | PLAIN
    TopologicalSorter(ALLOWED).prepare()


def test_the_table_of_imports_allows_nothing_that_is_not_needed() -> None:
    texts = sources()
    needed: dict[str, set[str]] = {part: set() for part in ALLOWED}
    for path, text in texts.items():
        for name in imported(text):
            words = name.split(".")
            if words[0] == "app" and part_of(path) in ALLOWED:
                needed[part_of(path)].add(words[1] if len(words) > 1 and words[1] in ALLOWED else "app")
    for part, allowed in ALLOWED.items():
        assert allowed - needed[part] == set(), f"{part} does not import these"


def test_an_import_the_wrong_way_is_caught() -> None:
    planted = {
        "app/store/passes.py": "from app.actions.shared import updates",
        "app/store/engine.py": "from app import errors, api",
        "app/issuers/protocol.py": "def later():\n    import app.events.outbox",
        "app/actions/inputs.py": "from flask import g",
        "app/actions/rules.py": "from . import inputs",
        "app/model.py": "from app.store import tables",
        "app/web/pages.py": "from app import create_app",
        "app/events/outbox.py": "from app.events.types import POINTS_CHANGED\nfrom app.store import tables",
    }
    everything = {**dict.fromkeys(sources(), ""), **planted}
    assert sorted(wrong_imports(everything)) == [
        "app/actions/inputs.py: actions may not import flask",
        "app/actions/rules.py: relative import .",
        "app/issuers/protocol.py: issuers may not import events",
        "app/model.py: model may not import store",
        "app/store/engine.py: store may not import api",
        "app/store/passes.py: store may not import actions",
        "app/web/pages.py: web may not import app",
    ]


def test_no_module_is_too_long_but_those_with_a_reason() -> None:
    assert too_long(sources()) == set(MAY_BE_LONGER)


def test_a_module_that_is_too_long_is_caught() -> None:
    assert too_long({"app/a.py": "\n" * 301, "app/b.py": "\n" * 300}) == {"app/a.py"}


def test_only_the_clock_and_few_others_ask_for_the_time() -> None:
    assert asks_for_the_time(sources()) == set(MAY_ASK_FOR_THE_TIME)


def test_asking_for_the_time_is_caught() -> None:
    planted = {
        "app/a.py": "import datetime\ndatetime.datetime.now()",
        "app/b.py": "from datetime import datetime\nclock = datetime.now",
        "app/c.py": "from time import time_ns",
        "app/d.py": "import time\ntime.time()",
        "app/e.py": "import time\ntime.sleep(1)",
    }
    assert asks_for_the_time(planted) == {"app/a.py", "app/b.py", "app/c.py", "app/d.py"}


def test_passkit_is_named_only_where_it_is_registered() -> None:
    assert names_passkit(every_text()) == set(MAY_NAME_PASSKIT)


def test_naming_passkit_anywhere_else_is_caught() -> None:
    planted = {
        "app/a.py": "# as PassKit does",
        "app/web/templates/web/b.html": "<p>PASSKIT</p>",
        "app/sync/c.py": 'if program.issuer == "passkit": ...',
        "app/issuers/passkit/d.py": "PassKit",
        "app/e.py": "the remote issuer",
    }
    assert names_passkit(planted) == {"app/a.py", "app/web/templates/web/b.html", "app/sync/c.py"}


def test_every_public_thing_says_what_it_is_for() -> None:
    assert without_docstring(sources()) == []


def test_a_thing_without_description_is_caught() -> None:
    text = '"""Words."""\nclass A:\n    def run(self): ...\n    def _run(self): ...\ndef b(): ...\ndef _c(): ...\n'
    assert without_docstring({"app/x.py": text}) == ["app/x.py: A", "app/x.py: A.run", "app/x.py: b"]
    assert without_docstring({"app/x.py": "x = 1"}) == ["app/x.py"]
    error = '"""Words."""\nclass Broken(PassrailError):\n    explanation = "It broke."\n'
    assert without_docstring({"app/errors.py": error}) == []


def test_every_type_of_event_is_described_and_written_somewhere() -> None:
    names = {name for name in vars(event_types) if name.isupper() and name != "DESCRIPTIONS"}
    assert len(names) >= 7
    values = [getattr(event_types, name) for name in sorted(names)]
    assert sorted(values) == sorted(event_types.DESCRIPTIONS)
    assert all(text.endswith(".") for text in event_types.DESCRIPTIONS.values())
    texts = {path: text for path, text in sources().items() if path != "app/events/types.py"}
    assert never_used(names, texts) == set()


def test_an_event_that_nothing_writes_is_caught() -> None:
    assert never_used({"PASS_EXPLODED"}, sources()) == {"PASS_EXPLODED"}


def subclasses(kind: type[PassrailError]) -> Iterator[type[PassrailError]]:
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


def test_every_error_has_its_words() -> None:
    every = [one for one in subclasses(PassrailError) if one.__module__ == errors.__name__]
    assert set(errors.catalogue()) >= set(every)
    assert len(every) >= 20
    for kind in every:
        own = vars(kind)
        for name in ("status", "code", "title", "explanation", "example"):
            assert name in own, f"{kind.__name__} has no {name}"
        assert 400 <= kind.status <= 599
        assert not kind.title.endswith(".")
        assert kind.explanation.endswith(".")
        assert kind.example.endswith(".")
        assert kind().detail == kind.example


def test_every_error_has_a_code_of_its_own_and_stands_in_the_tree() -> None:
    codes = [kind.code for kind in errors.catalogue()]
    assert len(codes) == len(set(codes))
    assert all(code == code.lower() and " " not in code for code in codes)
    tree = {line.split()[0]: line for line in (errors.__doc__ or "").splitlines() if line.strip()[:3].isdigit()}
    for kind in errors.catalogue():
        assert kind.__name__ in tree[str(kind.status)], f"{kind.__name__} is not in the tree of app/errors.py"
