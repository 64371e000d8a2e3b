"""What a run would send and cost: counts and money, never a number. Nothing is sent or written for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ekyc_tasks.accounts import NOT_BOUGHT, not_bought
from ekyc_tasks.clock import Clock
from ekyc_tasks.ledger import LandedFile, Ledger, Link, open_ledger
from ekyc_tasks.models import BatchState, Fate
from ekyc_tasks.money import Balance, Budget, price, worth
from ekyc_tasks.scrub import without_numbers
from ekyc_tasks.settings import Settings
from ekyc_tasks.steps.arrivals import Arrivals, settled_arrivals
from ekyc_tasks.steps.plan import Plan, PlanPolicy, preview
from ekyc_tasks.wording import count

_COUNTS = (
    "lines", "blank", "header", "rejected", "duplicate", "do_not_send", "known", "in_flight", "waiting",
)  # fmt: skip
_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Plain data for a table or a script; ``sentences`` say what will not go as one may expect."""

    files: tuple[dict[str, Any], ...]
    total: dict[str, Any]
    batches: tuple[dict[str, Any], ...]
    planned_before: dict[str, Any]
    budgets: tuple[dict[str, Any], ...]
    balance: str | None
    sentences: tuple[str, ...]
    exit_code: int

    def as_data(self) -> dict[str, Any]:
        return {
            "files": list(self.files),
            "total": self.total,
            "batches": list(self.batches),
            "planned_before": self.planned_before,
            "budgets": list(self.budgets),
            "balance": self.balance,
            "sentences": list(self.sentences),
            "exit_code": self.exit_code,
        }


def plan_policy(settings: Settings, *, limit: int | None = None, recheck: bool = False) -> PlanPolicy:
    """How a run with these settings packs."""
    return PlanPolicy(
        task_type=settings.task_type,
        batch_size=settings.batch_size,
        min_batch=settings.min_batch,
        max_hold_back=settings.max_hold_back,
        send_rest=settings.small_rest == "send",
        fresh_for=settings.fresh_for,
        fresh_for_undetermined=settings.fresh_for_undetermined,
        recheck=recheck,
        default_region=settings.default_region,
        number_column=settings.number_column,
        first=limit,
    )


async def estimated(
    settings: Settings,
    ledger: Ledger,
    files: Sequence[Path] = (),
    *,
    clock: Clock,
    limit: int | None = None,
    recheck: bool = False,
    balance: Balance | None = None,
) -> Estimate:
    """What a run would do now with these files, or with all that landed. ``balance``: the provider's word."""
    found = await _found(settings, files, clock)
    policy = plan_policy(settings, limit=limit, recheck=recheck)
    plan = await preview(found.settled, ledger=ledger, folder=settings.folder, policy=policy, clock=clock)
    per_10k = settings.price_per_10k
    before = [batch.numbers for batch in ledger.history.batches(states=[BatchState.PLANNED])]
    sizes = [*before, *(numbers for _, numbers in plan.batches)]
    budgets = _Budgets(settings, ledger, clock, balance)
    short = budgets.too_small_for(_up_to(sizes, limit))
    unreadable = [*found.unreadable, *plan.unreadable]
    rows = tuple(_file(file, plan, per_10k) for file in plan.files)
    return Estimate(
        files=rows,
        total=_total(rows, plan, per_10k),
        batches=tuple(
            {"numbers": numbers, "price": _money(price(numbers, per_10k))} for _, numbers in plan.batches
        ),
        planned_before={
            "batches": len(before),
            "numbers": sum(before),
            "price": _money(_cost(before, per_10k)),
        },
        budgets=tuple(budgets.as_data()),
        balance=None if balance is None else str(balance.balance),
        sentences=tuple(map(without_numbers, (*unreadable, *found.unsettled, *plan.notes, *short))),
        exit_code=4 if short else 5 if unreadable else 0,
    )


@contextmanager
def ledger_to_look_at(settings: Settings) -> Iterator[Ledger]:
    """The ledger, or an empty one for the moment where none has been made yet."""
    address = settings.ledger_address
    if not address.startswith(_SQLITE) or Path(address.removeprefix(_SQLITE)).exists():
        with open_ledger(address) as ledger:
            yield ledger
        return
    with TemporaryDirectory() as folder, open_ledger(f"{_SQLITE}{folder}/ledger.db") as ledger:
        yield ledger


