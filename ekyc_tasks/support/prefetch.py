"""Two stages of a stream at work at once: one makes items in a thread, the other takes them in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")
_END = object()


class Prefetcher(Generic[T]):
    """The same items in the same order, made by a thread that is at most ``depth`` items ahead.

    It begins at once. What the maker raises is raised by the iteration. `close` closes the maker too and
    waits for its thread; so wrap it in `contextlib.closing`.
    """

    def __init__(self, items: Generator[T, None, None], depth: int = 2) -> None:
        self._items = items
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._ahead: deque[Future[Any]] = deque()
        for _ in range(depth):
            self._make_one()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if not self._ahead:
            raise StopIteration
        try:
            item = self._ahead.popleft().result()
        except BaseException:
            self.close()
            raise
        if item is _END:
            self.close()
            raise StopIteration
        self._make_one()
        return cast(T, item)

    def close(self) -> None:
        self._ahead.clear()
        self._thread.shutdown(cancel_futures=True)
        self._items.close()

    def _make_one(self) -> None:
        self._ahead.append(self._thread.submit(next, self._items, _END))
