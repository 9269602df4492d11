"""The tables, as SQLAlchemy Core sees them. `migrations/` makes them; a test holds the two together.

Instants are whole milliseconds since 1970 (UTC), points are whole hundredths: both are exact in SQLite and
PostgreSQL alike and cost nothing to convert. Columns that hold structured values hold JSON text.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Computed, ForeignKey, Index, Integer, MetaData, String, Table, Text, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(60), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    # ISO 3166 code of the country that phone numbers without a country code are read as numbers of.
    Column("default_country", String(2)),
)

# What this installation alone knows (`accounts/secret.py`): one row.
secrets = Table(
    "secrets",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("value", Text, nullable=False),
)

# One row for each process of the worker: when it was last alive. A web server on another machine sees it here.
workers = Table(
    "workers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("started_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    # The number is the key's place in the shared table of the rate limiter.
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("mode", String(4), nullable=False),
    Column("scopes", String(40), nullable=False),
    Column("hint", String(20), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

programs = Table(
    "programs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("mode", String(4), nullable=False),
    Column("issuer", String(20), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("name", String(80), nullable=False),
    Column("tiers", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("colors", Text, nullable=False),
    Column("logo_text", Text),
    Column("terms", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # What a remote issuer calls it, and what it says of it beyond the columns above (JSON).
    Column("upstream_id", String(64)),
    Column("upstream", Text),
)
Index("ix_programs_world", programs.c.account_id, programs.c.mode, programs.c.id)
Index("ix_programs_kind", programs.c.account_id, programs.c.mode, programs.c.kind, programs.c.id)
Index("uq_programs_name", programs.c.account_id, programs.c.mode, programs.c.name, unique=True)
# NULL for programs of our own, and two NULLs are never equal.
Index("uq_programs_upstream", programs.c.account_id, programs.c.mode, programs.c.upstream_id, unique=True)

CLOSED_BY = (
    "CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN redeemed_at IS NOT NULL THEN 'redeemed'"
    " WHEN expires_at = expiry_told THEN 'expired' ELSE 'nothing' END"
)

passes = Table(
    "passes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("mode", String(4), nullable=False),
    Column("issuer", String(20), nullable=False),
    Column("program_id", ForeignKey("programs.id"), nullable=False),
    Column("tier_id", String(64), nullable=False),
    Column("external_id", Text),
    Column("email", Text),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("phone", Text),
    Column("points", BigInteger),
    Column("fields", Text, nullable=False),
    Column("install_state", String(20), nullable=False),
    Column("link_token", String(32), nullable=False, unique=True),
    Column("expires_at", BigInteger),
    Column("redeemed_at", BigInteger),
    Column("revoked_at", BigInteger),
    # 0 while the pass exists, so that it can stand in a unique index.
    Column("deleted_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("upstream_id", String(64)),
    # What ended the pass, if something did: lists by status are read from its index. The database works it out, and
    # learns of an expiry when an event tells of it.
    Column("closed_by", String(8), Computed(CLOSED_BY, persisted=True)),
    # The `expires_at` that an event has told of; another one is another expiry.
    Column("expiry_told", BigInteger),
    # What a remote issuer counts towards the tier (memberships), and where a ticket leads to (JSON).
    Column("tier_points", BigInteger),
    Column("ticket", Text),
)
# One pass for one external ID: the promise is kept here, whatever two servers do at the same moment. A permanently
# revoked pass keeps its external ID for the record and sets it free for a new one. Account and mode follow from the
# program; with them the external ID is found in all programs at once.
HAS_EXTERNAL_ID = text("external_id IS NOT NULL")
Index(
    "uq_passes_external_id",
    passes.c.account_id,
    passes.c.mode,
    passes.c.external_id,
    passes.c.program_id,
    passes.c.deleted_at,
    unique=True,
    sqlite_where=HAS_EXTERNAL_ID,
    postgresql_where=HAS_EXTERNAL_ID,
)
# One pass for one record of a remote issuer, whoever finds it first.
AT_REMOTE_ISSUER = text("upstream_id IS NOT NULL")
Index(
    "uq_passes_upstream",
    passes.c.program_id,
    passes.c.upstream_id,
    unique=True,
    sqlite_where=AT_REMOTE_ISSUER,
    postgresql_where=AT_REMOTE_ISSUER,
)
# Lists of passes are read from these (`pass_lists.py`); all end in the list's order. Passes of all states, or of all
# ends, are merged from the ranges of each, so that no index is needed without them.
Index("ix_passes_install_state", passes.c.account_id, passes.c.mode, passes.c.install_state, passes.c.id)
Index("ix_passes_tier", passes.c.account_id, passes.c.mode, passes.c.tier_id, passes.c.id)
Index("ix_passes_closed_by", passes.c.account_id, passes.c.mode, passes.c.closed_by, passes.c.id)
Index("ix_passes_updated", passes.c.account_id, passes.c.mode, passes.c.updated_at, passes.c.id)
Index("ix_passes_program_tier", passes.c.program_id, passes.c.tier_id, passes.c.id)
Index("ix_passes_program_closed_by", passes.c.program_id, passes.c.closed_by, passes.c.id)
Index("ix_passes_program_updated", passes.c.program_id, passes.c.updated_at, passes.c.id)
HAS_EMAIL = text("email IS NOT NULL")
Index(
    "ix_passes_email",
    passes.c.account_id,
    passes.c.mode,
    passes.c.email,
    passes.c.id,
    sqlite_where=HAS_EMAIL,
    postgresql_where=HAS_EMAIL,
)
# What the search for expired passes reads: those whose expiry no event has told of yet.
EXPIRY_NOT_NOTIFIED = text(
    "expires_at IS NOT NULL AND closed_by = 'nothing' AND (expiry_told IS NULL OR expiry_told <> expires_at)"
)
Index(
    "ix_passes_expiry_untold",
    passes.c.expires_at,
    sqlite_where=EXPIRY_NOT_NOTIFIED,
    postgresql_where=EXPIRY_NOT_NOTIFIED,
)

operations = Table(
    "operations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("mode", String(4), nullable=False),
    Column("action", String(40), nullable=False),
    Column("status", String(12), nullable=False),
    # Stands for the idempotency key, which is not kept (`operations/repeats.py`). NULL where the caller gave none; two
    # NULLs are never equal, so such operations never collide.
    Column("key_digest", String(64)),
    Column("fingerprint", String(64), nullable=False),
    Column("lease_until", BigInteger),
    Column("program_id", String(64)),
    Column("pass_id", String(64)),
    Column("answer", Text),
    Column("problem", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    # What is to be made true at a remote issuer (JSON, `operations/plan.py`): anybody can then finish it.
    Column("request", Text),
    # When the issuer was last sent something whose outcome we do not know for certain.
    Column("tried_at", BigInteger),
    # When an unknown outcome is looked into next, and how often that was done.
    Column("look_at", BigInteger),
    Column("looks", Integer, nullable=False, server_default="0"),
    # Who settled it by hand, when and how (JSON).
    Column("resolution", Text),
)
Index(
    "uq_operations_key",
    operations.c.account_id,
    operations.c.mode,
    operations.c.action,
    operations.c.key_digest,
    unique=True,
)
# What the purge of stored answers reads. Whole rows are found by their IDs, which sort by age.
ANSWERED = text("answer IS NOT NULL")
Index("ix_operations_answered", operations.c.created_at, sqlite_where=ANSWERED, postgresql_where=ANSWERED)
OPEN = text("status IN ('running', 'unknown')")
Index("ix_operations_open", operations.c.status, sqlite_where=OPEN, postgresql_where=OPEN)
Index("ix_operations_pass", operations.c.pass_id, operations.c.id)
# Where an export or an erasure looks for a person whose pass was never made, or was named without its ID.
HAS_TEXTS = text("request IS NOT NULL OR problem IS NOT NULL")
Index(
    "ix_operations_texts",
    operations.c.account_id,
    operations.c.mode,
    operations.c.id,
    sqlite_where=HAS_TEXTS,
    postgresql_where=HAS_TEXTS,
)

events = Table(
    "events",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("mode", String(4), nullable=False),
    Column("type", String(30), nullable=False),
    # NULL where the event is about a hook.
    Column("program_id", String(64)),
    Column("pass_id", String(64)),
    Column("operation_id", String(40)),
    Column("data", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
Index("ix_events_world", events.c.account_id, events.c.mode, events.c.id)
Index("ix_events_type", events.c.account_id, events.c.mode, events.c.type, events.c.id)
Index("ix_events_program", events.c.program_id, events.c.type, events.c.id)
Index("ix_events_pass", events.c.pass_id, events.c.id)

connections = Table(
    "connections",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("mode", String(4), primary_key=True),
    Column("issuer", String(20), nullable=False),
    Column("region", String(20), nullable=False),
    Column("base_url", Text, nullable=False),
    Column("pass_url", Text, nullable=False),
    # Sealed by `accounts/vault.py` for exactly this row.
    Column("credentials", Text, nullable=False),
    Column("company", Text, nullable=False),
    Column("username", Text, nullable=False),
    Column("connected_at", BigInteger, nullable=False),
    Column("last_worked_at", BigInteger, nullable=False),
    Column("last_problem", Text),
    # When the programs were last read from the issuer.
    Column("refreshed_at", BigInteger),
    # How a revoke ends a card there: by its expiry date, or by deleting its record.
    Column("ends_cards_by", String(10), nullable=False, server_default="expiry"),
    # Sentences on what cannot be used, from the last reading of the programs (JSON list).
    Column("notes", Text),
)

sinks = Table(
    "sinks",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("mode", String(4), nullable=False),
    Column("program_id", ForeignKey("programs.id"), nullable=False),
    # SHA-256 of the token in the address; the address itself is known to the issuer only.
    Column("digest", String(64), nullable=False, unique=True),
    Column("upstream_id", String(64)),
    # When the issuer was last asked for it.
    Column("created_at", BigInteger, nullable=False),
)
Index("uq_sinks_program", sinks.c.program_id, unique=True)

inbox = Table(
    "inbox",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("sink_id", String(40), nullable=False),
    Column("method", String(8), nullable=False),
    Column("body", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    Column("note", Text),
)
WAITING = text("done_at IS NULL")
# A webhook that came several times waits once: the pass is read after the last of them.
Index("uq_inbox_waiting", inbox.c.sink_id, inbox.c.digest, unique=True, sqlite_where=WAITING, postgresql_where=WAITING)
READ = text("done_at IS NOT NULL")
Index("ix_inbox_read", inbox.c.received_at, sqlite_where=READ, postgresql_where=READ)
Index("ix_inbox_sink", inbox.c.sink_id)

hooks = Table(
    "hooks",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("mode", String(4), nullable=False),
    Column("target_url", Text, nullable=False),
    Column("event_types", Text, nullable=False),
    Column("program_id", String(64)),
    Column("status", String(8), nullable=False),
    Column("disabled_reason", String(20)),
    # Sealed where there are vault keys, else plain (`events/hook_secrets.py`).
    Column("secret", Text, nullable=False),
    Column("old_secret", Text),
    Column("old_secret_until", BigInteger),
    # How it fares: attempts that failed since the first one within a day, and since when nothing gets through.
    Column("failures", Integer, nullable=False),
    Column("first_failure_at", BigInteger),
    Column("failing_since", BigInteger),
    # How much is sent to it at once, and until when nothing is (`events/pace.py`).
    Column("at_once", Integer, nullable=False, server_default="2"),
    Column("failures_in_row", Integer, nullable=False, server_default="0"),
    Column("rests_until", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
Index("ix_hooks_world", hooks.c.account_id, hooks.c.mode, hooks.c.id)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("hook_id", ForeignKey("hooks.id"), nullable=False),
    Column("event_id", String(48), nullable=False),
    Column("event_type", String(30), nullable=False),
    # The body of a test, which has no event. What is sent of an event is read from the event itself.
    Column("test_body", Text),
    Column("status", String(10), nullable=False),
    Column("attempts", Text, nullable=False),
    # Tries since it was made or replayed; the place in the schedule.
    Column("tries", Integer, nullable=False),
    Column("next_attempt_at", BigInteger),
    Column("lease_until", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
)
Index("ix_deliveries_hook", deliveries.c.hook_id, deliveries.c.id)
Index("ix_deliveries_event", deliveries.c.event_id)
# Most are delivered and cost nothing here.
UNDELIVERED = text("status IN ('failed', 'dropped')")
Index(
    "ix_deliveries_undelivered",
    deliveries.c.status,
    deliveries.c.hook_id,
    deliveries.c.id,
    sqlite_where=UNDELIVERED,
    postgresql_where=UNDELIVERED,
)
PENDING = text("status = 'pending'")
Index(
    "ix_deliveries_pending",
    deliveries.c.hook_id,
    deliveries.c.next_attempt_at,
    sqlite_where=PENDING,
    postgresql_where=PENDING,
)
LEASED = text("lease_until IS NOT NULL")
Index(
    "ix_deliveries_leased",
    deliveries.c.hook_id,
    deliveries.c.lease_until,
    sqlite_where=LEASED,
    postgresql_where=LEASED,
)
FINISHED = text("finished_at IS NOT NULL")
Index("ix_deliveries_finished", deliveries.c.finished_at, sqlite_where=FINISHED, postgresql_where=FINISHED)

# Work that a sweep or a job could not do because it raised an unexpected exception. While `parked_at` is NULL it is
# tried again at `next_at`; afterwards people decide (`passrail parked`).
troubles = Table(
    "troubles",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("item_id", String(64), primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("why", Text, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("parked_at", BigInteger),
)

# Taking the passes of a remote issuer on record, page by page, so that a stopped import goes on where it was.
imports = Table(
    "imports",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("mode", String(4), nullable=False),
    # NULL: every program of the issuer's.
    Column("program_id", String(64)),
    Column("status", String(10), nullable=False),
    # Where it is: the program it is at, and how many of its records are done (JSON).
    Column("position", Text, nullable=False),
    Column("found", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    # Why it does not go on, if it does not (JSON).
    Column("problem", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
)
Index("ix_imports_world", imports.c.account_id, imports.c.mode, imports.c.id)
UNFINISHED = text("finished_at IS NULL")
Index("ix_imports_unfinished", imports.c.id, sqlite_where=UNFINISHED, postgresql_where=UNFINISHED)

# What stays of people who were erased: keyed hashes of the names they had, by which nothing brings them back.
erased_people = Table(
    "erased_people",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("mode", String(4), nullable=False),
    Column("erased_at", BigInteger, nullable=False),
)
