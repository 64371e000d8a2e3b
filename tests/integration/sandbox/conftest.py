"""A caller beside a sandbox."""

from __future__ import annotations

import pytest
from support.sandbox_calls import calling


@pytest.fixture
def caller():
    with calling() as caller:
        yield caller
