"""What can go wrong, as a tree. Each error says in one sentence what happened, to which file or
batch, and what to do now. None holds a phone number, an API key or a result link.

    EkycError                      exit 1
    ├── ConfigurationError         exit 2   a setting, the key, the base URL, the command line
    │   ├── AccessDenied                    the provider rejected the key or the URL
    │   └── ResultHostRefused               a result is on a host that is not allowed
    ├── PersonNeeded               exit 3   a batch waits for a person
    │   └── LoadFailed                      an archive that is kept, but cannot become rows
    │       └── ArchiveError                it cannot be read: unsafe, not an archive
    │           └── ArchiveDamaged          truncated, or not the bytes that its checksums are of
    ├── NoMoney                    exit 4   the balance or a budget does not allow it
    ├── InputError                 exit 5   a landed file cannot be read
    ├── ProviderTrouble            exit 6   no useful answer; asking again later is right and free
    │   ├── NotAccepted                     an upload that was not taken, for free
    │   ├── TaskUnknown                     the provider does not know the task (yet, or any more)
    │   ├── LinkExpired                     a result link that no longer opens
    │   └── DownloadIncomplete              fewer bytes than announced, or a damaged archive
    ├── InternalError              exit 1   an unexpected error; made by `ekyc_tasks.support.safe_errors`
    └── LedgerError                exit 2   the ledger cannot be used
        ├── LedgerCutOff                    the connection broke in the middle: all or nothing is kept
        └── LeaseLost                       another run owns the batch now; this one must stop
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ends. Of several that apply the lowest is told, but for DONE."""

    DONE = 0
    UNEXPECTED = 1
    CONFIGURATION = 2
    PERSON_NEEDED = 3
    NO_MONEY = 4
    INPUT = 5  # a batch was refused, or a file could not be read
    WAITING = 6  # for the provider, or for another run


class EkycError(Exception):
    """Anything this project raises on purpose; the text is meant for the person at the terminal."""

    exit_code = ExitCode.UNEXPECTED


class ConfigurationError(EkycError):
    exit_code = ExitCode.CONFIGURATION


class AccessDenied(ConfigurationError):
    """401, 403, 404 or 405: free of charge, and no batch can be uploaded with this key and URL."""


class ResultHostRefused(ConfigurationError):
    """The text names the host, never the link."""


class PersonNeeded(EkycError):
    exit_code = ExitCode.PERSON_NEEDED


class LoadFailed(PersonNeeded):
    """The archive stays as received and can be loaded again, free of charge."""


class ArchiveError(LoadFailed):
    """Bytes that are no result archive, or one that is not safe to read."""


class ArchiveDamaged(ArchiveError):
    """An archive that lacks its end or fails its own checksums; another download may be whole."""


class NoMoney(EkycError):
    exit_code = ExitCode.NO_MONEY


class InputError(EkycError):
    """A landed file that cannot be read; it stays where it is."""

    exit_code = ExitCode.INPUT


class ProviderTrouble(EkycError):
    """No useful answer from the provider.

    ``retry_after`` is what the provider asked for, in seconds, or None.
    """

    exit_code = ExitCode.WAITING

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotAccepted(ProviderTrouble):
    """The upload was not taken and not charged; the batch is PLANNED again."""


class TaskUnknown(ProviderTrouble):
    """404 or 400 on a status call."""


class LinkExpired(ProviderTrouble):
    """403, 404 or 410 from the storage host: a fresh link comes from asking the provider again."""


class DownloadIncomplete(ProviderTrouble):
    """The archive arrived incomplete or damaged; nothing of it was kept."""


class InternalError(EkycError):
    """A defect of this program. The text says what kind and where; the words of the cause are not in it."""


class LedgerError(EkycError):
    """The ledger cannot be opened, read or written: once it is fixed, the next run continues."""

    exit_code = ExitCode.CONFIGURATION


class LedgerCutOff(LedgerError):
    """The connection broke during a transaction; it is not known whether the commit arrived."""


class LeaseLost(LedgerError):
    """Another run owns the batch; what this run was about to write is not written."""
