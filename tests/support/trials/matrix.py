"""The fault matrix: kinds of HTTP trouble × calls × first, middle, last position."""

from __future__ import annotations

from collections.abc import Iterator

from ekyc_tasks.sandbox import KINDS

# Three batches: three uploads, each with a question about the balance before it; six polls; three downloads.
POSITIONS = {
    "create": (1, 2, 3),
    "poll": (1, 3, 6),
    "exported": (1, 3, 6),
    "fetch": (1, 2, 3),
    "balance": (1, 2, 3),
}
# What is not on the wire but in the answer: polls have it all, a poll that says *exported* only these.
_OF_EXPORTED = {"failed", "completed", "unknown_status", "no_link", "202"}
# Before or after the charge, where that is not how the kind is anyway. Not the free statuses after it:
# a provider that charges and says "free" is outside every promise.
_OTHER_TIME = (
    *("408_after", "409_after", "410_after", "500_after", "502_after", "503_after", "504_after"),
    *("redirect_after", "reset_before", "stall_before", "html_before", "empty_before"),
)


def matrix() -> Iterator[tuple[str, str, int]]:
    """Call, kind, position."""
    for call, positions in POSITIONS.items():
        kinds = [kind for kind, calls in KINDS.items() if call in calls]
        if call == "exported":
            kinds = [kind for kind in kinds if kind in _OF_EXPORTED]
        for kind in (*kinds, *(_OTHER_TIME if call == "create" else ())):
            for position in positions:
                yield call, kind, position


def settings_for(kind: str) -> dict[str, str]:
    """Patience where an answer comes, and little of it where none does."""
    return {"HTTP_TIMEOUT": "0.5s", "UPLOAD_DEADLINE": "0.5s"} if kind.startswith("stall") else {}


def troubled(crew, expected, cell):
    """One cell of the matrix, from the first run to the end."""
    call, kind, position = cell
    settings = {"MAX_WAIT": "60s", **settings_for(kind)}
    with crew.trial(f"{call}:{position}={kind}", settings=settings, slow_seconds=0.1) as trial:
        trial.history.append(f"{call}:{position}={kind}")
        return trial.finish(expected)
