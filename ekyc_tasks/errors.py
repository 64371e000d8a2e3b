"""What can go wrong, as a tree. Each error says in one sentence what happened, to which file or
batch, and what to do now. None holds a phone number, an API key or a result link.

    EkycError                      exit 1
    ├── ConfigurationError         exit 2   a setting, the key, the base URL, the command line
    │   ├── AccessDenied                    the provider turned the key or the URL down
    │   └── ResultHostRefused               a result lies on a host that nobody allowed
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
    ├── Defect                     exit 1   what nobody expected; made by `ekyc_tasks.defects`
    └── LedgerError                exit 2   the ledger cannot be used
        ├── LedgerCutOff                    the connection broke in the middle: all or nothing is kept
        └── LeaseLost                       another run owns the batch now; this one must stop
"""

from __future__ import annotations


class EkycError(Exception):
    """Anything this project raises on purpose; the text is meant for the person at the terminal."""

    exit_code = 1


class ConfigurationError(EkycError):
    exit_code = 2


class AccessDenied(ConfigurationError):
    """401, 403, 404 or 405: free of charge, and no batch will fare better with this key and URL."""


class ResultHostRefused(ConfigurationError):
    """The text names the host, never the link."""


class PersonNeeded(EkycError):
    exit_code = 3


class LoadFailed(PersonNeeded):
    """The archive stays as received and can be loaded again, free of charge."""


class ArchiveError(LoadFailed):
    """Bytes that are no result archive, or one that is not safe to read."""


class ArchiveDamaged(ArchiveError):
    """An archive that lacks its end or fails its own checksums; another download may be whole."""


class NoMoney(EkycError):
    exit_code = 4


class InputError(EkycError):
    """A landed file that cannot be read; it stays where it is."""

    exit_code = 5


class ProviderTrouble(EkycError):
    """No useful answer from the provider.

    ``retry_after`` is what the provider asked for, in seconds, or None.
    """

    exit_code = 6

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
    """The archive arrived torn; nothing of it was kept."""


class Defect(EkycError):
    """A defect of this program. The text says what kind and where; the words of the cause are not in it."""


class LedgerError(EkycError):
    """The ledger cannot be opened, read or written: mend it, and the next run goes on."""

    exit_code = 2


class LedgerCutOff(LedgerError):
    """The database went away during a transaction; whether its commit arrived, nobody knows."""


class LeaseLost(LedgerError):
    """Somebody else owns the batch; what was about to be written is not."""
