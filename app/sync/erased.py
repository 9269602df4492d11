"""Keeping out people who were erased, by keyed hashes of the names they had.

A record that a remote issuer still has comes with every webhook, import and look. It stays out for good by the issuer's
own ID of it. Records that were never on record here stay out by external ID, or by e-mail address where they have no
external ID, if the issuer made them before the erasure: one that it makes later is of somebody who has come anew.
"""

from __future__ import annotations

import json
from dataclasses import replace

from sqlalchemy import Connection

from app.accounts.secret import Purpose
from app.model import Mode, Pass
from app.service import Service
from app.store import erased_people

# Stands for the program in the hash of somebody who was erased from all of them.
EVERY_PROGRAM = ""


def digest_of(service: Service, account_id: str, mode: Mode, program_id: str, kind: str, name: str) -> str:
    """Return the keyed hash of a name.

    Args:
        service: has the key.
        account_id, mode: whose data.
        program_id: in which program; `EVERY_PROGRAM`: in all of them.
        kind: `external_id`, `email`, `upstream_id` or `pass_id`.
        name: the name.
    """
    return service.secret.digest(Purpose.PERSON, json.dumps([account_id, mode.value, program_id, kind, name]))


def is_erased(connection: Connection, service: Service, found: Pass) -> bool:
    """Tell whether a record of a remote issuer, which is not on record here, is of somebody who was erased."""
    assert found.upstream_id is not None
    place = found.account_id, found.mode
    if is_record_erased(connection, service, *place, found.program_id, found.upstream_id):
        return True
    kind, name = ("external_id", found.external_id) if found.external_id is not None else ("email", found.email)
    if name is None:
        return False
    scopes = found.program_id, EVERY_PROGRAM
    digests = [digest_of(service, *place, program_id, kind, name) for program_id in scopes]
    erased_at = erased_people.last_erased_at(connection, digests)
    return erased_at is not None and found.created_at <= erased_at


def is_record_erased(
    connection: Connection, service: Service, account_id: str, mode: Mode, program_id: str, upstream_id: str
) -> bool:
    """Tell whether the issuer's record of this ID is of somebody who was erased."""
    digest = digest_of(service, account_id, mode, program_id, "upstream_id", upstream_id)
    return erased_people.last_erased_at(connection, [digest]) is not None


def without_names(connection: Connection, service: Service, gone: Pass) -> Pass:
    """Return a pass that is gone for good without external ID and the issuer's ID, if its person is being erased."""
    digest = digest_of(service, gone.account_id, gone.mode, gone.program_id, "pass_id", gone.id)
    if erased_people.last_erased_at(connection, [digest]) is None:
        return gone
    return replace(gone, external_id=None, upstream_id=None)
