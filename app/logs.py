"""Logs: JSON lines on standard output, one for each finished request, with nothing in them that must not leak.

Log lines travel further than the database does: to collectors, screens, support tickets. So the line of a request
carries IDs and the *rule* of its route only, and everything else that is logged passes the `Scrubber`.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO, cast

import orjson
from flask import Flask, Response, g, got_request_exception, has_request_context, request
from pythonjsonlogger.core import RESERVED_ATTRS, merge_record_extra
from pythonjsonlogger.json import JsonEncoder, JsonFormatter

from app.identifiers import REQUEST, new_id
from app.scrub import scrub, scrub_named, scrub_text
from app.service import current_service

REQUEST_ID_HEADER = "X-Request-ID"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})

# Libraries that talk at every request, some of them of its path (ours, or that at another service).
TALKATIVE = ("werkzeug", "urllib3", "requests", "alembic")


class _RequestRecord(logging.LogRecord):
    """The line of a finished request. All its values are ours (`_finish` sees to it), so it is not scrubbed."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__("passrail.request", logging.INFO, "", 0, "request", None, None)
        self.fields = fields


class Scrubber(logging.Filter):
    """Takes secrets and holders' data out of message, arguments, extras, traceback and stack of a record.

    It belongs on a handler: a logger's own filters do not see the records of the loggers below it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record in place (Python 3.11 knows no other way) and let it pass."""
        if type(record) is _RequestRecord:
            return True
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
        self._second = (0, "")

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Put the fields in the order in which people read them."""
        log_data["time"] = self._time(record.created)
        log_data["level"] = record.levelname.lower()
        log_data["logger"] = record.name
        log_data["message"] = record.message
        if type(record) is _RequestRecord:
            log_data.update(record.fields)
            return
        merge_record_extra(record, log_data, reserved=_STANDARD)
        for name, value in message_dict.items():
            log_data["exception" if name == "exc_info" else name] = value

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """Write the line; the quick way takes all that we log, the other one whatever a library may."""
        try:
            return orjson.dumps(log_data).decode()
        except orjson.JSONEncodeError:
            return self._encode(log_data)

    def _time(self, created: float) -> str:
        second, text = self._second
        if int(created) != second:
            second, text = int(created), time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created))
            self._second = (second, text)
        return f"{text}.{int((created - second) * 1000):03d}Z"


class StandardOutput(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stdout` is now, not to what it was when logging was set up (tests replace it)."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(JsonLines())
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
    """Give every request an ID and a log line. Call it first: the first `after_request` is the last to run."""
    configure(current_level(app))
    app.before_request(_start)
    app.after_request(_finish)
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
        "unhandled exception", exc_info=error, extra={"method": _method(), "route": rule}
    )


def _on_exception(_app: Flask, exception: BaseException, **_more: object) -> None:
    unhandled(exception)


def _log_nothing(_exc_info: object) -> None:
    """Stand in for `Flask.log_exception`; the signal before it has logged already."""


def _start() -> None:
    g.request_id = new_id(REQUEST)
    g.request_started = time.perf_counter()


def _method() -> str:
    return request.method if request.method in METHODS else "other"


_REQUESTS = logging.getLogger("passrail.request")


def _finish(response: Response) -> Response:
    finished = time.perf_counter()
    context = g._get_current_object()
    request_id = context.get("request_id")
    if request_id is None:  # the request failed before it began
        return response
    response.headers[REQUEST_ID_HEADER] = request_id
    if not _REQUESTS.isEnabledFor(logging.INFO):
        return response
    current = request._get_current_object()  # type: ignore[attr-defined]
    fields = {
        "request_id": request_id,
        "method": current.method if current.method in METHODS else "other",
        "route": current.url_rule.rule if current.url_rule else None,
        "status": response.status_code,
        "duration_ms": round((finished - context.request_started) * 1000, 2),
    }
    caller = context.get("caller")
    if caller is not None:
        fields["account_id"] = caller.account_id
        fields["mode"] = str(caller.mode)
    if operation_id := context.get("operation_id"):
        fields["operation_id"] = operation_id
    _REQUESTS.handle(_RequestRecord(fields))
    return response
