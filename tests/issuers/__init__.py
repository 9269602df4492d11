"""Tests of issuers. By its name the contract of remote issuers is no test module, so pytest is told to explain it."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.issuers.contract")
