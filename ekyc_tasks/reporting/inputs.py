"""What the rules of today make of the files that were planned before: counts and money, never a number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from ekyc_tasks.errors import InputError
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.intake import Arrival
from ekyc_tasks.intake.do_not_send import keys_of_do_not_send
from ekyc_tasks.intake.read_numbers import read_named_list
from ekyc_tasks.ledger import Batch, LandedFile
from ekyc_tasks.models import BatchState
from ekyc_tasks.money import price
from ekyc_tasks.phone.msisdns import NO_MSISDNS, Msisdns, places_in
from ekyc_tasks.planning.plan import PlanPolicy
from ekyc_tasks.storage.batch_files import keys_of_batch
from ekyc_tasks.support.redact import without_numbers
from ekyc_tasks.support.wording import count


@dataclass(frozen=True, slots=True)
class InputsReview:
    """Plain data. ``files``: what would be bought for them in addition. ``batches``: those with numbers that
    were bought and that no line of a landed file supports now."""

    files: tuple[dict[str, Any], ...]
    batches: tuple[dict[str, Any], ...]
    total: dict[str, Any]
    sentences: tuple[str, ...]

    def as_data(self) -> dict[str, Any]:
        return {
            "files": list(self.files),
            "batches": list(self.batches),
            "total": self.total,
            "sentences": list(self.sentences),
        }


def review_inputs(
    context: StepContext, policy: PlanPolicy, *, since: datetime | None, per_10k: Decimal | None
) -> InputsReview:
    """Read the files in inputs/ again, those planned ``since`` then or all; nothing is sent or written.

    Raises InputError when the numbers of a batch cannot be read.
    """
    return _Reviewer(context, policy).review(since, per_10k)


class _Reviewer:
    def __init__(self, context: StepContext, policy: PlanPolicy) -> None:
        self._folder = context.folder
        self._ledger = context.ledger
        self._reading = policy.reading
        self._files = [file for file in self._ledger.history.files() if file.task_type == policy.task_type]
        self._batches = [
            batch for batch in self._ledger.history.batches() if batch.task_type == policy.task_type
        ]
        self._keys: dict[tuple[str, str], Msisdns | None] = {}  # None: it cannot be read
        self._sentences: list[str] = []

    def review(self, since: datetime | None, per_10k: Decimal | None) -> InputsReview:
        looked_at = [file for file in self._files if since is None or file.planned_at >= since]
        new = self._never_asked(looked_at)
        files = [self._describe(file, new, per_10k) for file in looked_at]
        strangers = self._find_unsupported(looked_at)
        batches = [{"batch_id": each, "numbers": len(keys)} for each, keys in strangers.items()]
        bought = sum(len(keys) for keys in strangers.values())
        total = {"files": len(files), "new": len(new), "price": _money(price(len(new), per_10k))}
        if bought:
            self._sentences.append(
                f"{count(bought, 'number')} of {count(len(batches), 'batch')}, bought before, would not be "
                "read from any line now. They may belong to strangers: erase their answers."
            )
        sentences = tuple(map(without_numbers, dict.fromkeys(self._sentences)))
        return InputsReview(tuple(files), tuple(batches), {**total, "unsupported": bought}, sentences)

    def _describe(self, file: LandedFile, new: Msisdns, per_10k: Decimal | None) -> dict[str, Any]:
        keys = self._read(file)
        found = None if keys is None else len(places_in(keys, new))
        return {
            "name": file.name,
            "planned_at": file.planned_at.isoformat(),
            "numbers": None if keys is None else len(keys),
            "new": found,
            "price": None if found is None else _money(price(found, per_10k)),
        }

    def _read(self, file: LandedFile) -> Msisdns | None:
        """The numbers by the rules of today; once for the same bytes of the same name."""
        which = (file.sha256, file.name)
        if which not in self._keys:
            try:
                path = self._folder.input_file(file.sha256)
                rules = self._reading.rules_for(self._arrive_again(file))
                self._keys[which] = read_named_list(path, name=file.name, reading=rules).keys
            except InputError as error:
                self._keys[which] = None
                self._sentences.append(str(error))
        return self._keys[which]

    def _arrive_again(self, file: LandedFile) -> Arrival:
        path = Path(file.path)
        has_landed = path.is_relative_to(self._folder.landing)
        return Arrival(path, file.name, file.size, mtime_ns=0, inode=0, has_landed=has_landed)

    def _never_asked(self, files: Sequence[LandedFile]) -> Msisdns:
        """Numbers that are in no batch and may be sent. A file that waits is planned again anyway."""
        left = _union(self._read(file) for file in files if not file.replan and not file.counts.waiting)
        for batch in self._batches:
            left = _without(left, self._read_sent(batch))
        return _without(
            left, keys_of_do_not_send(self._folder.do_not_send, region=self._reading.settings.region)
        )

    def _find_unsupported(self, files: Sequence[LandedFile]) -> dict[str, Msisdns]:
        """By batch. Older files are read as well, for as long as a number has no line yet."""
        bought = self._find_bought(files)
        supported = _union(map(self._read, files))
        found = {each: _without(self._read_sent(batch), supported) for each, batch in bought.items()}
        for older in reversed(self._files):
            found = {each: keys for each, keys in found.items() if len(keys)}
            if not found:
                break
            keys = self._read(older)
            found = {each: _without(left, keys) for each, left in found.items()}
        return {each: keys for each, keys in found.items() if len(keys) and self._can_say(each)}

    def _find_bought(self, files: Sequence[LandedFile]) -> dict[str, Batch]:
        own = self._ledger.plans.own_batches([file.file_id for file in files])
        batches = {batch.batch_id: batch for each in own.values() for batch in each}
        return {
            batch_id: batch
            for batch_id, batch in sorted(batches.items())
            if batch.submitted_at is not None or batch.state.may_be_paid
        }

    def _can_say(self, batch_id: str) -> bool:
        """Not where one of its files cannot be read by the rules of today."""
        linked = {link.file_id for link in self._ledger.history.links(batch_id=batch_id)}
        return all(self._read(file) is not None for file in self._files if file.file_id in linked)

    def _read_sent(self, batch: Batch) -> Msisdns:
        try:
            return keys_of_batch(self._folder, batch.batch_id, numbers=batch.numbers)
        except InputError:
            if batch.state is BatchState.ABANDONED:  # a person may have put its files away
                return NO_MSISDNS
            raise


def _union(several: Iterator[Msisdns | None]) -> Msisdns:
    return reduce(np.union1d, (keys for keys in several if keys is not None), NO_MSISDNS)


def _without(keys: Msisdns, others: Msisdns | None) -> Msisdns:
    if others is None:
        return keys
    is_left = np.ones(len(keys), dtype=np.bool_)
    is_left[places_in(keys, others)] = False
    return keys[is_left]


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"
