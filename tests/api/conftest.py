"""The shared world of the actions' tests is good for these tables of cases, too."""

from __future__ import annotations

from tests.actions.conftest import shared_world

__all__ = ["shared_world"]
