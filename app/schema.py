"""The kinds of field that requests are made of: what is accepted, said in JSON Schema by the field itself.

Every field takes a title and a description; those are the words of the API, of OpenAPI, and of the labels and
help texts in Zapier and Make. Messages of refusal say what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, missing

from app.model import ID_PATTERN, POINTS_MAX

TEXT_PATTERN = r"^[^\u0000-\u001f\u007f]*$"
LINES_PATTERN = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$"
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_UNPRINTABLE_BUT_LINES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ID = re.compile(ID_PATTERN)
_EMAIL = re.compile(r"[^@\s\"<>(),:;\\\[\]]+@[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+", re.I)
_INSTANT_FORM = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?"
)
# The same with the numbers that a calendar and a clock have, so that who generates values from it gets real ones.
_HOUR_AND_MINUTE = "([01][0-9]|2[0-3]):[0-5][0-9]"
_INSTANT_PATTERN = (
    "^(19[7-9][0-9]|2[0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    rf"([Tt ]{_HOUR_AND_MINUTE}(:[0-5][0-9](\.[0-9]{{1,9}})?)?([Zz]|[+-]{_HOUR_AND_MINUTE}))?$"
)
_INSTANT = re.compile(_INSTANT_FORM)
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Base(Schema):
    """A schema that refuses unknown fields: a misspelt name is an error, never silently lost."""

    class Meta:
        unknown = RAISE


class Documented(fields.Field[Any]):
    """A field with words and its own JSON Schema."""

    default_error_messages = {
        "required": "This field is required.",
        "null": "This field may not be null. Leave it out instead.",
    }

    def __init__(
        self,
        title: str,
        description: str,
        *,
        example: Any = None,
        required: bool = False,
        null: bool = False,
        default: Any = None,
        advanced: bool = False,
    ) -> None:
        """Describe the field.

        Args:
            title: what people see as its label, in Title Case.
            description: the help text.
            example: a value that is right.
            required: it must be there.
            null: null is taken too, and clears the value.
            default: what counts when it is absent; None: nothing.
            advanced: people rarely need it; no-code forms show it last.
        """
        metadata: dict[str, Any] = {"title": title, "description": description}
        if example is not None:
            metadata["examples"] = [example]
        if default is not None:
            metadata["default"] = default
        if advanced:
            metadata["x-advanced"] = True
        load_default = missing if default is None else default
        super().__init__(required=required, allow_none=null, load_default=load_default, metadata=metadata)

    def json_schema(self) -> dict[str, Any]:
        """Say in JSON Schema what is accepted."""
        raise NotImplementedError


class Text(Documented):
    """A line of text; blanks at both ends are cut. With `lines` it may have line breaks."""

    def __init__(self, title: str, description: str, *, max_length: int, lines: bool = False, **options: Any) -> None:
        super().__init__(title, description, **options)
        self.max_length = max_length
        self._pattern = LINES_PATTERN if lines else TEXT_PATTERN
        self._unprintable = _UNPRINTABLE_BUT_LINES if lines else _UNPRINTABLE

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "maxLength": self.max_length, "pattern": self._pattern}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("Give text, in quotes.")
        if len(value) > self.max_length:
            raise ValidationError(f"Give at most {self.max_length} characters; these are {len(value)}.")
        if self._unprintable.search(value):
            raise ValidationError("Give text without control characters.")
        text = value.strip()
        if not text:
            raise ValidationError("Give some text, or leave the field out.")
        return text


class Email(Text):
    """An e-mail address. Kept in lower case, so that finding by e-mail does not depend on how it was typed."""

    def __init__(self, title: str, description: str, **options: Any) -> None:
        super().__init__(title, description, max_length=254, **options)

    def json_schema(self) -> dict[str, Any]:
        return {**super().json_schema(), "format": "email"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not _EMAIL.fullmatch(text):
            raise ValidationError("Give an e-mail address such as ada@example.com.")
        return text.lower()


class Identifier(Documented):
    """An ID this service has given out."""

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{ID_PATTERN}$"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise ValidationError("Give an ID as this service returned it: letters, digits, '_' and '-'.")
        return value


class Number(Documented):
    """An exact decimal number from zero up, as a JSON number or as text (many tools send numbers as text)."""

    def __init__(
        self,
        title: str,
        description: str,
        *,
        places: int,
        maximum: Decimal = POINTS_MAX,
        above_zero: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(title, description, **options)
        self.places, self.maximum, self.above_zero = places, maximum, above_zero
        digits = len(str(int(maximum)))
        self._pattern = rf"^[0-9]{{1,{digits}}}(\.[0-9]{{1,{places}}})?$"
        self._text = re.compile(self._pattern)

    def json_schema(self) -> dict[str, Any]:
        least = {"exclusiveMinimum": 0} if self.above_zero else {"minimum": 0}
        return {
            "type": ["number", "string"],
            **least,
            "maximum": float(self.maximum),
            "pattern": self._pattern,
        }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        number = self._read(value)
        if number < 0 or (self.above_zero and number == 0) or number > self.maximum:
            least = "more than 0" if self.above_zero else "0 or more"
            raise ValidationError(f"Give a number that is {least} and at most {self.maximum}.")
        # Not `normalize`: it rounds what is longer than 28 digits. The size is known here, so nothing overflows.
        if number != number.quantize(Decimal(1).scaleb(-self.places)):
            raise ValidationError(f"Give at most {self.places} decimal places.")
        return number

    def _read(self, value: Any) -> Decimal:
        wrong = ValidationError("Give a number such as 25 or 12.50.")
        if isinstance(value, str):
            if not self._text.fullmatch(value):
                raise wrong
        elif isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise wrong
        try:
            return Decimal(value)
        except InvalidOperation:
            raise wrong from None


class Flag(Documented):
    """Yes or no."""

    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Give true or false, without quotes.")
        return value


class Choice(Documented):
    """One of a few words."""

    def __init__(self, title: str, description: str, *, choices: tuple[str, ...], **options: Any) -> None:
        super().__init__(title, description, **options)
        self.choices = choices

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.choices)}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if value not in self.choices:
            raise ValidationError(f"Give one of: {', '.join(self.choices)}.")
        return str(value)


class Color(Documented):
    """A colour as web pages write it."""

    PATTERN = r"^#[0-9A-Fa-f]{6}$"

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": self.PATTERN}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not _COLOR.fullmatch(value):
            raise ValidationError("Give a colour such as #1f2937.")
        return value.lower()


class Name(Documented):
    """A name for programs to use: lower-case letters, digits and underscores, a letter first."""

    PATTERN = r"^[a-z][a-z0-9_]{0,39}$"

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": self.PATTERN}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            raise ValidationError("Give at most 40 lower-case letters, digits and underscores, a letter first.")
        return value


class Instant(Documented):
    """A date and time with its zone, or a date alone, which means the end of that day (UTC)."""

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": _INSTANT_PATTERN}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if not isinstance(value, str) or not _INSTANT.fullmatch(value):
            raise ValidationError("Give a date such as 2027-01-31, or 2027-01-31T18:00:00Z with a time zone.")
        try:
            if len(value) == len("2027-01-31"):
                instant = datetime.combine(date.fromisoformat(value), time(23, 59, 59), UTC)
            else:
                instant = datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValidationError("This date does not exist in the calendar.") from None
        if not 1970 <= instant.year <= 2999:
            raise ValidationError("Give a year from 1970 to 2999.")
        return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


class FieldTexts(Documented):
    """Values of a program's custom fields, by name. Which names there are is the program's to say."""

    MAX_FIELDS = 30
    _value = Text("Value", "", max_length=500, lines=True)

    def json_schema(self) -> dict[str, Any]:
        value = self._value.json_schema()
        return {
            "type": "object",
            "additionalProperties": {**value, "type": ["string", "null"]},
            "maxProperties": self.MAX_FIELDS,
        }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, str | None]:
        if not isinstance(value, Mapping):
            raise ValidationError('Give an object such as {"member_since": "2026"}.')
        if len(value) > self.MAX_FIELDS:
            raise ValidationError(f"Give at most {self.MAX_FIELDS} fields.")
        texts: dict[str, str | None] = {}
        wrong: dict[str, list[str]] = {}
        for name, text in value.items():
            try:
                texts[name] = None if text is None else self._value.deserialize(text)
            except ValidationError as error:
                wrong[name] = [str(message) for message in error.messages]
        if wrong:
            raise ValidationError(wrong)
        return texts


def field_schema(field: Documented) -> dict[str, Any]:
    """Say in JSON Schema what a field accepts, its words first."""
    said = field.json_schema()
    if field.allow_none:
        kinds = said["type"] if isinstance(said["type"], list) else [said["type"]]
        said = {**said, "type": [*kinds, "null"]}
        if "enum" in said:
            said["enum"] = [*said["enum"], None]
    return {**field.metadata, **said}
