"""Settings: read from the environment or from files, refused in a sentence, and all of them in `docs/settings.md`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from app.settings import InvalidSetting, Settings, load_settings

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
INTRODUCTION = """\
# Settings

All settings come from the environment; none is needed to try the service out. A setting `NAME` that is absent or empty
is read from the file whose path stands in `NAME_FILE`, if there is one: that is how container platforms hand over
secrets (`DATABASE_URL_FILE=/run/secrets/database_url`). A value that cannot be used stops the service at its start,
with a sentence that says what would be right.

"""


def render_page() -> str:
    """Return what `docs/settings.md` must be."""
    lines = ["| Setting | Default | What it means |", "|---|---|---|"]
    for setting in dataclasses.fields(Settings):
        default = f"`{setting.default}`" if setting.default != "" else "none"
        metadata = setting.metadata
        extra = f" One of {', '.join(f'`{one}`' for one in metadata['choices'])}." if metadata["choices"] else ""
        if metadata["at_least"] is not None:
            extra += f" At least {metadata['at_least']}."
        if metadata["at_most"] is not None:
            extra += f" At most {metadata['at_most']}."
        lines.append(f"| `{setting.name.upper()}` | {default} | {metadata['help']}{extra} |")
    return INTRODUCTION + "\n".join(lines) + "\n"


def test_the_page_about_settings_is_what_the_code_says() -> None:
    right = render_page()
    written = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    assert written == right, f"{PAGE.name} is stale; it must be:\n\n{right}"


def test_the_page_names_every_setting_with_its_help() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for setting in dataclasses.fields(Settings):
        assert setting.metadata["help"].endswith(".")
        assert f"| `{setting.name.upper()}` |" in page


def test_without_an_environment_every_setting_has_its_default() -> None:
    assert load_settings({}) == Settings()
    assert load_settings({setting.name.upper(): "" for setting in dataclasses.fields(Settings)}) == Settings()


def test_every_setting_is_read_from_the_variable_of_its_name() -> None:
    changed: dict[str, str | int] = {}
    for setting in dataclasses.fields(Settings):
        if setting.metadata["choices"]:
            changed[setting.name] = next(one for one in setting.metadata["choices"] if one != setting.default)
        elif isinstance(setting.default, int):
            changed[setting.name] = setting.default + 1
        else:
            changed[setting.name] = f"{next(iter(setting.metadata['begins']), '')}another"
    read = load_settings({name.upper(): str(value) for name, value in changed.items()})
    assert dataclasses.asdict(read) == changed


def test_a_setting_is_read_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "database_url"
    secret.write_text("  postgresql://passrail:pässword@db/passrail\n", encoding="utf-8")
    read = load_settings({"DATABASE_URL_FILE": str(secret)})
    assert read.database_url == "postgresql://passrail:pässword@db/passrail"
    number = tmp_path / "port"
    number.write_text("9000\n", encoding="utf-8")
    assert load_settings({"PORT_FILE": str(number)}).port == 9000


def test_the_variable_wins_over_the_file_unless_it_is_empty(tmp_path: Path) -> None:
    number = tmp_path / "port"
    number.write_text("9000", encoding="utf-8")
    assert load_settings({"PORT": "9001", "PORT_FILE": str(number)}).port == 9001
    assert load_settings({"PORT": "", "PORT_FILE": str(number)}).port == 9000
    assert load_settings({"PORT_FILE": ""}).port == 8000


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(InvalidSetting, match=r"^PORT_FILE names .*nowhere, which cannot be read: No such file"):
        load_settings({"PORT_FILE": str(missing)})
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidSetting, match=r"^PORT_FILE names .*binary, which is not text in UTF-8\.$"):
        load_settings({"PORT_FILE": str(binary)})


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("PORT", "http", "PORT is 'http'; it must be a whole number."),
        ("PORT", "80.5", "PORT is '80.5'; it must be a whole number."),
        ("PORT", "0", "PORT is 0; it must be 1 or more."),
        ("TRUSTED_PROXIES", "-1", "TRUSTED_PROXIES is -1; it must be 0 or more."),
        ("ANSWER_DAYS", "0", "ANSWER_DAYS is 0; it must be 1 or more."),
        ("OPERATION_DAYS", "399", "OPERATION_DAYS is 399; it must be 400 or more."),
        ("LOG_LEVEL", "loud", "LOG_LEVEL is 'loud'; it must be one of DEBUG, INFO, WARNING, ERROR."),
        ("SQLITE_SYNCHRONOUS", "OFF", "SQLITE_SYNCHRONOUS is 'OFF'; it must be one of NORMAL, FULL."),
    ],
)
def test_a_wrong_value_is_refused_in_a_sentence(name: str, text: str, sentence: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        load_settings({name: text})
    assert str(caught.value) == sentence


NAME_OF_A_MACHINE = "HOST cannot be used: it must be an IP address or the name of a machine, without a port."
PUBLIC = "BASE_URL cannot be used: "
RECEIVER = "must be host or host:port, without https:// and without a path."


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("PORT", "65536", "PORT is 65536; it must be 65535 or less."),
        ("HOST", "0.0.0.0:8000", NAME_OF_A_MACHINE),
        ("HOST", "my host", NAME_OF_A_MACHINE),
        ("HOST", "1.2.3", NAME_OF_A_MACHINE),
        *(
            ("BASE_URL", url, f"{PUBLIC}it must have a proper host and port, as in https://pass.example.com.")
            for url in (
                "https://",
                "https:///path",
                "https://-a-",
                "https://a..b",
                "https://a b",
                "https://1.2.3",
                "https://a:99999",
                "https://a:0",
                "https://a:x",
                "https://a:",
                "https://[::1",
                "https://a\\b",
            )
        ),
        *(
            ("BASE_URL", url, f"{PUBLIC}it must have no user name, no '?' and no '#'.")
            for url in ("https://u:pw@a", "https://a?x=1", "https://a/b?", "https://a#x", "https://a/#")
        ),
        *(
            (
                "BASE_URL",
                url,
                f"{PUBLIC}its path may have letters, digits, '-', '_', '.', '~' and single slashes.",
            )
            for url in ("https://a//b", "https://a/../b", "https://a/%2e", "https://a/b/./c", "https://a/b//")
        ),
        (
            "BASE_URL",
            "https://a/docs/x",
            f"{PUBLIC}its path must not begin with /docs, which is an address of the service itself.",
        ),
        (
            "DATABASE_URL",
            "postgresql://u:hunter2@db:port/x",
            "DATABASE_URL cannot be used: it must have the form postgresql://user:password@host:port/name; "
            "special characters need %XX.",
        ),
        ("DATABASE_URL", "postgresql://db:70000/x", "DATABASE_URL cannot be used: its port must be from 1 to 65535."),
        ("DATABASE_URL", "postgresql://u@d b/x", "DATABASE_URL cannot be used: its host must have no spaces."),
        *(
            (
                "DATABASE_URL",
                url,
                "DATABASE_URL cannot be used: it must name a file: sqlite:////folder/file.db, with four slashes.",
            )
            for url in ("sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://folder/file.db")
        ),
        *(
            (
                "REDIS_URL",
                url,
                "REDIS_URL cannot be used: it must have a proper host and port, as in redis://host:6379/0.",
            )
            for url in ("redis://", "redis:///0", "redis://:pw@/0", "redis://h:port", "redis://h:99999", "redis://a b")
        ),
        (
            "REDIS_URL",
            "redis://h/first",
            "REDIS_URL cannot be used: it may end with the number of a database only: /0.",
        ),
        ("REDIS_URL", "unix://", "REDIS_URL cannot be used: it must name a socket: unix:///folder/redis.sock."),
        ("HOOK_ALLOWED_HOSTS", "https://x/y", f"HOOK_ALLOWED_HOSTS cannot be used: entry 1 {RECEIVER}"),
        ("HOOK_ALLOWED_HOSTS", "a, b/c", f"HOOK_ALLOWED_HOSTS cannot be used: entry 2 {RECEIVER}"),
        ("HOOK_ALLOWED_HOSTS", "a,,b", f"HOOK_ALLOWED_HOSTS cannot be used: entry 2 {RECEIVER}"),
        ("HOOK_ALLOWED_HOSTS", "a:b", f"HOOK_ALLOWED_HOSTS cannot be used: entry 1 {RECEIVER}"),
        ("HOOK_ALLOWED_HOSTS", "u@a", f"HOOK_ALLOWED_HOSTS cannot be used: entry 1 {RECEIVER}"),
        ("HOOK_ALLOWED_HOSTS", "a:70000", f"HOOK_ALLOWED_HOSTS cannot be used: entry 1 {RECEIVER}"),
    ],
)
def test_an_address_that_cannot_work_is_refused_in_a_sentence(name: str, text: str, sentence: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        load_settings({name: text})
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("HOST", text) for text in ("127.0.0.1", "::", "localhost", "web-1.internal")),
        *(("BASE_URL", text) for text in ("http://localhost:8000", "https://[::1]:8443/", "https://a.b/c/d-e.f/")),
        *(("DATABASE_URL", text) for text in ("postgresql:///x?host=/run/postgresql", "sqlite:///near.db")),
        *(("REDIS_URL", text) for text in ("redis://:p%40w@h:6379/0", "rediss://u:p@h", "unix:///run/redis.sock?db=1")),
        *(("HOOK_ALLOWED_HOSTS", text) for text in ("a", "a:8080, b.c", "10.0.0.1:80,[::1]:80", "host_name")),
    ],
)
def test_an_address_that_can_work_is_taken(name: str, text: str) -> None:
    assert getattr(load_settings({name: text}), name.lower()) == text


def test_every_number_has_a_least_value_and_holds_to_it() -> None:
    numbers = [setting for setting in dataclasses.fields(Settings) if isinstance(setting.default, int)]
    assert len(numbers) >= 8
    for setting in numbers:
        least = setting.metadata["at_least"]
        assert getattr(load_settings({setting.name.upper(): str(least)}), setting.name) == least
        with pytest.raises(InvalidSetting, match=setting.name.upper()):
            load_settings({setting.name.upper(): str(least - 1)})


@pytest.mark.parametrize("url", ["mysql://user:hunter2@db/x", "nonsense hunter2", "postgres hunter2"])
def test_a_database_of_another_kind_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(InvalidSetting, match=r"^DATABASE_URL must begin with one of postgresql://,") as caught:
        load_settings({"DATABASE_URL": url})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("postgres://u:p@db:5432/x", "postgresql+psycopg://u:p@db:5432/x"),
        ("postgresql://u:p@db/x?sslmode=require", "postgresql+psycopg://u:p@db/x?sslmode=require"),
        ("postgresql+psycopg://u@db/x", "postgresql+psycopg://u@db/x"),
        ("sqlite:////srv/passrail.db", "sqlite:////srv/passrail.db"),
    ],
)
def test_database_addresses_lead_to_the_driver(given: str, url: str) -> None:
    assert load_settings({"DATABASE_URL": given}).database == url


def test_without_an_address_the_database_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    assert load_settings({"DATA_DIR": str(tmp_path)}).database == f"sqlite:///{tmp_path}/passrail.db"


def test_the_public_address_is_the_local_one_until_another_is_set() -> None:
    assert load_settings({"PORT": "9000"}).public_url == "http://localhost:9000"
    assert load_settings({"BASE_URL": "https://pass.example.com/"}).public_url == "https://pass.example.com"


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9123")
    assert load_settings().port == 9123


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]
