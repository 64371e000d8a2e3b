"""The JSON documents of the API, in both styles; field names and order are the documented ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ekyc_tasks.sandbox.backend import Backend, SandboxTask, TaskProgress, price

Document = dict[str, Any]

# Fractional digits of a timestamp: all of these have been seen in the field.
_FRACTIONS = (9, 3, 8, 0)


def creation(backend: Backend, task: SandboxTask) -> tuple[int, Document]:
    """Status code and body of an accepted upload; 200 is documented, 202 is the older style."""
    if backend.options.style == "older":
        # All zero, whatever was sent: 0 does not mean empty.
        return 202, _task_object(backend, task, TaskProgress("pending", 0, task.accepted_at), total=0)
    return 200, {
        "task_id": task.task_id,
        "status": "pending",
        "total": task.total,
        "message": "Task created successfully",
        "created_at": _timestamp(task.accepted_at, task.serial),
    }


def status(backend: Backend, task: SandboxTask, progress: TaskProgress, result_url: str) -> Document:
    """The body of a status call; ``result_url`` only when exported."""
    document = _task_object(backend, task, progress, total=task.total)
    if backend.options.style == "older":
        name = "actual_amount" if progress.status == "exported" else "estimated_amount"
        document[name] = {"amount": str(price(task.total)), "currency": "USD"}
    if progress.status == "exported":
        document["result_url"] = result_url
    return document


def balance(backend: Backend) -> Document:
    """Documented with six fields; in older days just ``balance``. USD."""
    if backend.options.style == "older":
        return {"balance": float(backend.balance)}
    midnight = datetime.fromtimestamp(backend.clock(), UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "status": "OK",
        "balance": float(backend.balance),
        "credit": 0,
        "used_today": float(backend.used_today),
        "daily_limit": 1000,
        "reset_time": f"{midnight + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
    }


def charges(backend: Backend) -> Document:
    """What would have been charged so far: counts and money, no phone number."""
    entries = [
        {**charge._asdict(), "amount": float(charge.amount), "at": charge.at.isoformat()}
        for charge in list(backend.charges)
    ]
    return {
        "charges": entries,
        "total_numbers": sum(entry["numbers"] for entry in entries),
        "total_amount": float(backend.total_charged),
    }


def _task_object(backend: Backend, task: SandboxTask, progress: TaskProgress, *, total: int) -> Document:
    # `updated_at` is the last change of the status: it stands still while `success` grows.
    return {
        "created_at": _timestamp(task.accepted_at, task.serial),
        "updated_at": _timestamp(progress.changed_at, task.serial + 1),
        "task_id": task.task_id,
        "user_id": backend.user_id,
        "status": progress.status,
        "total": total,
        "success": progress.success,
        "failure": total if progress.status == "failed" else 0,
    }


def _timestamp(seconds: float, serial: int) -> str:
    digits = _FRACTIONS[serial % len(_FRACTIONS)]
    whole, fraction = divmod(round(seconds * 1_000_000_000), 1_000_000_000)
    tail = f".{fraction:09}"[: digits + 1] if digits else ""
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}{tail}Z"
