"""`passrail backup` and `passrail restore`."""

from __future__ import annotations

from pathlib import Path

import click

from app.accounts import sealed
from app.cli.common import open_service
from app.service import make_service
from app.settings import load_settings
from app.store import backup as backups
from app.store import migrate as migrations


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Write the whole database into FILE, while the service runs.

    The file holds people's data. It is of no use without the keys in VAULT_KEYS, which are not in it.
    """
    service = open_service()
    with service.store.read() as connection:
        key_ids = sealed.key_ids(connection)
    backups.take(service.settings, file)
    click.echo(f"Wrote {file} ({file.stat().st_size / 1_000_000:.1f} MB).")
    click.echo(_keys_needed(key_ids))


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, exists=True, path_type=Path))
def restore(file: Path) -> None:
    """Put the backup FILE into the database of DATABASE_URL, or of DATA_DIR, which must be empty.

    Stop web server and worker first. Afterwards run 'passrail migrate' if this version is newer than the backup.
    """
    settings = load_settings()
    backups.restore(settings, file)
    service = make_service(settings)
    click.echo(f"Restored {file}.")
    if not migrations.is_current(service.store):
        click.echo("Its tables are not those of this version: run 'passrail migrate' before you start the service.")
        return
    with service.store.read() as connection:
        key_ids, missing = sealed.key_ids(connection), sealed.missing_key_ids(connection, service.vault)
    click.echo(_keys_needed(key_ids))
    if missing:
        click.echo(f"VAULT_KEYS lacks {', '.join(missing)}: what was sealed with it cannot be used until it is there.")


def _keys_needed(key_ids: set[str]) -> str:
    if not key_ids:
        return "Nothing in it is sealed: it needs no key."
    return f"It needs these keys in VAULT_KEYS: {', '.join(sorted(key_ids))}."
