"""The holder's data, which members, coupons and tickets share."""

from __future__ import annotations

import re

from tests.fakes.passkit.call import Call
from tests.fakes.passkit.shapes import Record

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_MOBILE = re.compile(r"\+[1-9]\d{4,14}")


def check(call: Call, person: Record) -> None:
    """Check the two fields that the live service validates.

    Raises:
        Refusal: 400, the e-mail address or the mobile number has the wrong form.
    """
    email, mobile = person.get("emailAddress"), person.get("mobileNumber")
    if email and not _EMAIL.fullmatch(email):
        raise call.invalid("person.emailAddress", "email")
    if mobile and not _MOBILE.fullmatch(mobile):
        raise call.invalid("person.mobileNumber", "e164")


def patch(call: Call, record: Record, person: Record) -> None:
    """Merge what is given; what is empty is ignored, so that nothing can be cleared. `externalId` is not writable.

    Raises:
        Refusal: 400, nothing is given or something has the wrong form.
    """
    if not person:
        raise call.invalid("person")
    check(call, person)
    given = {name: value for name, value in person.items() if name != "externalId"}
    record["person"] = {**record.get("person", {}), **given}
    record["updated"] = call.state.now_text()
