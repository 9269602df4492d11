"""Requests and answers held against the protobuf descriptors in PassKit's official SDK.

The descriptors know every route, where its values go, and the shape of what is taken and given. They do not know
which fields are required, which rules the business has, what lists can be filtered by, or what errors look like.

The live service drops fields that it does not know without a word, so a misspelt field would be lost silently:
this check is what finds it. The SDK is a development dependency; the service never imports it.
"""

from __future__ import annotations

import importlib
import json
import math
import pkgutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import passkit
from google.api import annotations_pb2
from google.protobuf import json_format, message_factory

_TIMESTAMP = "google.protobuf.Timestamp"
_EMPTY = "google.protobuf.Empty"
_METHODS = ("get", "put", "post", "delete", "patch")
# Scalar types by their numbers in descriptor.proto.
_DOUBLE, _FLOAT, _BOOL, _STRING, _BYTES = 1, 2, 8, 9, 12
_WHOLE_64 = {3, 4, 6, 16, 18}


class ContractError(AssertionError):
    """A request that PassKit would refuse or misunderstand, or an answer that it could never give."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One route: the path's segments, whether there is a body, the messages taken and given."""

    service: str
    rpc: str
    method: str
    path: str
    has_body: bool
    is_stream: bool
    is_deprecated: bool
    takes: Any = field(repr=False)
    gives: Any = field(repr=False)

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of the path template."""
        return tuple(self.path.strip("/").split("/"))

    @property
    def name(self) -> str:
        """How the route is called in errors."""
        return f"{self.method} {self.path}"


class Descriptors:
    """All routes and messages of the SDK.

    Attributes:
        bindings: every route.
        messages: every message reachable from a route, by full name.
    """

    def __init__(self) -> None:
        self.bindings = list(_bindings())
        self.messages: dict[str, Any] = {}
        for binding in self.bindings:
            _collect(binding.takes, self.messages)
            _collect(binding.gives, self.messages)
        self._by_length: dict[int, list[Binding]] = {}
        for binding in self.bindings:
            self._by_length.setdefault(len(binding.segments), []).append(binding)
        for candidates in self._by_length.values():
            candidates.sort(key=lambda one: sum(segment.startswith("{") for segment in one.segments))
        self._fields: dict[str, dict[str, Any]] = {}

    def check_request(self, method: str, path: str, query: str = "", body: object = b"") -> Binding:
        """Check a request.

        Args:
            method: HTTP method.
            path: path as it is sent, percent-encoded.
            query: query string without its question mark.
            body: the bytes sent, or what they mean; b"" or None for no body.

        Returns:
            The route it was found to be.

        Raises:
            ContractError: it does not fit.
        """
        binding, values = self._find(method, path)
        if binding.is_deprecated:
            raise ContractError(f"{binding.name} ({binding.rpc}) is deprecated")
        message = self._body(binding, query, body)
        for name, text in [*parse_qsl(query, keep_blank_values=True), *values.items()]:
            self._bind(binding, message, name, text)
        self._walk(binding.takes, message, binding.name)
        _parse(binding.takes, message, binding.name)
        return binding

    def check_answer(self, method: str, path: str, status: int, body: object) -> Binding:
        """Check an answer to a request that was found right.

        Args:
            method: of the request.
            path: of the request.
            status: of the answer.
            body: the bytes answered, or what they mean. A stream's are its lines.

        Returns:
            The route.

        Raises:
            ContractError: it does not fit.
        """
        if status >= 400:
            binding = self._find(method, path, any_method=status in {405, 501})[0]
            self._check_error(binding, _json(body, binding.name))
            return binding
        binding, _ = self._find(method, path)
        if status != 200:
            raise ContractError(f"{binding.name}: success is always 200, not {status}")
        if binding.is_stream:
            for line in _lines(body, binding.name):
                self._check_line(binding, line)
        else:
            value = _json(body, binding.name)
            self._walk(binding.gives, value, binding.name)
            _parse(binding.gives, value, binding.name)
        return binding

    def _find(self, method: str, path: str, *, any_method: bool = False) -> tuple[Binding, dict[str, str]]:
        segments = unquote(path).strip("/").split("/")
        methods = set()
        for binding in self._by_length.get(len(segments), ()):
            values = _values(binding.segments, segments)
            if values is None:
                continue
            if binding.method == method or any_method:
                return binding, values
            methods.add(binding.method)
        if methods:
            raise ContractError(f"{path} cannot be asked with {method}, only with {', '.join(sorted(methods))}")
        raise ContractError(f"there is no route {method} {path}")

    def _body(self, binding: Binding, query: str, body: object) -> dict[str, Any]:
        is_there = body is not None and body != b""
        if not binding.has_body:
            if is_there:
                raise ContractError(f"{binding.name} takes no body")
            return {}
        if query:
            raise ContractError(f"{binding.name} takes everything from the body, nothing from the query ({query})")
        if not is_there:
            raise ContractError(f"{binding.name} needs a JSON body")
        value = _json(body, binding.name)
        if not isinstance(value, dict):
            raise ContractError(f"{binding.name}: the body must be an object")
        return value

    def _bind(self, binding: Binding, message: dict[str, Any], name: str, text: str) -> None:
        """Put a value of the path or the query into the message."""
        *parents, last = name.split(".")
        descriptor, inner = binding.takes, message
        for parent in parents:
            known = self._field(descriptor, parent, binding.name)
            descriptor, inner = known.message_type, inner.setdefault(parent, {})
            if descriptor is None:
                raise ContractError(f"{binding.name}: {name} is not a field")
        known = self._field(descriptor, last, binding.name)
        value = _typed(known, text, f"{binding.name}: {name}")
        if known.is_repeated:
            inner.setdefault(last, []).append(value)
        elif inner.get(last, value) != value:
            raise ContractError(f"{binding.name}: {name} is {value!r} in the path, but {inner[last]!r} in the body")
        else:
            inner[last] = value

    def _field(self, descriptor: Any, name: str, where: str) -> Any:
        known = self._fields_of(descriptor).get(name)
        if known is None:
            raise ContractError(f"{where}: {descriptor.full_name} has no field {name!r}")
        return known

    def _fields_of(self, descriptor: Any) -> dict[str, Any]:
        """A message's fields by both spellings, the proto name and its camel case."""
        known = self._fields.get(descriptor.full_name)
        if known is None:
            known = {name: one for one in descriptor.fields for name in (one.json_name, one.name)}
            self._fields[descriptor.full_name] = known
        return known

    def _check_error(self, binding: Binding, body: object) -> None:
        """The descriptors say nothing about errors; this is the forms that developers have seen."""
        error = body.get("error") if isinstance(body, dict) else None
        text = error.get("message") if isinstance(error, dict) else error
        if not isinstance(text, str):
            raise ContractError(f"{binding.name}: an error answer must have a text in 'error': {body!r}")

    def _check_line(self, binding: Binding, line: str) -> None:
        value = _json(line.encode(), binding.name)
        if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= {"result", "error"}:
            raise ContractError(f"{binding.name}: a line of a stream is a result or an error, not {line[:80]!r}")
        if "result" in value:
            self._walk(binding.gives, value["result"], binding.name)
            _parse(binding.gives, value["result"], binding.name)

    # `json_format` alone is too kind: it takes numbers as text, "NaN", unknown numbers of enums, lost digits.

    def _walk(self, descriptor: Any, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise ContractError(f"{where}: {descriptor.full_name} must be an object, not {value!r}")
        for name, given in value.items():
            known = self._field(descriptor, name, where)
            if given is not None:
                self._check_field(known, given, f"{where}: {name}")

    def _check_field(self, known: Any, given: Any, where: str) -> None:
        kind = known.message_type
        if kind is not None and kind.GetOptions().map_entry:
            if not isinstance(given, dict):
                raise ContractError(f"{where} must be an object, not {given!r}")
            for one in given.values():
                self._check_value(kind.fields_by_name["value"], one, where)
        elif known.is_repeated:
            if not isinstance(given, list):
                raise ContractError(f"{where} must be a list, not {given!r}")
            for one in given:
                self._check_value(known, one, where)
        else:
            self._check_value(known, given, where)

    def _check_value(self, known: Any, given: Any, where: str) -> None:
        kind = known.message_type
        if kind is not None and kind.full_name == _TIMESTAMP:
            if not isinstance(given, str):
                raise ContractError(f"{where} must be a time as text, not {given!r}")
        elif kind is not None:
            self._walk(kind, given, where)
        elif known.enum_type is not None:
            _check_enum(known.enum_type, given, where)
        else:
            _check_scalar(known.type, given, where)


def _bindings() -> Iterator[Binding]:
    for module in pkgutil.walk_packages(passkit.__path__, "passkit."):
        if not module.name.endswith("_pb2"):
            continue
        for service in importlib.import_module(module.name).DESCRIPTOR.services_by_name.values():
            for rpc in service.methods:
                options = rpc.GetOptions()
                rule = options.Extensions[annotations_pb2.http]
                method = rule.WhichOneof("pattern")
                if method not in _METHODS:
                    continue  # for gRPC only
                if rule.body not in {"", "*"} or rule.additional_bindings or rule.response_body:
                    raise NotImplementedError(f"{rpc.full_name} is bound in a way that this check does not know")
                yield Binding(
                    service=service.full_name,
                    rpc=rpc.name,
                    method=method.upper(),
                    path=getattr(rule, method),
                    has_body=rule.body == "*",
                    is_stream=rpc.server_streaming,
                    is_deprecated=options.deprecated or rpc.name.endswith("Deprecated"),
                    takes=rpc.input_type,
                    gives=rpc.output_type,
                )


def _collect(descriptor: Any, messages: dict[str, Any]) -> None:
    if descriptor.full_name in messages:
        return
    messages[descriptor.full_name] = descriptor
    for one in descriptor.fields:
        if one.message_type is not None:
            _collect(one.message_type, messages)


def _values(pattern: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    values = {}
    for wanted, segment in zip(pattern, segments, strict=True):
        if wanted.startswith("{") and segment:
            values[wanted[1:-1]] = segment
        elif wanted != segment:
            return None
    return values


def _json(body: object, where: str) -> Any:
    if not isinstance(body, bytes):
        return body
    try:
        return json.loads(body, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeated)
    except ValueError as error:
        raise ContractError(f"{where}: the body is not JSON ({error})") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands there twice")
    return made


def _lines(body: object, where: str) -> list[str]:
    if isinstance(body, bytes):
        text = body.decode()
        if text and not text.endswith("\n"):
            raise ContractError(f"{where}: the last line of the stream is cut")
        return text.splitlines()
    assert isinstance(body, list)
    return [json.dumps(line) for line in body]


def _parse(descriptor: Any, value: Any, where: str) -> None:
    message = message_factory.GetMessageClass(descriptor)()
    try:
        json_format.ParseDict(value, message)
    except json_format.ParseError as error:
        raise ContractError(f"{where}: {error}") from None


def _typed(known: Any, text: str, where: str) -> Any:
    """Turn a text of the path or the query into what its field wants."""
    if known.message_type is not None and known.message_type.full_name != _TIMESTAMP:
        raise ContractError(f"{where} cannot be given there")
    if known.type == _BOOL:
        if text not in {"true", "false"}:
            raise ContractError(f"{where} must be true or false, not {text!r}")
        return text == "true"
    if known.enum_type is not None:
        return int(text) if text.isdigit() else text
    if known.type in {_STRING, _BYTES} | _WHOLE_64 or known.message_type is not None:
        return text
    try:
        return float(text) if known.type in {_FLOAT, _DOUBLE} else int(text)
    except ValueError:
        raise ContractError(f"{where} must be a number, not {text!r}") from None


def _check_enum(kind: Any, given: Any, where: str) -> None:
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise ContractError(f"{where} must be a name of {kind.full_name}, not {given!r}")
    if given not in (kind.values_by_name if isinstance(given, str) else kind.values_by_number):
        raise ContractError(f"{where}: {kind.full_name} has no {given!r}")


def _check_scalar(kind: int, given: Any, where: str) -> None:
    if kind in {_STRING, _BYTES}:
        is_right = isinstance(given, str)
    elif kind == _BOOL:
        is_right = isinstance(given, bool)
    elif kind in _WHOLE_64:
        is_right = isinstance(given, str) and given.removeprefix("-").isdigit()
    else:
        is_right = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_right:
        raise ContractError(f"{where} has the wrong type: {given!r}")
    if kind in {_FLOAT, _DOUBLE} and not math.isfinite(given):
        raise ContractError(f"{where} must be a finite number, not {given!r}")
    if kind == _FLOAT and not _survives_float32(given):
        raise ContractError(f"{where} loses digits, because PassKit keeps 32 bits of it: {given!r}")


def _survives_float32(number: float) -> bool:
    """Tell whether a number comes back unchanged when it is printed with the digits that 32 bits are good for."""
    try:
        packed = struct.pack("<f", number)
    except OverflowError:
        return False
    (kept,) = struct.unpack("<f", packed)
    return any(float(f"{kept:.{digits}g}") == number for digits in (6, 7, 8, 9))