async def _found(settings: Settings, files: Sequence[Path], clock: Clock) -> Arrivals:
    landing = settings.folder.landing
    if not files and settings.landing_dir is None and not landing.exists():
        return Arrivals(())  # the first run makes it
    return await settled_arrivals(landing, files, settle=settings.settle, clock=clock)


def _file(file: LandedFile, plan: Plan, per_10k: Decimal | None) -> dict[str, Any]:
    return {
        "name": file.name,
        "size": file.size,
        **{name: getattr(file, name) for name in _COUNTS},
        "rejected_by_reason": _by_count(plan.rejected[file.file_id]),
        "to_send": file.batched,
        "price": _money(_share(file.file_id, plan, per_10k)),
        "saved": _money(worth(not_bought(file), per_10k)),
    }


def _batch(numbers: int, per_10k: Decimal | None) -> dict[str, Any]:
    return {"numbers": numbers, "price": _money(price(numbers, per_10k))}


def _total(files: Iterable[dict[str, Any]], plan: Plan, per_10k: Decimal | None) -> dict[str, Any]:
    sums: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for file in files:
        sums.update({name: file[name] for name in (*_COUNTS, "to_send")})
        reasons.update(file["rejected_by_reason"])
    return {
        "files": len(plan.files),
        **{name: sums[name] for name in _COUNTS},
        "rejected_by_reason": _by_count(reasons),
        "to_send": sums["to_send"],
        "batches": len(plan.batches),
        "price": _money(_cost([numbers for _, numbers in plan.batches], per_10k)),
        "saved": _money(worth(sum(sums[name] for name in NOT_BOUGHT), per_10k)),
    }


def _share(file_id: str, plan: Plan, per_10k: Decimal | None) -> Decimal | None:
    """What a file brings into batches, at the price of these batches: the shares of all files add up."""
    if per_10k is None:
        return None
    sizes = dict(plan.batches)
    return sum((_part(link, sizes[link.batch_id], per_10k) for link in _brought(file_id, plan)), Decimal(0))


def _brought(file_id: str, plan: Plan) -> Iterator[Link]:
    new = {batch_id for batch_id, _ in plan.batches}
    for link in plan.links:
        if link.file_id == file_id and link.fate is Fate.BATCHED and link.batch_id in new:
            yield link


def _part(link: Link, size: int, per_10k: Decimal) -> Decimal:
    return (price(size, per_10k) or Decimal(0)) * link.numbers / size


def _cost(sizes: Iterable[int], per_10k: Decimal | None) -> Decimal | None:
    return (
        None if per_10k is None else sum((price(size, per_10k) or Decimal(0) for size in sizes), Decimal(0))
    )


def _up_to(sizes: Iterable[int], limit: int | None) -> list[int]:
    """The batches that fit into a limit, as a run takes them."""
    fitting, left = [], limit
    for size in sizes:
        if left is None or size <= left:
            fitting.append(size)
            left = None if left is None else left - size
    return fitting


class _Budgets:
    """What may still be spent."""

    def __init__(self, settings: Settings, ledger: Ledger, clock: Clock, balance: Balance | None) -> None:
        day = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        self._per_10k = settings.price_per_10k
        self._budget = Budget(settings.budget_run, settings.budget_day, settings.budget_month)
        self._balance = balance
        self._spent = {
            "run": Decimal(0),
            "day": ledger.uploads.spent(since=day),
            "month": ledger.uploads.spent(since=day.replace(day=1)),
        }

    def too_small_for(self, sizes: Sequence[int]) -> list[str]:
        """A sentence when not all of these batches can be sent."""
        sent = Decimal(0)
        for index, size in enumerate(sizes):
            cost = price(size, self._per_10k)
            why = self._budget.exceeded(cost, **{name: spent + sent for name, spent in self._spent.items()})
            if why is None and cost is not None and self._balance is not None:
                why = self._balance.too_small_for(sent + cost)
            if why is not None:
                return [
                    f"{index:,} of {count(len(sizes), 'batch')} can be sent: {why}. The rest stays planned."
                ]
            sent += cost or Decimal(0)
        return []

    def as_data(self) -> Iterator[dict[str, Any]]:
        for name, spent in self._spent.items():
            limit: Decimal | None = getattr(self._budget, name)
            if limit is not None:
                yield {"of": name, "limit": str(limit), "spent": _money(spent), "left": _money(limit - spent)}


def _by_count(reasons: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(reasons).most_common())


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"
