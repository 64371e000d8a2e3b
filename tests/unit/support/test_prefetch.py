"""Items come in order, errors come through, and no thread stays behind."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from ekyc_tasks.support.prefetch import Prefetcher


class Maker:
    """A generator that notes how far it got and whether it was closed."""

    def __init__(self, items, error=None):
        self.items, self.error = items, error
        self.made = 0
        self.is_closed = False

    def __iter__(self):
        try:
            for item in self.items:
                self.made += 1
                yield item
            if self.error is not None:
                raise self.error
        finally:
            self.is_closed = True


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.mark.parametrize("depth", [1, 2, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_items_come_in_order(count, depth):
    maker = Maker(range(count))
    assert list(Prefetcher(iter(maker), depth)) == list(range(count))
    assert maker.is_closed
    assert not threads()


def test_what_the_maker_raises_comes_behind_its_items():
    items = Prefetcher(iter(Maker([1, 2], ValueError("torn"))))
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="torn"):
        next(items)
    assert not threads()


@pytest.mark.parametrize("taken", [0, 1, 5])
@pytest.mark.parametrize("depth", [1, 3])
def test_who_wants_no_more_closes_the_maker(taken, depth):
    maker = Maker(range(1_000))
    with closing(Prefetcher(iter(maker), depth)) as items:
        for expected in range(taken):
            assert next(items) == expected
    assert not threads()
    assert maker.made <= taken + depth
    assert maker.is_closed


def test_prefetchers_in_a_row_end_together():
    maker = Maker(range(1_000))

    def doubled():
        with closing(Prefetcher(iter(maker))) as items:
            for item in items:
                yield 2 * item

    with closing(Prefetcher(doubled())) as items:
        assert [next(items), next(items)] == [0, 2]
    assert not threads()
    assert maker.is_closed
