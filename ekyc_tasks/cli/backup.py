"""`ekyc backup` and `ekyc restore`: a copy of everything that cannot be made again, and the way back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from ekyc_tasks.errors import ExitCode
from ekyc_tasks.installation import backup, open_one, restore
from ekyc_tasks.installation.backup import Backup, Fault
from ekyc_tasks.installation.manifests import Manifest
from ekyc_tasks.installation.restore import Restored
from ekyc_tasks.settings import load_settings
from ekyc_tasks.support.wording import count, printable

_FILES_NAMED = 5  # in one sentence
_BYTES_IN_MB = 1e6


def back_up(folder: Path, out: Console, *, as_json: bool) -> ExitCode:
    """The exit code: 3 if a file in the data folder differs from what the ledger recorded."""
    site = load_settings().site
    with open_one(site) as ledger:
        made = backup.back_up(ledger, site, folder)
    _show(_document(made), _sentences(made), out, as_json=as_json)
    return ExitCode.PERSON_NEEDED if made.faults else ExitCode.DONE


def restore_from(folder: Path, out: Console, *, as_json: bool) -> ExitCode:
    """The exit code: 3 where the backup lacks files that its ledger knows."""
    site = load_settings().site
    restored = restore.restore(folder, site)
    _show(_restore_document(restored), _restore_sentences(restored, site.folder.root), out, as_json=as_json)
    return ExitCode.PERSON_NEEDED if restored.manifest.missing else ExitCode.DONE


def _show(document: dict[str, Any], sentences: Iterator[str], out: Console, *, as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps(document), ensure_ascii=True)
        return
    for sentence in sentences:
        out.print(sentence, markup=False, highlight=False)


def _manifest_document(manifest: Manifest) -> dict[str, Any]:
    return {
        "made_at": manifest.made_at.isoformat(),
        "ledger_id": manifest.ledger_id,
        "batches": manifest.rows["batches"],
        "files": len(manifest.files),
        "bytes": manifest.size,
        "missing": list(manifest.missing),
    }


def _amounts(manifest: Manifest) -> str:
    batches, files = count(manifest.rows["batches"], "batch"), count(len(manifest.files), "file")
    return f"{batches}, {files}, {manifest.size / _BYTES_IN_MB:,.1f} MB"


# --- backup -----------------------------------------------------------------------------------------------


def _document(made: Backup) -> dict[str, Any]:
    return {
        "folder": printable(str(made.folder)),
        **_manifest_document(made.manifest),
        "copied": made.copied,
        "faults": [asdict(fault) for fault in made.faults],
    }


def _sentences(made: Backup) -> Iterator[str]:
    new = f"{count(made.copied, 'file')} {'was' if made.copied == 1 else 'were'} new"
    yield f"Backup of {_amounts(made.manifest)} in {printable(str(made.folder))}; {new}."
    if not made.faults:
        yield "Every file was read back and is correct."
        return
    kept = [fault for fault in made.faults if fault.is_kept]
    lost = [fault for fault in made.faults if not fault.is_kept]
    if kept:
        yield f"The data folder is damaged: {_list_files(kept)}. The backup has a good copy: copy it back."
    if lost:
        names = _list_files(lost)
        yield f"The data folder is damaged, and the backup has no copy: {names}. Restore it yourself."


def _list_files(faults: Sequence[Fault]) -> str:
    more = f", and {len(faults) - _FILES_NAMED:,} more" if len(faults) > _FILES_NAMED else ""
    return "; ".join(f"{printable(fault.name)} {fault.why}" for fault in faults[:_FILES_NAMED]) + more


# --- restore ----------------------------------------------------------------------------------------------


def _restore_document(restored: Restored) -> dict[str, Any]:
    return {
        **_manifest_document(restored.manifest),
        "states": {
            state.value: {"batches": batches, "numbers": numbers}
            for state, (batches, numbers) in restored.states.items()
        },
        "held": [batch.batch_id for batch in restored.held],
        "waiting_files": restored.waiting,
        "set_aside": [printable(str(path)) for path in restored.landed],
    }


def _restore_sentences(restored: Restored, root: Path) -> Iterator[str]:
    manifest = restored.manifest
    made_at = f"{manifest.made_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"The backup of {made_at} was restored into {printable(str(root))}: {_amounts(manifest)}."
    yield from _batches(restored)
    yield f"Uploads after {made_at} are not in it. {_waiting(restored)}"
    if missing := manifest.missing:
        names = ", ".join(printable(name) for name in missing[:_FILES_NAMED])
        yield f"The backup lacks {count(len(missing), 'file')} that its ledger knows ({names})."
    if restored.landed:
        files = count(len(restored.landed), "landed file")
        yield (
            f"{files} moved to {printable(str(restored.landed[0].parent))}, because their numbers may "
            "already be bought. To buy them anyway, drop them into the landing folder again."
        )
    yield "To create the dataset again, run `ekyc replay --all`. It is free of charge."


def _batches(restored: Restored) -> Iterator[str]:
    if restored.states:
        states = (f"{batches:,} {state}" for state, (batches, _) in restored.states.items())
        yield f"Batches: {', '.join(states)}."


def _waiting(restored: Restored) -> str:
    """What a person has to do before anything is bought."""
    held = [count(len(restored.held), "batch")] if restored.held else []
    waiting = [count(restored.waiting, "landed file")] if restored.waiting else []
    if not held and not waiting:
        return "Look for newer tasks on the provider's web page before you drop files again."
    return (
        f"So everything that was planned is held ({' and '.join(held + waiting)}). Compare with the "
        "provider's web page, then decide each batch with `ekyc resolve BATCH …`, or all of them with "
        "`ekyc resolve restored resubmit`."
    )
