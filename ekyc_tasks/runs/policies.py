"""Settings → the values that steps are handed: how to pack, upload, wait, and whom to believe."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal

from ekyc_tasks.exchange.poll_schedule import PollSchedule
from ekyc_tasks.exchange.submit import UploadPolicy
from ekyc_tasks.intake.rules import NO_RULES, ReadingPolicy, ReadingRules, read_landing_rules
from ekyc_tasks.money import Budget
from ekyc_tasks.planning.plan import PlanPolicy
from ekyc_tasks.provider import ResultHosts, Timeouts
from ekyc_tasks.settings import Settings

_LONGEST_CONNECT = 10.0  # seconds


def default_reading(settings: Settings) -> ReadingRules:
    """How a file is read where neither the command line nor a rule says another thing."""
    column = settings.number_column
    return ReadingRules(columns=() if column is None else (column,), region=settings.default_region)


def reading_policy(settings: Settings, *, asked: ReadingRules = NO_RULES) -> ReadingPolicy:
    """``asked``: on the command line. ConfigurationError when `landing.toml` is not right."""
    landing = read_landing_rules(settings.folder.landing_rules)
    return ReadingPolicy(default_reading(settings), landing, asked)


@dataclass(frozen=True, slots=True)
class PlanWishes:
    """What a person asks of one planning: how files are read (``asked``), how many numbers the first batch
    may hold, whether what is known is bought again and files with many rejected lines are taken, and how many
    numbers are approved."""

    asked: ReadingRules = NO_RULES
    limit: int | None = None
    recheck: bool = False
    accept_rejected: bool = False
    approved: int = 0


def plan_policy(
    settings: Settings, wishes: PlanWishes, *, reading: ReadingPolicy | None = None
) -> PlanPolicy:
    """How a run with these settings packs, and reads if ``reading`` does not say it. ConfigurationError when
    `landing.toml` is not right."""
    return PlanPolicy(
        task_type=settings.task_type,
        batch_size=settings.batch_size,
        min_batch=settings.min_batch,
        max_hold_back=settings.max_hold_back,
        send_rest=settings.small_rest == "send",
        fresh_for=settings.fresh_for,
        fresh_for_undetermined=settings.fresh_for_undetermined,
        recheck=wishes.recheck,
        reading=reading or reading_policy(settings, asked=wishes.asked),
        first=wishes.limit,
        most_rejected=None if wishes.accept_rejected else settings.max_rejected,
        ask_above=settings.ask_above,
        price_per_10k=settings.price_per_10k,
        approved=wishes.approved,
    )


def upload_policy(settings: Settings, *, budget: float | None = None) -> UploadPolicy:
    """``budget``: what a person allows for this run; None: what the settings allow."""
    return UploadPolicy(
        deadline=settings.upload_deadline,
        hold_on_500=settings.on_500 == "hold",
        price_per_10k=settings.price_per_10k,
        budget=Budget(
            run=settings.budget_run if budget is None else Decimal(str(budget)),
            day=settings.budget_day,
            month=settings.budget_month,
        ),
    )


def poll_schedule(settings: Settings) -> PollSchedule:
    return PollSchedule(
        shortest=min(settings.poll_min, settings.poll_max).total_seconds(),
        longest=settings.poll_max.total_seconds(),
        random=random.random,
    )


def http_timeouts(settings: Settings) -> Timeouts:
    seconds = settings.http_timeout.total_seconds()
    return Timeouts(connect=min(_LONGEST_CONNECT, seconds), read=seconds, write=seconds)


def result_hosts(settings: Settings) -> ResultHosts:
    """Where a result may be downloaded from."""
    return ResultHosts(settings.result_hosts, is_local=settings.is_local)
