"""Proving credentials before they are kept: whose are they, and is it the right region?"""

from __future__ import annotations

from app.errors import FieldError, PassrailError, UpstreamCredentialsRefused, ValidationFailed
from app.issuers.passkit import discovery
from app.issuers.passkit.choices import Profile
from app.issuers.passkit.credentials import REGIONS, Credentials, InvalidCredentials
from app.issuers.passkit.failures import CredentialsRefused, NotFound, PassKitFailure
from app.issuers.passkit.filters import Filters
from app.issuers.passkit.translate import credentials_sentence, to_error
from app.issuers.passkit.transport import Transport

REGION_WORDS = {"pub1": "EU", "pub2": "USA"}


def make_credentials(region: str, secrets: dict[str, str], *, base_url: str = "", pass_url: str = "") -> Credentials:
    """Make credentials of what somebody gave, or of what the vault kept.

    Args:
        region: one of PassKit's, which says where to call.
        secrets: `api_key` and `secret`, or `long_lived_token`.
        base_url, pass_url: instead of the region's; only an operator may choose them.

    Raises:
        ValidationFailed: something is missing or cannot be used.
    """
    hosts = REGIONS.get(region, ("", ""))
    try:
        return Credentials(base_url or hosts[0], pass_url or hosts[1], **secrets)  # type: ignore[arg-type]
    except InvalidCredentials as error:
        raise ValidationFailed(errors=[FieldError("api_key", str(error))]) from None


def prove(transport: Transport, region: str) -> Profile:
    """Ask PassKit whose credentials these are.

    The wrong region takes the token and then knows nothing (field report), so the region is compared where PassKit
    tells it, and the list of projects must answer too.

    Raises:
        UpstreamCredentialsRefused: wrong key or secret, wrong region, wrong clock: each in its own sentence.
        UpstreamUnavailable, RateLimited: it cannot be found out now.
    """
    try:
        profile = discovery.get_profile(transport)
        if profile.region_id in REGIONS and region in REGIONS and profile.region_id != region:
            raise _wrong_region(region, profile.region_id)
        discovery.list_projects(transport, Filters(limit=1))
    except NotFound:
        other = next((name for name in REGIONS if name != region), "the other one")
        raise _wrong_region(region, other) from None
    except CredentialsRefused as failure:
        raise UpstreamCredentialsRefused(credentials_sentence(failure)) from None
    except PassKitFailure as failure:
        raise to_error(failure) from None
    return profile


def _wrong_region(given: str, right: str) -> PassrailError:
    words = REGION_WORDS.get(right)
    return UpstreamCredentialsRefused(
        f"The key is right, but its account is not in the region {given}. Connect with the region {right}"
        + (f" ({words})." if words else ".")
    )
