"""Money: what attempts cost, or may have cost, and what budgets still allow."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, func, or_, select

from ekyc_tasks.errors import NoMoney
from ekyc_tasks.ledger.tables import attempts
from ekyc_tasks.models import Outcome
from ekyc_tasks.money import Budget

MAY_BE_CHARGED = or_(
    attempts.c.outcome.is_(None), attempts.c.outcome.in_((Outcome.ACCEPTED, Outcome.UNKNOWN))
)


def require_budget(
    connection: Connection,
    batch_id: str,
    price: Decimal | None,
    budget: Budget,
    *,
    run_id: str,
    now: datetime,
) -> None:
    """To be asked in the transaction that notes the attempt: no other run spends meanwhile."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    why = budget.exceeds(
        price,
        run=spent(connection, run_id=run_id),
        day=spent(connection, since=day),
        month=spent(connection, since=day.replace(day=1)),
    )
    if why is not None:
        raise NoMoney(f"Batch {batch_id} stays planned: {why}. Raise the budget, or wait.")


def spent(connection: Connection, *, since: datetime | None = None, run_id: str | None = None) -> Decimal:
    """Prices of all attempts that were charged or may have been."""
    query = select(func.coalesce(func.sum(attempts.c.price), 0)).where(MAY_BE_CHARGED)
    if since is not None:
        query = query.where(attempts.c.started_at >= since)
    if run_id is not None:
        query = query.where(attempts.c.run_id == run_id)
    return Decimal(connection.execute(query).scalar_one())
