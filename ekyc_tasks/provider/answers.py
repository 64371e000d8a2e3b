"""What the API's answers say, and how much of it is believed.

Facts marked *documented* are the provider's own pages; *seen* is what its paying users met. No text
that leaves here holds a number, the key or a link.
"""

from __future__ import annotations

import email.utils
import json
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Any

import httpx

from ekyc_tasks.errors import AccessDenied, ProviderTrouble, TaskUnknown
from ekyc_tasks.models import Outcome, TaskStatus, UploadResult
from ekyc_tasks.money import Balance
from ekyc_tasks.provider.wire import TROUBLE
from ekyc_tasks.support.redact import scrub

_BODY_LIMIT = 1 << 20  # an answer of the API is far below; an endless one must not fill the memory
_TASK_ID = re.compile(r"[0-9A-Za-z_-]{1,200}")
# In an answer that is not as documented; not behind a plus, where it would be a phone number.
_NAMED_TASK_ID = re.compile(
    r"""(?:\btask[_ -]?id["']?|["']id["'])\s{0,3}[:=]\s{0,3}["']?([0-9A-Za-z_-]{1,200})""", re.IGNORECASE
)
_MINIMUM = re.compile(r"\bminimum\D{0,20}?(\d{1,3}(?:[,' ]\d{3})+|\d{1,8})\b", re.IGNORECASE)
_LARGEST_TASK = 10_000_000  # documented: the most numbers that one task takes
_LONGEST_WAIT = 1_000_000.0  # seconds; a date far ahead must not leave the calendar
_LONGEST_AMOUNT = 50
_LONGEST_WORDS = 4096  # more than is ever shown; hostile megabytes are not worth reading
_OUTCOMES: dict[int, Outcome] = {
    HTTPStatus.BAD_REQUEST: Outcome.REFUSED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Outcome.REFUSED,
    HTTPStatus.UNPROCESSABLE_ENTITY: Outcome.REFUSED,
    HTTPStatus.UNAUTHORIZED: Outcome.ACCESS_DENIED,
    HTTPStatus.FORBIDDEN: Outcome.ACCESS_DENIED,
    HTTPStatus.NOT_FOUND: Outcome.ACCESS_DENIED,
    HTTPStatus.METHOD_NOT_ALLOWED: Outcome.ACCESS_DENIED,
    HTTPStatus.PAYMENT_REQUIRED: Outcome.NO_MONEY,
    HTTPStatus.TOO_MANY_REQUESTS: Outcome.THROTTLED,
    HTTPStatus.INTERNAL_SERVER_ERROR: Outcome.SERVER_ERROR,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API, at most `_BODY_LIMIT` bytes of it, whole unless the connection broke."""

    status: int
    body: bytes
    retry_after: float | None
    is_whole: bool

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object in the body, or an empty one."""
        try:
            parsed = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return parsed if isinstance(parsed, dict) else {}

    def words(self, *secrets: str) -> str:
        """What the provider said, fit to be shown; seen: JSON with `error` and `message`, HTML, nothing."""
        parts = [self.document.get(name) for name in ("error", "message")]
        said = ": ".join(part for part in parts if isinstance(part, str) and part)
        text = scrub(_beginning(said or self._text()), *secrets)
        return f"HTTP {self.status}" + (f", {text}" if text else "")

    def _text(self) -> str:
        """JSON is written again, because its escapes may hide a link or a number."""
        try:
            return json.dumps(json.loads(self.body), ensure_ascii=False)
        except (ValueError, RecursionError):
            return self.body.decode("utf-8", "replace")


async def answer_of(response: httpx.Response) -> Answer:
    body, is_whole = await _body(response)
    return Answer(response.status_code, body, _retry_after(response.headers), is_whole)


def upload_result(answer: Answer, key: str) -> UploadResult:
    """What an answer to an upload means for money."""
    words = answer.words(key)
    is_success = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
    task_id = _task_id(answer.document.get("task_id"))
    if is_success and task_id is not None:
        return UploadResult(Outcome.ACCEPTED, words, answer.status, task_id=task_id)
    named = _read_task_id(answer)
    if not answer.is_whole:
        return UploadResult(Outcome.UNKNOWN, f"{words} (the answer was incomplete{named})", answer.status)
    if is_success:
        return UploadResult(
            Outcome.UNKNOWN, f"{words} (the answer has no task id as documented{named})", answer.status
        )
    outcome = _OUTCOMES.get(answer.status, Outcome.UNKNOWN)
    minimum = _minimum(words) if outcome is Outcome.REFUSED else None
    return UploadResult(outcome, words, answer.status, retry_after=answer.retry_after, minimum=minimum)


def _task_id(value: object) -> str | None:
    """Documented: a text; a whole number is one, too."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        value = str(value)
    return value if isinstance(value, str) and _TASK_ID.fullmatch(value) else None


def _read_task_id(answer: Answer) -> str:
    """What may be the only copy of the id of a paid task, which words from outside would mask or cut off."""
    text = answer.body.decode("utf-8", "replace")
    named = _NAMED_TASK_ID.search(text)
    if named is None:
        return ""
    is_cut_off = not answer.is_whole and named.end() == len(text)
    return f"; it names task {named[1]}{'…' if is_cut_off else ''}"


def balance(answer: Answer) -> Balance | None:
    """None where it says nothing useful (not everywhere is a balance offered)."""
    amount = _decimal(answer.document.get("balance"))
    if answer.status != HTTPStatus.OK or amount is None:
        return None
    used_today, credit = (_decimal(answer.document.get(name)) for name in ("used_today", "credit"))
    return Balance(amount, used_today, credit)


def task_status(answer: Answer, task_id: str, *, host: str, key: str) -> TaskStatus:
    """Raises AccessDenied, TaskUnknown, ProviderTrouble.

    Seen: everything but `task_id` and `status` may be missing, and counts may be anything.
    """
    _require_success(answer, host, key)
    document = answer.document
    said = document.get("task_id")
    if said and _task_id(said) != task_id:
        raise ProviderTrouble("the provider's answer is about another task")
    return TaskStatus(
        task_id=task_id,
        status=document["status"],
        total=_count(document.get("total")),
        success=_count(document.get("success")),
        updated_at=parse_time(document.get("updated_at")),
        user_id=_text(document.get("user_id")),
        actual_amount=_amount(document.get("actual_amount")),
        result_url=_text(document.get("result_url")),
    )


def _require_success(answer: Answer, host: str, key: str) -> None:
    words = answer.words(key)
    if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST}:
        raise TaskUnknown(f"the provider does not know the task ({words})")
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED}:
        raise AccessDenied(
            f"{host} rejected the API key or the URL ({words}). Correct EKYC_API_KEY or EKYC_BASE_URL"
        )
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        raise ProviderTrouble(f"{host} reports a problem ({words})", retry_after=answer.retry_after)
    if _text(answer.document.get("status")) is None:
        raise ProviderTrouble(f"{host} answered without a task status ({words})")


def parse_time(value: object) -> datetime | None:
    """RFC 3339 with any number of fractional digits (seen: 0, 3, 8 and 9), or None."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    try:
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except OverflowError:
        return None


def _minimum(words: str) -> int | None:
    """Seen: "only 450 compliant numbers remain for ws, which is less than the minimum 500"."""
    named = _MINIMUM.search(words)
    minimum = int(re.sub(r"\D", "", named[1])) if named else 0
    return minimum if 1 < minimum <= _LARGEST_TASK else None


def _beginning(text: str) -> str:
    """Cut between words: half a key or a link would not be known for one."""
    return text if len(text) <= _LONGEST_WORDS else text[:_LONGEST_WORDS].rpartition(" ")[0]


async def _body(response: httpx.Response) -> tuple[bytes, bool]:
    """What arrived, and whether that was all: a task id that came before the connection broke counts."""
    body = bytearray()
    try:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _BODY_LIMIT:
                break
    except TROUBLE:
        return bytes(body), False
    return bytes(body), True


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds, from either form of the header; None when absent or senseless."""
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,6}(\.\d+)?", value):
        return float(value)
    try:
        seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62 else None


def _text(value: object) -> str | None:
    """No control characters or half ones: not every database takes them."""
    return value if isinstance(value, str) and value and value.isprintable() else None


def _amount(value: object) -> str | None:
    """Seen: `{"amount": "1.23", "currency": "USD"}`."""
    amount = _decimal(value.get("amount")) if isinstance(value, dict) else None
    return None if amount is None or len(str(amount)) > _LONGEST_AMOUNT else str(amount)


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
