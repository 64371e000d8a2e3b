"""What tells the place of a ledger from that of a copy.

A folder is known by its inode number, and by the generation that the file system gave that inode (a random
number on ext4 and XFS), where it tells one: both survive a new host name, a remount and a restart, and a copy
has others. Device numbers do not survive a restart. A database is known by `Identity.database`.

The file of a SQLite ledger is known by its own inode number and its folder. It is never opened for that: a
process that closes any descriptor of a file loses all its locks on it, those of SQLite too, and then commits.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ekyc_tasks.ledger import Ledger
from ekyc_tasks.storage.paths import Site

_FS_IOC_GETVERSION = 0x80087601  # Linux: _IOR('v', 1, long)


def place_of(ledger: Ledger, site: Site) -> dict[str, Any]:
    """This place as plain data: ``ledger`` and ``folder`` identify it, ``paths`` are where it was seen."""
    file = ledger.identity.file()
    return {
        "ledger": ledger.identity.database() if file is None else _file(file),
        "folder": fingerprint(site.folder.root),
        "paths": [str(site.folder.root.resolve())],
        "host": socket.gethostname(),
    }


def is_same_ledger(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return _is_same(one["ledger"], other["ledger"])


def is_same_folder(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return _is_same(one["folder"], other["folder"])


def is_seen(known: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    """Was the known place seen under this path before? A snapshot keeps its inodes and has another path."""
    return set(here["paths"]) <= set(known["paths"])


def fingerprint(folder: Path) -> str:
    """``inode`` or ``inode.generation``."""
    status = folder.stat()
    born = getattr(status, "st_birthtime", None) if sys.platform == "darwin" else _generation(folder)
    return f"{status.st_ino}" if born is None else f"{status.st_ino}.{born}"


def _file(ledger: Path) -> str:
    return f"{ledger.stat().st_ino}/{fingerprint(ledger.parent)}"


def _generation(folder: Path) -> int | None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        told: int = struct.unpack_from("I", fcntl.ioctl(descriptor, _FS_IOC_GETVERSION, bytes(8)))[0]
        return told
    except OSError:  # not every file system has any
        return None
    finally:
        os.close(descriptor)


def _is_same(one: str, other: str) -> bool:
    """A generation counts where both tell one: a network file system may not."""
    (inode, _, born), (other_inode, _, other_born) = one.partition("."), other.partition(".")
    return inode == other_inode and (not born or not other_born or born == other_born)
