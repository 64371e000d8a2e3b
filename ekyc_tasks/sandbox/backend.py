"""The provider's books: uploads, tasks, money. One thread writes them; anybody may read."""

from __future__ import annotations

import os
import re
from array import array
from base64 import b32hexencode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from itertools import count
from typing import NamedTuple

from ekyc_tasks.sandbox.answers import DOCUMENTED
from ekyc_tasks.sandbox.options import SandboxOptions

_BLOCK_NUMBERS = 100  # documented for a sibling: USD 4.50 per 10,000, in blocks of 100
_BLOCK_PRICE = Decimal("0.045")

# A line is compliant or is passed over; a BOM therefore costs the first number.
_LINE = re.compile(rb"^[ \t]*\+?([1-9][0-9]{4,14})[ \t]*\r?$", re.MULTILINE)

# For the whole process: two sandboxes in the same second must not give out the same id.
_serials = count(1)


class RefusedError(Exception):
    """An error answer of the API: status, and the two fields of its JSON body."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message


class Charge(NamedTuple):
    """What one accepted upload cost, in USD."""

    task_id: str
    task_type: str
    numbers: int
    amount: Decimal
    at: datetime


class Call(NamedTuple):
    """One request as it arrived; ``status`` is None while, or if never, it was answered.

    ``credentials`` names the headers that carry one: the storage host must never see any.
    """

    server: str
    method: str
    path: str
    status: int | None
    credentials: tuple[str, ...]


@dataclass(slots=True)
class SandboxTask:
    """What an upload became. ``sent`` holds its numbers as integers, without repeats, in order."""

    task_id: str
    task_type: str
    sent: array[int]
    accepted_at: float
    serial: int
    fails: bool = False
    is_over: bool = False

    @property
    def total(self) -> int:
        return len(self.sent)

    @property
    def numbers(self) -> frozenset[str]:
        """The numbers that were submitted and charged, each with its +."""
        return frozenset(f"+{digits}" for digits in self.sent)


class TaskProgress(NamedTuple):
    """Where a task is: its status, how many numbers are done, and since when the status holds."""

    status: str
    success: int
    changed_at: float


def parse_numbers(upload: bytes) -> array[int]:
    """The compliant numbers of an upload, each once, in order; eight bytes a number."""
    return array("q", dict.fromkeys(int(match[1]) for match in _LINE.finditer(upload)))


def price(numbers: int) -> Decimal:
    """USD for so many numbers; every begun block counts."""
    return -(-numbers // _BLOCK_NUMBERS) * _BLOCK_PRICE


class Backend:
    """Accepts uploads, charges for them and knows how far each task is."""

    def __init__(self, options: SandboxOptions, clock: Callable[[], float]) -> None:
        self.options = options
        self.clock = clock
        self.tasks: dict[str, SandboxTask] = {}
        self.charges: list[Charge] = []
        self.user_id = _user_id(options.api_key)

    def accept(self, task_type: str, sent: array[int]) -> SandboxTask:
        """Create and charge a task, or raise RefusedError and change nothing."""
        self._refuse_unless_fit(task_type, len(sent))
        now, serial = self.clock(), next(_serials)
        task = SandboxTask(_xid(now, serial), task_type, sent, now, serial)
        self.tasks[task.task_id] = task
        at = datetime.fromtimestamp(now, UTC)
        self.charges.append(Charge(task.task_id, task_type, task.total, price(task.total), at))
        return task

    def _refuse_unless_fit(self, task_type: str, numbers: int) -> None:
        if task_type not in DOCUMENTED:
            raise RefusedError(400, "invalid_task_type", f"task_type is not supported: {task_type[:40]}")
        if not numbers:
            raise RefusedError(400, "invalid_file", "the file holds no compliant number")
        if numbers < self.options.minimum:
            message = (
                f"only {numbers} compliant numbers remain for {task_type}, which is less than the minimum"
            )
            raise RefusedError(400, "invalid_batch_size", f"{message} {self.options.minimum}")
        if numbers > self.options.maximum:
            raise RefusedError(413, "file_too_large", f"at most {self.options.maximum} numbers a task")
        if price(numbers) > self.balance:
            raise RefusedError(402, "insufficient_balance", "the balance does not cover this task")

    def find(self, task_id: str) -> SandboxTask:
        if task_id not in self.tasks:
            # "Task not found" is a 404; some answer 400 instead (both seen in the field).
            raise RefusedError(
                400 if self.options.style == "older" else 404, "task_not_found", "task not found"
            )
        return self.tasks[task_id]

    def progress(self, task: SandboxTask) -> TaskProgress:
        """pending, then processing in growing numbers, then exported or failed."""
        seconds, elapsed = self.options.processing_seconds, self.clock() - task.accepted_at
        pending = min(self.options.pending_seconds, seconds / 2)
        if task.is_over or elapsed >= seconds:
            over_at = task.accepted_at + min(elapsed, seconds)
            return (
                TaskProgress("failed", 0, over_at)
                if task.fails
                else TaskProgress("exported", task.total, over_at)
            )
        if elapsed < pending:
            return TaskProgress("pending", 0, task.accepted_at)
        done = int(task.total * (elapsed - pending) / (seconds - pending))
        return TaskProgress("processing", done, task.accepted_at + pending)

    @property
    def balance(self) -> Decimal:
        return Decimal(str(self.options.balance)) - self.total_charged

    @property
    def total_charged(self) -> Decimal:
        return sum((charge.amount for charge in self.charges), Decimal(0))

    @property
    def used_today(self) -> Decimal:
        today = datetime.fromtimestamp(self.clock(), UTC).date()
        return sum((charge.amount for charge in self.charges if charge.at.date() == today), Decimal(0))


def _xid(now: float, serial: int) -> str:
    """An rs/xid: 4 bytes creation second, 3 machine, 2 process, 3 counter, in base32hex."""
    parts = int(now).to_bytes(4), b"box", (os.getpid() % 65536).to_bytes(2), (serial % (1 << 24)).to_bytes(3)
    return b32hexencode(b"".join(parts)).decode().rstrip("=").lower()


def _user_id(api_key: str) -> str:
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    digest = blake2b(api_key.encode(), digest_size=20).digest()
    return "".join(letters[byte % len(letters)] for byte in digest)
