"""What connects an account to PassKit, as people fill it in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError, validates_schema

from app.issuers.remote import Target
from app.schema import Base, Choice, Text

SECRET_MAX = 4000
ADDRESS_PATTERN = r"https://api\.([a-z]{1,10}[0-9]{1,3})\.passkit\.io/?"
PASSKIT_ADDRESS = re.compile(ADDRESS_PATTERN)


class Address(Text):
    """An address of PassKit's own: with any other, everybody could have this service call any host."""

    def json_schema(self) -> dict[str, Any]:
        return {**super().json_schema(), "pattern": f"^{ADDRESS_PATTERN}$"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not PASSKIT_ADDRESS.fullmatch(text):
            raise ValidationError("Give it as PassKit shows it, such as https://api.pub1.passkit.io.")
        return text


class ConnectForm(Base):
    """What connects an account to PassKit."""

    json_schema_extra: ClassVar[dict[str, Any]] = {
        "allOf": [
            {"oneOf": [{"required": ["region"]}, {"required": ["base_url"]}]},
            {
                "oneOf": [
                    {"required": ["api_key", "api_secret"], "not": {"required": ["long_lived_token"]}},
                    {
                        "required": ["long_lived_token"],
                        "not": {"anyOf": [{"required": ["api_key"]}, {"required": ["api_secret"]}]},
                    },
                ]
            },
        ]
    }

    issuer = Choice("Issuer", "Where the passes are to live.", choices=("passkit",), required=True, example="passkit")
    region = Choice(
        "Region",
        "PassKit's region of the account: pub1 is the EU, pub2 the USA. It stands in the address of the portal's API "
        "settings.",
        choices=("pub1", "pub2"),
        example="pub1",
    )
    base_url = Address(
        "REST Prefix",
        "Instead of the region: the address that PassKit's Developer Tools show, such as https://api.pub1.passkit.io.",
        max_length=100,
    )
    api_key = Text("API Key", "From app.passkit.com, Developer Tools, REST credentials.", max_length=200, example="key")
    api_secret = Text("API Secret", "Belongs to the API key.", max_length=SECRET_MAX, example="secret")
    long_lived_token = Text(
        "Long-Lived Token", "Instead of key and secret; PassKit advises against it.", max_length=SECRET_MAX
    )

    @validates_schema
    def region_or_address(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """One of the two says where to call."""
        if ("region" in data) == ("base_url" in data):
            raise ValidationError({"region": ["Give either region or base_url."]})

    @validates_schema
    def key_or_token(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """Key and secret, or the token: never both, never neither."""
        if ("api_key" in data) != ("api_secret" in data):
            raise ValidationError({"api_secret": ["Give the API key together with its secret."]})
        if ("api_key" in data) == ("long_lived_token" in data):
            raise ValidationError({"api_key": ["Give either api_key with api_secret, or long_lived_token."]})


def target_of(data: Mapping[str, Any]) -> Target:
    """Return the target that a form names: by its region, or by the address that PassKit shows."""
    if "region" in data:
        return Target(region=data["region"], secrets=_secrets(data))
    address = PASSKIT_ADDRESS.fullmatch(data["base_url"])
    assert address is not None
    region = address[1]
    return Target(
        region=region,
        secrets=_secrets(data),
        base_url=f"https://api.{region}.passkit.io",
        pass_url=f"https://{region}.pskt.io",
    )


def _secrets(data: Mapping[str, Any]) -> dict[str, str]:
    if "long_lived_token" in data:
        return {"long_lived_token": data["long_lived_token"]}
    return {"api_key": data["api_key"], "secret": data["api_secret"]}
