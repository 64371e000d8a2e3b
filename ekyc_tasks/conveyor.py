"""Two stages of a stream at work at once: one makes items in a thread, the other takes them in order."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any, TypeVar

T = TypeVar("T")
DEPTH = 1


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing comes behind it; ``error`` is why, if the maker did not come to its own end."""

    error: BaseException | None = None


def ahead(items: Generator[T, None, None], depth: int = DEPTH) -> Generator[T, None, None]:
    """The same items in the same order, made by a thread that is at most ``depth`` items ahead.

    What the maker raises is raised here. When this generator is closed early, the maker is closed too, and
    its thread has ended; so wrap it in `contextlib.closing`.
    """
    belt: Queue[Any] = Queue(depth)
    is_unwanted = threading.Event()
    maker = threading.Thread(target=_make, args=(items, belt, is_unwanted), name="conveyor", daemon=True)
    maker.start()
    try:
        while not isinstance(item := belt.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        is_unwanted.set()
        _clear(belt)  # a maker that waits for room finds some, and then that nobody wants more
        maker.join()


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
