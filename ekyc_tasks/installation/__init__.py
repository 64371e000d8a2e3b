"""One ledger: whether the ledger and the folders that the settings name are the ones that belong together.

The guarantee of paying once holds within one ledger, so a wrong folder, a copy or a restored backup must not
pass for it. Begin with `access.open_one`, which every command uses; `questions.open_questions` says what a
person must answer before anything is bought. May import `intake`, `storage` and the ledger, never settings or
the provider.
"""

from ekyc_tasks.installation.access import look_at, open_one
from ekyc_tasks.installation.questions import Question, open_questions

__all__ = ["Question", "look_at", "open_one", "open_questions"]
