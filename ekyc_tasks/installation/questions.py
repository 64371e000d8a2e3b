"""What a person must decide before anything is planned or bought.

While a question is open, a run buys nothing: it continues with what is paid for, which costs nothing, and
ends with code 3 and the question. `ekyc init` takes the answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ekyc_tasks.installation import upload_journal
from ekyc_tasks.installation.orphans import find_strays
from ekyc_tasks.installation.places import is_same_folder, is_same_ledger, is_seen, place_of
from ekyc_tasks.ledger import Ledger
from ekyc_tasks.ledger.account_memory import Unexplained
from ekyc_tasks.ledger.accounts import Pending
from ekyc_tasks.ledger.identity import UNSETTLED
from ekyc_tasks.storage.paths import Site

_OPTIONS = (
    "If it was moved and the other place is no longer used, run `ekyc init --moved`. If the other place is "
    "still used, this is a copy: run `ekyc init --copy`. If this is a backup, run `ekyc init --restored`."
)
_UNTIL_THEN = "Nothing is planned or sent until then."


@dataclass(frozen=True, slots=True)
class Question:
    """``name`` is what the ledger keeps the answer under."""

    name: str
    text: str


def open_questions(ledger: Ledger, site: Site) -> list[Question]:
    """Everything that is open about the ledger itself; no provider is asked for it."""
    return list(_ask_each(ledger, site))


def note_writer(ledger: Ledger, site: Site) -> None:
    """The host that writes last, for a person to read: a container has another with each start."""
    known, here = ledger.identity.place(), place_of(ledger, site)
    ledger_id = ledger.identity.ledger_id()
    if known is None or ledger_id is None or known["host"] == here["host"] or where_it_was(ledger, site):
        return
    ledger.identity.settle(ledger_id, {**known, "host": here["host"]})


def _ask_each(ledger: Ledger, site: Site) -> Iterator[Question]:
    strays = find_strays(site.folder, ledger)
    if strays.count:
        yield Question(
            "strays",
            f"The ledger does not know {strays.in_words}. It may be older than its folder, or the files "
            "belong to another ledger. List them with `ekyc recover`. Then add them to the ledger with "
            f"`ekyc recover --import`, or move them away with `ekyc recover --set-aside`. {_UNTIL_THEN}",
        )
    if (sentence := where_it_was(ledger, site)) is not None:
        yield Question("place", sentence)
    elif ledger.identity.fact(UNSETTLED):
        yield Question("restored", f"`ekyc init --restored` was interrupted. Run it again. {_UNTIL_THEN}")
    elif missing := upload_journal.unknown_uploads(site.folder, ledger):
        first = missing[0]
        yield Question(
            "restored",
            f"The ledger does not know {len(missing):,} upload{'s' if len(missing) > 1 else ''} that "
            f"{site.folder.root} made since {first.when} (batch {first.batch_id}). So the ledger is a "
            f"backup, or was set back to an earlier state. Run `ekyc init --restored`. {_UNTIL_THEN}",
        )
    if (pending := ledger.accounts.pending()) is not None:
        yield account_question(pending)


def where_it_was(ledger: Ledger, site: Site) -> str | None:
    """The question about the place, where the ledger or the folder is not where it was used last."""
    known = ledger.identity.place()
    if known is None:
        return None
    here = place_of(ledger, site)
    same = is_same_ledger(known, here), is_same_folder(known, here)
    if all(same) and is_seen(known, here):
        return None
    return f"{_what(site, known, *same)} {_OPTIONS} {_UNTIL_THEN}"


def is_another_folder(ledger: Ledger, site: Site) -> bool:
    """Of the very ledger that is used elsewhere: what is written here would be missing there."""
    known = ledger.identity.place()
    if known is None:
        return False
    here = place_of(ledger, site)
    return is_same_ledger(known, here) and not is_same_folder(known, here)


def _what(site: Site, known: Mapping[str, Any], same_ledger: bool, same_folder: bool) -> str:
    root, before = site.folder.root, known["paths"][-1]
    if same_folder and not same_ledger:
        return f"The ledger of {root} is not the file or database that was used last."
    elsewhere = before if before != str(root.resolve()) else "another folder or disk"
    return f"This ledger was last used with {elsewhere} on {known['host']}, but now it is used with {root}."


def account_question(pending: Pending) -> Question:
    """Spending of the account that this ledger does not explain."""
    name, found = pending.question, pending.unexplained
    if found.since is None:
        return Question(
            name,
            f"The account was used today ({_money(found.amount)}), but this ledger has bought nothing. So "
            "the account has bought elsewhere. Import what it bought with `ekyc import`, then run "
            f"`ekyc init --account used`. {_UNTIL_THEN}",
        )
    return Question(
        name,
        f"{spending(found)}. Another ledger or person buys with the account, or this ledger was set back to "
        "an earlier state. If somebody else spent it, run `ekyc init --spent-elsewhere`. If this ledger was "
        f"set back, run `ekyc init --restored`. {_UNTIL_THEN}",
    )


def spending(found: Unexplained) -> str:
    """The fact alone, as the beginning of a sentence."""
    about = "" if found.is_exact else "at least "
    return (
        f"The account spent {about}{_money(found.amount)} since {found.since:%Y-%m-%d %H:%M} UTC, but this "
        "ledger cannot explain this spending"
    )


def _money(amount: Decimal) -> str:
    """As exact as prices are, with two decimals where these are enough."""
    text = f"{amount:.4f}"
    return text[:-2] if text.endswith("00") else text.rstrip("0")
