"""A person's decision about a batch, by a form in the Prefect UI; the same as `ekyc resolve`."""

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
from ekyc_tasks.ledger import Batch, Ledger, open_ledger
from ekyc_tasks.models import BatchState, Decision
from ekyc_tasks.pages import NEEDS_A_DECISION, decision_lines
from ekyc_tasks.settings import load_settings
from ekyc_tasks.tasks import resolve_batch
from ekyc_tasks.wording import count
from flows.artifacts import tell_batches, tell_open
from flows.endings import failed
from flows.names import call_it
from flows.parameters import ResolveRequest

ALL_OF_THEM = ResolveRequest()
_UNCHANGED = "Nothing was changed"
_SHOWN = 10  # batches in one form
_NO_NUMBER = r"^(?!.*\+\d)(?!.*\d{9})"  # what is typed is kept in clear
_HELP = """Have the provider's own web page beside you.

- **adopt**: it was taken; give its task id. The provider is asked about it.
- **resubmit**: it was not taken. If it was, you pay again.
- **abandon**: let go of it; its numbers are planned again. **abandon and drop**: they are not.
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


class Answer(RunInput):
    """The form. Left as it is, it changes nothing."""

    model_config = ConfigDict(
        title="Decision", extra="forbid", hide_input_in_errors=True, regex_engine="python-re"
    )

    batch: str = Field("", title="Batch", description="Which one is decided.")
    decision: Choice = Field(
        Choice.LEAVE_IT,
        title="Decision",
        # Its words hear a click twice in Prefect's UI: the list opens, and closes at once.
        description="*leave it* changes nothing. The list opens at its arrow.",
    )
    task_id: str = Field(
        "",
        pattern=r"^((?=.*[a-z])[0-9A-Za-z]{1,64})?$",
        title="Task id",
        description="The provider's task, to adopt: 20 letters and digits, as in `d4g8o46p2jvh04o9uolg`.",
    )
    reason: str = Field(
        "",
        max_length=200,
        pattern=_NO_NUMBER,
        title="Who, and why",
        description="For the batch's history; no phone number belongs here.",
    )
    is_forced: bool = Field(
        False, title="Overrule the checks", description="It is right all the same; say why above."
    )


@flow(name="resolve", flow_run_name="resolve", persist_result=False)
async def resolve(request: ResolveRequest = ALL_OF_THEM) -> State[dict[str, Any]]:
    """Decide a held, failed or refused batch: the run waits until its form is filled in."""
    try:
        with open_ledger(load_settings().ledger_address) as ledger:
            named = deciding(ledger, request.batch)
            if not named:
                return Completed(name="Nothing to do", message="No batch waits for a decision.")
            form = form_for(ledger, named)
        await call_it("resolve", named[0].batch_id if len(named) == 1 else count(len(named), "batch"))
        # Nothing is held while a person thinks: this process ends here, and once there is an answer
        # another one begins at the top.
        return await act(await asuspend_flow_run(wait_for_input=form, key="decision"))
    except Exception as error:  # Prefect keeps what is raised here, word by word
        return failed(error)


def deciding(ledger: Ledger, batch_id: str) -> list[Batch]:
    """The batch that is named, or those that wait for a decision: the oldest, as many as a form can show."""
    if batch_id:
        return [ledger.history.batch(batch_id)]
    return ledger.history.batches(states=NEEDS_A_DECISION)[:_SHOWN]


def form_for(ledger: Ledger, batches: Sequence[Batch]) -> type[Answer]:
    """The form, with what is known about the batches that can be decided."""
    known = [line for batch in batches for line in (*decision_lines(ledger, batch), "")]
    ids = [batch.batch_id for batch in batches]
    schema: dict[str, JsonValue] = {"enum": [*ids]}

    class Form(Answer):
        batch: str = Field(ids[0], title="Batch", description="The one you decide.", json_schema_extra=schema)

    return Form.with_initial_data(description="\n".join([*known, _HELP]))


async def act(answer: Answer) -> State[dict[str, Any]]:
    if answer.decision is Choice.LEAVE_IT:
        return Completed(name=_UNCHANGED, message=f"Batch {answer.batch} is left as it is.")
    with open_ledger(load_settings().ledger_address) as ledger:
        check(answer, is_paid=ledger.history.batch(answer.batch).state is BatchState.SUBMITTED)
    state = await resolve_batch(
        answer.batch,
        decision=_DECISIONS[answer.decision],
        task_id=answer.task_id or None,
        who="in the Prefect UI",
        reason=answer.reason,
        is_forced=answer.is_forced,
        drop=answer.decision is Choice.DROP,
    )
    with open_ledger(load_settings().ledger_address) as ledger:
        await tell_batches(ledger, [ledger.history.batch(answer.batch)])
        await tell_open(ledger)
    return Completed(
        name=f"Decided: {answer.decision}",
        message=f"Batch {answer.batch} is {state} now; the next run of check-numbers goes on.",
    )


def check(answer: Answer, *, is_paid: bool) -> None:
    """What the form cannot check, for it sees each field alone."""
    again = f"{_UNCHANGED}: run `resolve` again"
    if (answer.decision is Choice.ADOPT) != bool(answer.task_id):
        raise ConfigurationError(f"{again}; adopt wants a task id, and nothing else does.")
    if answer.is_forced and not answer.reason:
        raise ConfigurationError(f"{again}; who overrules the checks gives a reason.")
    if answer.decision in {Choice.ABANDON, Choice.DROP} and is_paid and not answer.is_forced:
        raise ConfigurationError(f"{again}; the batch is paid for: overrule the checks if that is meant.")
