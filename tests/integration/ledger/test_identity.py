"""A ledger belongs to one host and one account."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from support.ledger_steps import HELD, PLANNED, answered, intended, planned

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.ledger import make_ledger
from ekyc_tasks.models import Outcome

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("bind", "values", "remedy"),
    [
        ("belongs_to_host", ("api.ekycpro.com", "127.0.0.1:8080"), "EKYC_BASE_URL"),
        ("belongs_to_user", ("me", "somebody"), "key of the first account"),
    ],
)
def test_a_ledger_belongs_to_one_host_and_one_account(ledger, url, bind, values, remedy):
    mine, other = values
    planned(ledger, "batch")
    intended(ledger)
    getattr(ledger.facts, bind)(mine)
    getattr(ledger.facts, bind)(mine)
    with make_ledger(url) as again, pytest.raises(ConfigurationError, match=remedy):
        getattr(again.facts, bind)(other)
    getattr(ledger.facts, bind)(mine)


@pytest.mark.parametrize(
    ("outcome", "may_be_another"),
    [(outcome, outcome in {Outcome.NOT_SENT, Outcome.ACCESS_DENIED}) for outcome in Outcome],
)
def test_a_host_that_took_nothing_may_be_corrected_on_purpose(ledger, outcome, may_be_another):
    wrong, right = "api.ekycpro.con", "api.ekycpro.com"
    ledger.facts.belongs_to_host(wrong)
    planned(ledger, "batch")
    intended(ledger)
    answered(ledger, outcome, HELD if outcome is Outcome.UNKNOWN else PLANNED)
    with pytest.raises(ConfigurationError):  # a run is at work
        ledger.facts.belongs_to_other_host(right)
    ledger.runs.ended("one")
    with pytest.raises(ConfigurationError, match="belongs to"):  # nobody said so
        ledger.facts.belongs_to_host(right)
    with nullcontext() if may_be_another else pytest.raises(ConfigurationError, match="belongs to"):
        ledger.facts.belongs_to_other_host(right)
    assert ledger.facts.bound_host() == (right if may_be_another else wrong)


def test_while_an_upload_is_under_way_its_host_is_not_corrected(ledger):
    ledger.facts.belongs_to_host("api.ekycpro.con")
    planned(ledger, "batch")
    intended(ledger)
    ledger.runs.ended("one")
    with pytest.raises(ConfigurationError, match="belongs to"):
        ledger.facts.belongs_to_other_host("api.ekycpro.com")
    assert ledger.facts.bound_host() == "api.ekycpro.con"
