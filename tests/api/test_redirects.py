"""A redirect never leads where the caller's Host header points."""

from __future__ import annotations

import pytest

from tests.world import World


@pytest.mark.parametrize("path", ["/v1//me", "/v1///me"])
@pytest.mark.parametrize("host", ["evil.example", "pass.example.com"])
def test_a_redirect_is_a_path(shared_world: World, path: str, host: str) -> None:
    answer = shared_world.client.get(f"http://{host}{path}", headers={"Host": host})
    assert answer.status_code == 308
    assert answer.headers["Location"] == "/v1/me"
    assert answer.text == ""
