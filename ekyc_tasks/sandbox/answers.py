"""What the sandbox knows about a number: drawn from a hash of it, so the same in every run.

Columns and values are those of the provider's page for each task type (documented), or of its
siblings (seen in the field) where the comment says so.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from ekyc_tasks.sandbox.options import SandboxOptions


class NumberAnswer(NamedTuple):
    """One number's answer; texts are as the provider writes them, empty where it knows nothing."""

    number: str  # with its +
    has_account: bool | None  # None: not determined, which is not "no"
    avatar: str
    age: str
    gender: str
    category: str
    hair_color: str
    skin_color: str
    days: str
    mark: str  # eight hex digits, for made-up names and links
    is_missing: bool  # sent and paid for, and no row comes back
    is_repeated: bool  # its row comes back twice


Text = Callable[[NumberAnswer], str]
_Picture = tuple[str, str, str, str, str, str]

_CATEGORIES = ("individual portrait", "individual portrait", "pet avatar", "object", "landscape", "cartoon")
_PORTRAIT = "individual portrait"
_GENDERS = ("male", "female")
_HAIR = ("black", "brown", "blonde", "gray", "red")
_SKIN = ("white", "black", "brown", "yellow")
_DAYS = ("1", "7", "30")
# All of these have been seen in the field.
_ODD_AGES = ("unknown", "30-35", "25~34")
_ODD_GENDERS = ("Male", "unknown", "Female")

_FULL = 1 << 32
_DRAWS = struct.Struct(">4I8B")
_ACCOUNT_SHARE, _PICTURE_SHARE = int(0.62 * _FULL), int(0.6 * _FULL)


class Oracle:
    """Answers by number, seed and rates; holds nothing else."""

    def __init__(self, options: SandboxOptions) -> None:
        self._key = str(options.seed).encode()
        self._missing_below = int(options.missing_rate * _FULL)
        self._repeated_below = self._missing_below + int(options.repeated_rate * _FULL)
        self._undetermined_from = _FULL - int(options.undetermined_rate * _FULL)
        self._odd_below = int(options.odd_rate * _FULL)

    def answer(self, digits: int) -> NumberAnswer:
        """The answer for a number given as an integer, without its +."""
        number = f"+{digits}"
        digest = blake2b(number.encode(), key=self._key, digest_size=_DRAWS.size).digest()
        fate, verdict, picture, odd, *small = _DRAWS.unpack(digest)
        has_account = None if verdict >= self._undetermined_from else verdict < _ACCOUNT_SHARE
        mark = digest[:4].hex()
        return NumberAnswer(
            number,
            has_account,
            *self._picture(
                bool(has_account) and picture < _PICTURE_SHARE, mark, odd < self._odd_below, small
            ),
            days=_DAYS[small[6] % 3] if has_account else "N/A",
            mark=mark,
            is_missing=fate < self._missing_below,
            is_repeated=self._missing_below <= fate < self._repeated_below,
        )

    def _picture(self, has_picture: bool, mark: str, is_odd: bool, draws: list[int]) -> _Picture:
        """avatar, age, gender, category, hair_color, skin_color."""
        if not has_picture:
            return ("unknown" if is_odd else "", "", "", "", "", "")
        avatar = f"https://example.com/avatars/{mark}.jpg"
        category = _CATEGORIES[draws[0] % len(_CATEGORIES)]
        if category != _PORTRAIT:
            return (avatar, "", "", category.replace(" ", "_") if is_odd else category, "", "")
        age = _ODD_AGES[draws[1] % 3] if is_odd else str(16 + draws[1] % 50)
        gender = _ODD_GENDERS[draws[2] % 3] if is_odd else _GENDERS[draws[2] % 2]
        return (avatar, age, gender, category, _HAIR[draws[3] % len(_HAIR)], _SKIN[draws[4] % len(_SKIN)])


def _yes_no(answer: NumberAnswer) -> str:
    return "" if answer.has_account is None else ("yes" if answer.has_account else "no")


def _true_false(answer: NumberAnswer) -> str:
    return "" if answer.has_account is None else ("true" if answer.has_account else "false")


def _activity(answer: NumberAnswer) -> str:
    return "unknown" if answer.has_account is None else ("active" if answer.has_account else "inactive")


def _only_accounts(text: Text) -> Text:
    return lambda answer: text(answer) if answer.has_account else ""


def _number(answer: NumberAnswer) -> str:
    return answer.number


def _bare_number(answer: NumberAnswer) -> str:
    return answer.number[1:]


_PICTURE: dict[str, Text] = {
    "avatar": lambda answer: answer.avatar,
    "age": lambda answer: answer.age,
    "gender": lambda answer: answer.gender,
    "category": lambda answer: answer.category,
    "hair_color": lambda answer: answer.hair_color,
    "skin_color": lambda answer: answer.skin_color,
}

# task type → column → how its text is made; the order is the documented one
DOCUMENTED: dict[str, dict[str, Text]] = {
    "tg_avatar": {"Number": _number, "telegram": _yes_no, **_PICTURE},
    "tg": {"Number": _number, "telegram": _yes_no},
    "tg_active": {"Number": _number, "telegram_days": lambda answer: answer.days},
    "ws": {"Number": _number, "whatsapp": _yes_no},
    "ws_avatar": {
        "number": _number,
        "activated": _yes_no,
        **{
            name: _PICTURE[name]
            for name in ("age", "avatar", "category", "gender", "hair_color", "skin_color")
        },
    },
    "active_check": {"Number": _number, "ActiveStatus": _activity},
}

# Seen in the field for Telegram checks; user names may hold commas.
VERBOSE: dict[str, Text] = {
    "Phone": _bare_number,
    "activated": _true_false,
    "uid": _only_accounts(lambda answer: str(int(answer.mark, 16))),
    "username": _only_accounts(lambda answer: f"user_{answer.mark}"),
    "first_name": _only_accounts(lambda answer: f"Name {answer.mark[:3]}, Jr."),
    "last_name": _only_accounts(lambda answer: f"Last {answer.mark[3:]}"),
    "Last Online Time": _only_accounts(lambda answer: f"2025-11-{1 + int(answer.mark[:2], 16) % 28:02}"),
    "Active Days": lambda answer: answer.days,
    "Is Member": _only_accounts(lambda answer: "true" if answer.mark[-1] < "4" else "false"),
    "Avatar": _PICTURE["avatar"],
    "Gender": _PICTURE["gender"],
    "Age": _PICTURE["age"],
    "Ethnicity": _PICTURE["skin_color"],
}
_VERBOSE_TYPES = frozenset({"tg_avatar", "tg", "tg_active"})


def columns(task_type: str, *, verbose: bool = False, bare_numbers: bool = False) -> dict[str, Text]:
    """The columns of a result table: the documented ones, or the dialect where it exists."""
    if verbose and task_type in _VERBOSE_TYPES:
        return VERBOSE
    documented = DOCUMENTED[task_type]
    if not bare_numbers:
        return documented
    return {name: _bare_number if text is _number else text for name, text in documented.items()}
