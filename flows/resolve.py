"""Decide about a batch with a form in the Prefect UI; the same as `ekyc resolve`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput
from prefect.states import Completed
from pydantic import ConfigDict, Field, JsonValue

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.exchange.resolve import Resolution
from ekyc_tasks.flows.artifacts import tell_batches, tell_open
from ekyc_tasks.flows.endings import fail_state
from ekyc_tasks.flows.names import call_it
from ekyc_tasks.flows.parameters import ResolveRequest
from ekyc_tasks.installation import open_one
from ekyc_tasks.ledger import Batch, Ledger
from ekyc_tasks.models import Decision, states_where
from ekyc_tasks.reporting.markdown import decision_lines
from ekyc_tasks.settings import load_settings
from ekyc_tasks.support.wording import count
from ekyc_tasks.tasks import resolve_batch

ALL_OF_THEM = ResolveRequest()
_UNCHANGED = "Nothing was changed"
_BATCHES_IN_FORM = 10  # at most; a batch that is named stands alone
_NO_NUMBER = r"^(?!.*\+\d)(?!.*\d{9})"  # what is typed is kept in clear
_HELP = """Look at the tasks on the provider's own web page before you decide.

- **adopt**: the provider has the task. Enter its task id; it is checked with the provider.
- **resubmit**: the provider does not have the task. Upload the batch again. If the provider did take it,
  you pay again.
- **abandon**: give the batch up and plan its numbers again. **abandon and drop**: do not plan them again.
"""


class Choice(StrEnum):
    LEAVE_IT = "leave it"
    ADOPT = "adopt"
    RESUBMIT = "resubmit: it may cost again"
    ABANDON = "abandon"
    DROP = "abandon and drop"


_DECISIONS = {
    Choice.ADOPT: Decision.ADOPT,
    Choice.RESUBMIT: Decision.RESUBMIT,
    Choice.ABANDON: Decision.ABANDON,
    Choice.DROP: Decision.ABANDON,
}


class DecisionForm(RunInput):
    """If you leave this form as it is, nothing is changed."""

    model_config = ConfigDict(
        title="Decision", extra="forbid", hide_input_in_errors=True, regex_engine="python-re"
    )

    batch: str = Field("", title="Batch", description="The batch that you decide about.")
    decision: Choice = Field(
        Choice.LEAVE_IT,
        title="Decision",
        # Its words hear a click twice in Prefect's UI: the list opens, and closes at once.
        description="*leave it* changes nothing. Click the arrow to open the list.",
    )
    task_id: str = Field(
        "",
        pattern=r"^((?=.*[a-z])[0-9A-Za-z]{1,64})?$",
        title="Task id",
        description="Only for adopt: the provider's task id, 20 letters and digits, such as "
        "`d4g8o46p2jvh04o9uolg`.",
    )
    reason: str = Field(
        "",
        max_length=200,
        pattern=_NO_NUMBER,
        title="Who, and why",
        description="Saved in the batch's history. Do not write a phone number here.",
    )
    is_forced: bool = Field(
        False,
        title="Skip the safety checks",
        description="Only if you are sure; write the reason above.",
    )


@flow(name="resolve", flow_run_name="resolve", persist_result=False)
async def resolve(request: ResolveRequest = ALL_OF_THEM) -> State[dict[str, Any]]:
    """Decide about a held, failed or refused batch: the run waits until you fill in its form."""
    try:
        with open_one(load_settings().site) as ledger:
            named = deciding(ledger, request.batch)
            if not named:
                return Completed(name="Nothing to do", message="No batch waits for a decision.")
            form = form_for(ledger, named)
        await call_it("resolve", named[0].batch_id if len(named) == 1 else count(len(named), "batch"))
        # Nothing is held while a person thinks: this process ends here, and once there is an answer
        # another one begins at the top.
        return await act(await asuspend_flow_run(wait_for_input=form, key="decision"))
    except Exception as error:  # Prefect keeps what is raised here, word by word
        return fail_state(error)


def deciding(ledger: Ledger, batch_id: str) -> list[Batch]:
    """The batch that is named, or those that wait for a decision: the oldest, as many as a form can show."""
    if batch_id:
        return [ledger.history.batch(batch_id)]
    return ledger.history.batches(states=states_where(lambda state: state.needs_decision))[:_BATCHES_IN_FORM]


def form_for(ledger: Ledger, batches: Sequence[Batch]) -> type[DecisionForm]:
    """The form, with what is known about the batches that can be decided."""
    known = [line for batch in batches for line in (*decision_lines(ledger, batch), "")]
    ids = [batch.batch_id for batch in batches]
    schema: dict[str, JsonValue] = {"enum": [*ids]}

    class Form(DecisionForm):
        batch: str = Field(
            ids[0], title="Batch", description="The batch that you decide about.", json_schema_extra=schema
        )

    return Form.with_initial_data(description="\n".join([*known, _HELP]))


async def act(answer: DecisionForm) -> State[dict[str, Any]]:
    if answer.decision is Choice.LEAVE_IT:
        return Completed(name=_UNCHANGED, message=f"Batch {answer.batch} was not changed.")
    verdict = read_form(answer)
    with open_one(load_settings().site) as ledger:
        check(verdict, ledger.history.batch(answer.batch))
    state = await resolve_batch(
        answer.batch,
        decision=verdict.decision,
        task_id=verdict.task_id,
        who=verdict.who,
        reason=verdict.reason,
        is_forced=verdict.is_forced,
        drop=verdict.drop,
    )
    with open_one(load_settings().site) as ledger:
        await tell_batches(ledger, [ledger.history.batch(answer.batch)])
        await tell_open(ledger)
    return Completed(
        name=f"Decided: {answer.decision}",
        message=f"Batch {answer.batch} is now {state}. The next run of check-numbers continues.",
    )


def read_form(answer: DecisionForm) -> Resolution:
    return Resolution(
        _DECISIONS[answer.decision],
        who="in the Prefect UI",
        reason=answer.reason,
        task_id=answer.task_id or None,
        is_forced=answer.is_forced,
        drop=answer.decision is Choice.DROP,
    )


def check(verdict: Resolution, batch: Batch) -> None:
    """What the form cannot check, because it sees each field alone. It cannot ask for a confirmation: the
    form says already that resubmitting may cost again; *skip the safety checks* confirms the other risk."""
    try:
        verdict.check()
        risk = None if verdict.decision is Decision.RESUBMIT else verdict.risk(batch)
        if risk is not None and not verdict.is_forced:
            raise ConfigurationError(f"{risk}. If you mean that, skip the safety checks.")
    except ConfigurationError as error:
        raise ConfigurationError(f"{_UNCHANGED}; run `resolve` again. {error}") from None
