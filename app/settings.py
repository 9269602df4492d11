"""Every setting once: name, default, help. The environment, the docs and the tests are driven by this list.

A setting `NAME` is read from the environment variable `NAME`, or, where that is absent, from the file whose path
stands in `NAME_FILE` (the way container platforms hand over secrets).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app import setting_rules
from app.setting_rules import Rule


class InvalidSetting(Exception):
    """A setting has a value that cannot be used; the message names it and says what would be right."""


def _setting(
    default: Any,
    help: str,  # noqa: A002
    at_least: int | None = None,
    choices: tuple[str, ...] = (),
    begins: tuple[str, ...] = (),
    at_most: int | None = None,
    rule: Rule | None = None,
) -> Any:
    metadata = {
        "help": help,
        "at_least": at_least,
        "at_most": at_most,
        "choices": choices,
        "begins": begins,
        "rule": rule,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """The service's settings. The environment variable of `database_url` is `DATABASE_URL`, and so on."""

    host: str = _setting(
        "0.0.0.0",  # noqa: S104
        "Address the web server listens on. `127.0.0.1` keeps it on this machine.",
        rule=setting_rules.host,
    )
    port: int = _setting(8000, "Port the web server listens on.", at_least=1, at_most=setting_rules.LARGEST_PORT)
    base_url: str = _setting(
        "",
        "Public address of the service, used in every link. It may have a path, as in `https://example.com/passes`; "
        "the proxy in front may take the path away or leave it. Default: `http://localhost:PORT`.",
        begins=("https://", "http://"),
        rule=setting_rules.public_address,
    )
    data_dir: str = _setting(
        "instance", "Folder for the SQLite database, the job queue and other files of this machine."
    )
    database_url: str = _setting(
        "",
        "SQLAlchemy address of the database, for example `postgresql://user:password@host/name`. "
        "Default: an SQLite file in `DATA_DIR`.",
        begins=("postgresql://", "postgres://", "postgresql+psycopg://", "sqlite://"),
        rule=setting_rules.database_address,
    )
    sqlite_synchronous: str = _setting(
        "NORMAL",
        "SQLite only. `NORMAL` survives any crash of the service; a power cut may cost the last moments. "
        "`FULL` survives power cuts too; an action then takes 35 to 45 % longer.",
        choices=("NORMAL", "FULL"),
    )
    web_concurrency: int = _setting(2, "Number of web server processes.", at_least=1)
    web_threads: int = _setting(
        64,
        "Number of requests each web server process works on at once. At most half of them wait for remote issuers; "
        "with PostgreSQL half of them have a connection.",
        at_least=1,
    )
    trusted_proxies: int = _setting(
        0,
        "Number of reverse proxies in front whose `X-Forwarded-*` headers are believed. 0 believes none.",
        at_least=0,
    )
    rate_limit_per_minute: int = _setting(300, "Requests an API key may make per minute.", at_least=1)
    rate_limit_burst: int = _setting(60, "Requests an API key may make at once before the rate counts.", at_least=1)
    answer_days: int = _setting(
        7,
        "Days for which a repeated request gets the stored answer. Afterwards it is answered with the pass as it is.",
        at_least=1,
    )
    operation_days: int = _setting(
        400,
        "Days for which operations are kept, and with them the idempotency keys: for so long a repeated request is "
        "done once. An operation without an outcome is always kept.",
        at_least=400,
    )
    event_days: int = _setting(400, "Days for which events are kept.", at_least=1)
    delivery_days: int = _setting(30, "Days for which a delivery to a hook is kept after it ended.", at_least=1)
    webhook_days: int = _setting(14, "Days for which what a remote issuer sent is kept after it was read.", at_least=1)
    lease_seconds: int = _setting(
        60, "Seconds after which an operation that calls an issuer is taken for crashed.", at_least=1
    )
    vault_keys: str = _setting(
        "",
        "Keys that encrypt the credentials of connected issuers and the secrets of hooks: `ID:KEY`, several with "
        "commas between, the first one encrypts. `passrail vault new-key` makes one. Without it no issuer can be "
        "connected, and the secrets of hooks are kept in plain text.",
    )
    passkit_at_once: int = _setting(
        32,
        "Requests to PassKit at once for one account, in each process. PassKit publishes no limit; its 429 is heeded.",
        at_least=1,
    )
    redis_url: str = _setting(
        "",
        "Address of a Redis server for the job queue and the rate limit, for example `redis://host:6379/0`. Needed "
        "when web server and worker run on different machines. Default: files in `DATA_DIR`.",
        begins=("redis://", "rediss://", "unix://"),
        rule=setting_rules.redis_address,
    )
    hook_allowed_hosts: str = _setting(
        "",
        "Receivers of events that may be in a private network and plain http: `host` or `host:port`, with commas "
        "between. Every other receiver must be public and https.",
        rule=setting_rules.hosts,
    )
    log_level: str = _setting("INFO", "Least level of the log lines.", choices=("DEBUG", "INFO", "WARNING", "ERROR"))

    @property
    def public_url(self) -> str:
        """`base_url` without a slash at the end, or the local address where none is set."""
        return (self.base_url or f"http://localhost:{self.port}").rstrip("/")

    @property
    def base_path(self) -> str:
        """The path of `public_url`, `/passes` for example; empty where it has none."""
        return urlsplit(self.public_url).path

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the database; plain `postgres://` addresses are led to the psycopg driver."""
        if not self.database_url:
            return f"sqlite:///{Path(self.data_dir).absolute() / 'passrail.db'}"
        scheme, separator, rest = self.database_url.partition("://")
        if scheme in ("postgres", "postgresql"):
            scheme = "postgresql+psycopg"
        return f"{scheme}{separator}{rest}"


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment (default: the process's own).

    Raises:
        InvalidSetting: a value is not a number, too small, or not one of the choices; or a file cannot be read.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for setting in dataclasses.fields(Settings):
        text = _text_of(setting.name.upper(), environment)
        if text is not None:
            values[setting.name] = _parse(setting, text)
    return Settings(**values)


def _text_of(name: str, environment: Mapping[str, str]) -> str | None:
    if environment.get(name):
        return environment[name]
    path = environment.get(f"{name}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InvalidSetting(f"{name}_FILE names {path}, which cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidSetting(f"{name}_FILE names {path}, which is not text in UTF-8.") from error


def _parse(setting: dataclasses.Field[Any], text: str) -> str | int:
    name, choices = setting.name.upper(), setting.metadata["choices"]
    if choices and text not in choices:
        raise InvalidSetting(f"{name} is {text!r}; it must be one of {', '.join(choices)}.")
    begins = setting.metadata["begins"]
    if begins and not text.startswith(begins):
        # The value is not repeated: it may hold a password.
        raise InvalidSetting(f"{name} must begin with one of {', '.join(begins)}.")
    rule = setting.metadata["rule"]
    if rule is not None and (wrong := rule(text)) is not None:
        raise InvalidSetting(f"{name} cannot be used: {wrong}")
    return _parse_number(setting, text) if isinstance(setting.default, int) else text


def _parse_number(setting: dataclasses.Field[Any], text: str) -> int:
    name, at_least, at_most = setting.name.upper(), setting.metadata["at_least"], setting.metadata["at_most"]
    try:
        number = int(text)
    except ValueError:
        raise InvalidSetting(f"{name} is {text!r}; it must be a whole number.") from None
    if at_least is not None and number < at_least:
        raise InvalidSetting(f"{name} is {number}; it must be {at_least} or more.")
    if at_most is not None and number > at_most:
        raise InvalidSetting(f"{name} is {number}; it must be {at_most} or less.")
    return number
