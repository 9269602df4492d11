"""Logs: JSON lines on standard output, one for each finished request, with nothing in them that must not leak.

Log lines travel further than the database does: to collectors, screens, support tickets. So the line of a request
carries IDs and the *rule* of its route only, and everything else that is logged passes the `Scrubber`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any, TextIO, cast

from flask import Flask, g, got_request_exception, has_request_context, request
from pythonjsonlogger.core import RESERVED_ATTRS, merge_record_extra
from pythonjsonlogger.json import JsonEncoder, JsonFormatter

from app.observe import method_of, time_text
from app.outages import OncePerMinute
from app.scrub import scrub, scrub_named, scrub_text
from app.service import current_service

# Libraries that talk at every request, some of them of its path (ours, or that at another service).
TALKATIVE = ("werkzeug", "urllib3", "requests", "alembic")


class Scrubber(logging.Filter):
    """Takes secrets and holders' data out of message, arguments, extras, traceback and stack of a record.

    It belongs on a handler: a logger's own filters do not see the records of the loggers below it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record in place (Python 3.11 knows no other way) and let it pass."""
        record.msg, record.args = self._message(record), None
        if record.exc_info and not record.exc_text:
            record.exc_text = _PLAIN.formatException(record.exc_info)
        record.exc_info = None
        if record.exc_text:
            record.exc_text = scrub_text(record.exc_text)
        if record.stack_info:
            record.stack_info = scrub_text(record.stack_info)
        extras = vars(record)
        for name in extras.keys() - _STANDARD:
            extras[name] = scrub_named(name, extras[name])
        request_id = current_request_id()
        if request_id is not None:
            record.request_id = request_id
        return True

    def _message(self, record: logging.LogRecord) -> str:
        # Mappings among the arguments lose their secrets by name here; once they are text only shapes would be left.
        arguments = record.args
        if isinstance(arguments, Mapping):
            arguments = scrub(arguments)
        elif arguments:
            arguments = tuple(scrub(item) if isinstance(item, (Mapping, list, tuple)) else item for item in arguments)
        try:
            text = str(record.msg) % arguments if arguments else str(record.msg)
        except (TypeError, ValueError, KeyError):
            text = f"{record.msg} (its arguments do not fit)"
        return scrub_text(text)


_PLAIN = logging.Formatter()
_STANDARD = frozenset(RESERVED_ATTRS) | {"taskName"}


class JsonLines(JsonFormatter):
    """One JSON object a line: time, level, logger, message, the extras, and the traceback as `exception`."""

    def __init__(self) -> None:
        super().__init__()
        # The base class makes a new encoder for every line, which costs more than the encoding.
        self._encode = JsonEncoder(ensure_ascii=False, separators=(",", ":")).encode

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Put the fields in the order in which people read them."""
        log_data["time"] = time_text(record.created)
        log_data["level"] = record.levelname.lower()
        log_data["logger"] = record.name
        log_data["message"] = record.message
        merge_record_extra(record, log_data, reserved=_STANDARD)
        for name, value in message_dict.items():
            log_data["exception" if name == "exc_info" else name] = value

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """Write the line."""
        return self._encode(log_data)


class StandardOutput(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stdout` is now, not to what it was when logging was set up (tests replace it)."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(JsonLines())
        self.addFilter(OncePerMinute())
        self.addFilter(Scrubber())

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """The standard output of this moment."""
        return sys.stdout


def configure(level: str) -> logging.Handler:
    """Send all logging of the process to JSON lines; may be called any number of times.

    Returns:
        the one handler, for those loggers that do not hand on to the root (gunicorn's).
    """
    root = logging.getLogger()
    handler = next((found for found in root.handlers if isinstance(found, StandardOutput)), None)
    if handler is None:
        handler = StandardOutput()
        root.addHandler(handler)
    root.setLevel(level)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    return handler


def current_request_id() -> str | None:
    """Return the ID of the request being answered, or None outside of one."""
    return cast("str | None", g.get("request_id")) if has_request_context() else None


def init_app(app: Flask) -> None:
    """Log what nobody expected, and nothing that must not leak."""
    configure(current_level(app))
    # Flask's own line names the real path, which can be the secret address of a pass.
    app.log_exception = _log_nothing  # type: ignore[method-assign, assignment]
    got_request_exception.connect(_on_exception, app)


def current_level(app: Flask) -> str:
    """Return the log level of the application's settings."""
    with app.app_context():
        return current_service().settings.log_level


def unhandled(error: BaseException) -> None:
    """Log an exception nobody expected, with its traceback; once, however many handlers it passes."""
    if g.get("logged_error") is error:
        return
    g.logged_error = error
    rule = request.url_rule.rule if request.url_rule else None
    logging.getLogger("passrail.error").error(
        "unhandled exception", exc_info=error, extra={"method": method_of(request), "route": rule}
    )


def _on_exception(_app: Flask, exception: BaseException, **_more: object) -> None:
    unhandled(exception)


def _log_nothing(_exc_info: object) -> None:
    """Stand in for `Flask.log_exception`; the signal before it has logged already."""
