"""Two stages of a stream at work at once: one makes items in a thread, the other takes them in order."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")
DEPTH = 1


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing comes behind it; ``error`` is why, if the maker did not come to its own end."""

    error: BaseException | None = None


class Ahead(Generic[T]):
    """The same items in the same order, made by a thread that is at most ``depth`` items ahead.

    It begins at once. What the maker raises is raised by the iteration. `close` closes the maker too and
    waits for its thread; so wrap it in `contextlib.closing`.
    """

    def __init__(self, items: Generator[T, None, None], depth: int = DEPTH) -> None:
        self._belt: Queue[Any] = Queue(depth)
        self._is_unwanted = threading.Event()
        making = (items, self._belt, self._is_unwanted)
        self._maker = threading.Thread(target=_make, args=making, name="conveyor", daemon=True)
        self._maker.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._is_unwanted.is_set():
            raise StopIteration
        item = self._belt.get()
        if not isinstance(item, _End):
            return cast(T, item)
        self.close()
        raise item.error or StopIteration

    def close(self) -> None:
        self._is_unwanted.set()
        _clear(self._belt)  # a maker that waits for room finds some, and then that nobody wants more
        self._maker.join()


def _make(items: Generator[T, None, None], belt: Queue[Any], is_unwanted: threading.Event) -> None:
    end = _End()
    try:
        with closing(items):
            for item in items:
                belt.put(item)
                if is_unwanted.is_set():
                    return
    except BaseException as error:  # raised again where it is awaited
        end = _End(error)
    if not is_unwanted.is_set():
        belt.put(end)


def _clear(belt: Queue[Any]) -> None:
    try:
        while True:
            belt.get_nowait()
    except Empty:
        pass
