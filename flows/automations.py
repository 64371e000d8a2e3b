"""What the server does by itself: runs whose process is gone are marked Crashed.

Nothing resumes by itself in Prefect: a run that is killed with its worker stays Running for ever. A run of a
deployment sends heartbeats (`PREFECT_FLOWS_HEARTBEAT_FREQUENCY`); when they stop, this automation ends it.
"""

from __future__ import annotations

from datetime import timedelta

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

HEARTBEAT = 30  # seconds; Prefect takes no shorter one
_SILENCE = timedelta(seconds=3 * HEARTBEAT)
# Not resolve: its process ends while the form waits, and its only heartbeat arrives after the news of that.
_FLOWS = ["check-numbers", "replay"]


def zombies() -> AutomationCore:
    return AutomationCore(
        name="Mark runs whose process is gone as Crashed",
        description="No heartbeat for 90 seconds. The next scheduled run continues from the ledger.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            after={"prefect.flow-run.heartbeat"},
            # Any sign of life: our final states have names of their own.
            expect={"prefect.flow-run.*"},
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification(
                {"prefect.resource.role": "flow", "prefect.resource.name": _FLOWS}
            ),
            for_each={"prefect.resource.id"},
            threshold=1,
            within=_SILENCE,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                name="Crashed",
                message="The process of this run has ended (no heartbeat for 90 s). The next run continues.",
            )
        ],
    )


async def create(client: PrefectClient, automation: AutomationCore) -> None:
    """Create it, or bring the one of its name up to date."""
    there = await client.read_automations_by_name(automation.name)
    if there:
        await client.update_automation(there[0].id, automation)
    else:
        await client.create_automation(automation)
