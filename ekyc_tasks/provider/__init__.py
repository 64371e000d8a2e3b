"""The provider's API over HTTP; the only httpx.

Two clients that share nothing: `Provider` asks the API with the key, `download` opens result links without
anything. Begin with `api`; `answers` says of each answer what is documented, what was seen, and what is open.
May import `models`, `money`, `support` and `errors`; never settings or the ledger.
"""

from ekyc_tasks.provider.answers import parse_time
from ekyc_tasks.provider.api import Provider
from ekyc_tasks.provider.results import ResultHosts, download
from ekyc_tasks.provider.wire import Timeouts

__all__ = ["Provider", "ResultHosts", "Timeouts", "download", "parse_time"]
