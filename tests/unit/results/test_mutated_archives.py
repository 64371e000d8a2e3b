"""Whatever arrives is loaded or refused. The long version is in `make torture`."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import at_most
from support.mutations import drawn, read_through


@settings(max_examples=at_most(100), deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_at_all_are_loaded_or_refused(data):
    read_through(data)


@settings(max_examples=at_most(60), deadline=None)
@given(st.integers(0, 1 << 32))
def test_mutated_archives_are_loaded_or_refused(seed):
    read_through(drawn(random.Random(seed)))  # noqa: S311 - repeatable, not secret
