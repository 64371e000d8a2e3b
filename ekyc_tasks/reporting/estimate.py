"""What a run would send and cost: counts and money, never a number. Nothing is sent or written for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ekyc_tasks.errors import EkycError, ExitCode
from ekyc_tasks.exchange.submit import UploadPolicy
from ekyc_tasks.installation import open_one, open_questions
from ekyc_tasks.installation.access import no_ledger, require_mine
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.installation.setup import is_made
from ekyc_tasks.intake import Arrival
from ekyc_tasks.intake.arrivals import Arrivals, find_settled
from ekyc_tasks.ledger import LandedFile, Ledger, Link, glance_at, make_ledger
from ekyc_tasks.models import NO_LINES, BatchState, Disposition
from ekyc_tasks.money import Balance, price, worth
from ekyc_tasks.planning.batching import fit_into
from ekyc_tasks.planning.plan import Plan, PlanPolicy, preview
from ekyc_tasks.reporting.explanation import Observation, describe_columns, describe_reasons, explain
from ekyc_tasks.reporting.funnel import line_data
from ekyc_tasks.runs.session import Problem
from ekyc_tasks.storage.paths import Site
from ekyc_tasks.support.clock import Clock
from ekyc_tasks.support.redact import without_numbers
from ekyc_tasks.support.wording import count


@dataclass(frozen=True, slots=True)
class Estimate:
    """Plain data for a table or a script; ``sentences`` say what may be unexpected. ``rejected``: an example
    of each reason. ``columns``: of files with several that are read, or in question."""

    files: tuple[dict[str, Any], ...]
    total: dict[str, Any]
    batches: tuple[dict[str, Any], ...]
    planned_before: dict[str, Any]
    budgets: tuple[dict[str, Any], ...]
    balance: str | None
    sentences: tuple[str, ...]
    exit_code: ExitCode
    rejected: tuple[dict[str, Any], ...] = ()
    columns: tuple[dict[str, Any], ...] = ()
    explanations: tuple[dict[str, Any], ...] = ()

    def as_data(self) -> dict[str, Any]:
        return {
            "files": list(self.files),
            "total": self.total,
            "batches": list(self.batches),
            "planned_before": self.planned_before,
            "budgets": list(self.budgets),
            "balance": self.balance,
            "sentences": list(self.sentences),
            "exit_code": int(self.exit_code),
            "rejected": list(self.rejected),
            "columns": list(self.columns),
            **({"explanations": list(self.explanations)} if self.explanations else {}),
        }


async def estimate_run(
    found: Arrivals,
    context: StepContext,
    policy: PlanPolicy,
    spending: UploadPolicy,
    *,
    balance: Balance | None = None,
    problems: Sequence[Problem] = (),
    explains: bool = False,
) -> Estimate:
    """What a run would do now with these files. ``balance``: the provider's word; ``problems``: what would
    stop it before it buys. ``explains``: how each file is read is told as well."""
    observations: list[Observation] = []

    def observe(arrival: Arrival) -> Observation:
        observations.append(Observation(arrival, policy.reading))
        return observations[-1]

    plan = await preview(found.settled, context, policy, observe)
    per_10k = spending.price_per_10k
    total = _total(plan, per_10k)
    before = [batch.numbers for batch in context.ledger.history.batches(states=[BatchState.PLANNED])]
    sizes = [*before, *(numbers for _, numbers in plan.batches)]
    budgets = _Budgets(spending, context, balance)
    short = budgets.too_small_for(fit_into(policy.first, sizes, int))
    unreadable = [*found.unreadable, *plan.unreadable]
    codes = [problem.exit_code for problem in problems]
    asked = [plan.approval.sentence] if plan.approval else []
    codes += [ExitCode.PERSON_NEEDED] * len(asked)
    codes += [ExitCode.NO_MONEY] * bool(short) + [ExitCode.INPUT] * bool(unreadable)
    stops = [problem.text for problem in problems]
    return Estimate(
        files=tuple(_file(file, plan, per_10k) for file in plan.files),
        total=total,
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
        sentences=tuple(
            map(without_numbers, (*stops, *unreadable, *found.unsettled, *plan.notes, *short, *asked))
        ),
        exit_code=min(codes, default=ExitCode.DONE),
        rejected=tuple(describe_reasons(total["rejected_by_reason"], observations)),
        columns=tuple(
            {"file": each.arrival.name, **column}
            for each in observations
            for column in describe_columns(each, per_10k)
        ),
        explanations=tuple(
            explain(each, policy.reading, per_10k=per_10k) for each in observations if explains
        ),
    )


@contextmanager
def ledger_to_look_at(site: Site) -> Iterator[tuple[Ledger, list[Problem]]]:
    """The ledger, and what would stop a run before it buys; nothing is made.

    Where none has been made yet, an empty one for the moment. ConfigurationError where it is not this
    folder's.
    """
    if not glance_at(site.ledger_url).is_there and not is_made(site):
        why = f"There is no ledger yet, so this plan treats all numbers as new. {no_ledger(site)}"
        with TemporaryDirectory() as folder, make_ledger(f"sqlite:///{folder}/ledger.db") as ledger:
            yield ledger, [Problem(why, ExitCode.CONFIGURATION)]
        return
    with open_one(site, writes=False) as ledger:
        yield ledger, list(_obstacles(ledger, site))


def _obstacles(ledger: Ledger, site: Site) -> Iterator[Problem]:
    try:
        require_mine(ledger, site)
    except EkycError as error:
        yield Problem(str(error), error.exit_code)
        return
    for question in open_questions(ledger, site):
        yield Problem(question.text, ExitCode.PERSON_NEEDED)


async def find_landed(
    landing: Path, files: Sequence[Path], *, settle: timedelta, clock: Clock, is_made_by_run: bool
) -> Arrivals:
    """These files, or all that landed; a landing folder that the first run makes may be missing."""
    if not files and is_made_by_run and not landing.exists():
        return Arrivals(())
    return await find_settled(landing, files, settle=settle, clock=clock)


def _file(file: LandedFile, plan: Plan, per_10k: Decimal | None) -> dict[str, Any]:
    return {
        "name": file.name,
        "size": file.size,
        **line_data(file.counts),
        "rejected_by_reason": _by_count(plan.rejected[file.file_id]),
        "price": _money(_share(file.file_id, plan, per_10k)),
        "saved": _money(worth(file.counts.not_bought, per_10k)),
    }


def _total(plan: Plan, per_10k: Decimal | None) -> dict[str, Any]:
    counts = sum((file.counts for file in plan.files), NO_LINES)
    reasons: Counter[str] = Counter()
    for file in plan.files:
        reasons.update(plan.rejected[file.file_id])
    return {
        "files": len(plan.files),
        **line_data(counts),
        "rejected_by_reason": _by_count(reasons),
        "batches": len(plan.batches),
        "due_again": plan.due_again,
        "price": _money(_cost([numbers for _, numbers in plan.batches], per_10k)),
        "saved": _money(worth(counts.not_bought, per_10k)),
    }


def _share(file_id: str, plan: Plan, per_10k: Decimal | None) -> Decimal | None:
    """What a file brings into batches, at the price of these batches: the shares of all files add up."""
    if per_10k is None:
        return None
    sizes = dict(plan.batches)
    return sum(
        (_part(link, sizes[link.batch_id], per_10k) for link in _count_brought(file_id, plan)), Decimal(0)
    )


def _count_brought(file_id: str, plan: Plan) -> Iterator[Link]:
    new = {batch_id for batch_id, _ in plan.batches}
    for link in plan.links:
        if link.file_id == file_id and link.fate is Disposition.BATCHED and link.batch_id in new:
            yield link


def _part(link: Link, size: int, per_10k: Decimal) -> Decimal:
    return (price(size, per_10k) or Decimal(0)) * link.numbers / size


def _cost(sizes: Iterable[int], per_10k: Decimal | None) -> Decimal | None:
    return (
        None if per_10k is None else sum((price(size, per_10k) or Decimal(0) for size in sizes), Decimal(0))
    )


class _Budgets:
    """What may still be spent."""

    def __init__(self, spending: UploadPolicy, context: StepContext, balance: Balance | None) -> None:
        day = context.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        self._per_10k = spending.price_per_10k
        self._budget = spending.budget
        self._balance = balance
        self._spent = {
            "run": Decimal(0),
            "day": context.ledger.uploads.spent(since=day),
            "month": context.ledger.uploads.spent(since=day.replace(day=1)),
        }

    def too_small_for(self, sizes: Sequence[int]) -> list[str]:
        """A sentence when not all of these batches can be sent."""
        sent = Decimal(0)
        for index, size in enumerate(sizes):
            cost = price(size, self._per_10k)
            why = self._budget.exceeds(cost, **{name: spent + sent for name, spent in self._spent.items()})
            if why is None and cost is not None and self._balance is not None:
                why = self._balance.too_small_for(sent + cost)
            if why is not None:
                return [
                    f"Only {index:,} of {count(len(sizes), 'batch')} can be sent: {why}. "
                    "The other batches stay planned."
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
