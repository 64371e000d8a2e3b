"""What is asked of the balance after an upload of unknown outcome."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from support.batch_fixture import BATCH, HELD, RUN, beside, broken

from ekyc_tasks.errors import LedgerError
from ekyc_tasks.exchange.check_balance import explain
from ekyc_tasks.reporting.summary import evidence

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_certificates")]


def explaining(bench):
    async def asking():
        async with bench.provider() as provider:
            return await explain(ledger=bench.ledger, provider=provider)

    return asyncio.run(asking())


@pytest.mark.parametrize("was_charged", [True, False])
def test_what_a_dead_run_could_not_ask_is_asked_once(bench, monkeypatch, was_charged):
    with beside(bench, "create:1=reset_after" if was_charged else "create:1=reset_before"):
        with monkeypatch.context() as patch:  # the process is gone before it can write what happened
            patch.setattr(bench.ledger.uploads, "answered", broken)
            with pytest.raises(LedgerError):
                bench.submit(price_per_10k=Decimal("4.50"))
        bench.ledger.runs.ended(RUN)
        assert bench.ledger.runs.left_behind("run-2") == [BATCH]
        bench.clock.advance(300)
        assert (explaining(bench), explaining(bench)) == (1, 0)
    (attempt,) = bench.attempts
    assert attempt.looked_at == bench.clock.now()
    last = evidence(bench.ledger, bench.batch)[-1]
    assert ("exactly the expected price" if was_charged else "probably did not take the upload") in last


def test_what_the_run_asked_itself_is_not_asked_again(bench):
    with beside(bench, "create:1=reset_after"):
        assert bench.submit() is HELD
        assert explaining(bench) == 0


def test_where_no_balance_is_offered_nothing_is_asked_for(bench):
    with beside(bench, "create:1=reset_after", offers_balance=False):
        assert bench.submit() is HELD
        assert explaining(bench) == 0
    assert "The balance before the upload is not known" in evidence(bench.ledger, bench.batch)[-1]
