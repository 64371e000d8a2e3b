"""How a landed file is to be read, where a person says so: on the command line, in `landing.toml` of the data
folder, in the settings. What nobody says is found in the file."""

from __future__ import annotations

import codecs
import json
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from ekyc_tasks.errors import ConfigurationError, InputError
from ekyc_tasks.intake.files import Arrival
from ekyc_tasks.phone.metadata import check_region
from ekyc_tasks.support.redact import without_numbers

READER = 2  # raise it when the reader finds other numbers in the same file
ALL_COLUMNS = "*"
_SETTINGS = {"columns": "EKYC_NUMBER_COLUMN", "region": "EKYC_DEFAULT_REGION"}
NO_COUNTRY_COLUMN = "-"
_EVERY_FILE = frozenset(["*", "**", "**/*"])
# Codecs that Python counts as encodings of text, and no file is written in.
_NO_ENCODINGS = frozenset(["idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"])


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """What is not given is found in the file. ``columns == ("*",)``: all columns of numbers.

    ``country_column``: what says of which country a row is; `NO_COUNTRY_COLUMN` is none. ``chosen`` and
    ``is_abroad`` are never said by a person: what the reader decided when the file was planned, to be read in
    the same way again. The columns by place and title; bare digits that may be national or international are
    the latter.
    """

    columns: tuple[str, ...] = ()
    region: str | None = None
    sheet: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    country_column: str | None = None
    chosen: tuple[tuple[int, str], ...] = ()
    is_abroad: bool | None = None


NO_RULES = ReadingRules()


@dataclass(frozen=True, slots=True)
class LandingRule:
    """``match``: a pattern for names of landed files."""

    match: str
    reading: ReadingRules

    def fits(self, name: str) -> bool:
        """A pattern with a ``/`` is for the whole name, any other for its last part; case does not matter."""
        parts, pattern = _fold(name).split("/"), _fold(self.match).split("/")
        return _fits(parts[-1:] if len(pattern) == 1 else parts, pattern)


@dataclass(frozen=True, slots=True)
class ReadingPolicy:
    """Who says how a file is read: the command line (``asked``), else the first fitting rule of ``landing``,
    else the ``settings``, key by key. ``landing`` is None where there is no `landing.toml`."""

    settings: ReadingRules = NO_RULES
    landing: tuple[LandingRule, ...] | None = None
    asked: ReadingRules = NO_RULES

    def rules_for(self, arrival: Arrival) -> ReadingRules:
        """InputError for a landed file that nobody gave a rule, where there are rules."""
        _refuse_misplaced_rules(arrival)
        _, rule = self._find_rule(arrival)
        if rule is None and self.landing is not None and arrival.has_landed and self.asked == NO_RULES:
            raise InputError(
                f"{arrival.name} matches no rule in landing.toml, so it was not read. Add a rule for it, or "
                'a last rule with match = "*".'
            )
        return _lay_over(self.asked, rule or NO_RULES, self.settings)

    def who_says(self, key: str, arrival: Arrival) -> str | None:
        """Where the word of a person about this key is from; None where nobody says anything."""
        number, rule = self._find_rule(arrival)
        layers = {
            "on the command line": self.asked,
            f"rule {number} in landing.toml": rule or NO_RULES,
            _SETTINGS.get(key, ""): self.settings,
        }
        return next((who for who, layer in layers.items() if getattr(layer, key)), None)

    def _find_rule(self, arrival: Arrival) -> tuple[int, ReadingRules | None]:
        """The first that fits, and its number, from 1."""
        for number, rule in enumerate(self.landing or (), start=1):
            if rule.fits(arrival.name):
                return number, rule.reading
        return 0, None

    def rules_again(self, stored: str | None) -> ReadingRules:
        """How a file is read that was planned before: as it was then, whatever is said now."""
        return (
            replace(self.settings, country_column=NO_COUNTRY_COLUMN) if stored is None else rules_from(stored)
        )


def _refuse_misplaced_rules(arrival: Arrival) -> None:
    if arrival.has_landed and PurePosixPath(arrival.name).name.lower() == "landing.toml":
        raise InputError(
            f"{arrival.name} is in the landing folder, where no rules are read. Move it to the data folder."
        )


def as_text(reading: ReadingRules) -> str:
    """For the ledger; the reader's version is beside it."""
    return json.dumps({**asdict(reading), "reader": READER})


def rules_from(stored: str) -> ReadingRules:
    """What `as_text` made; an older version kept less, and a newer one may keep more. The first reader read
    no column of countries."""
    values = {"country_column": NO_COUNTRY_COLUMN, **json.loads(stored)}
    known = {field.name: values[field.name] for field in fields(ReadingRules) if field.name in values}
    known["columns"] = tuple(known["columns"])
    known["chosen"] = tuple((place, title) for place, title in known.get("chosen", ()))
    return ReadingRules(**known)


def parse_rules(values: Mapping[str, object]) -> ReadingRules:
    """RuleError names the key that is unknown, or whose value is wrong."""
    for key in values:
        if key not in _CHECKS:
            raise RuleError(key, f"there is no such key. Use match, {', '.join(_CHECKS)}")
    return ReadingRules(**{key: _check(key, value) for key, value in values.items()})


def read_landing_rules(path: Path) -> tuple[LandingRule, ...] | None:
    """None where there is no such file. ConfigurationError names the file, the rule and the key."""
    document = _read_document(path)
    if document is None:
        return None
    try:
        return tuple(_parse_files(document))
    except RuleError as error:
        shown = without_numbers(f"{error.where}{error.key}: {error.why}")
        raise _error_about(path, f", {shown}") from None


class RuleError(ValueError):
    """A key and what is wrong with it; the text never has the value. ``where``: the rule that it is in."""

    def __init__(self, key: str, why: str, where: str = "") -> None:
        super().__init__(why)
        self.key, self.why, self.where = key, why, where


def _lay_over(*layers: ReadingRules) -> ReadingRules:
    """Of each key what the first layer says that says anything."""
    names = [field.name for field in fields(ReadingRules)]
    values = {name: [getattr(layer, name) for layer in layers] for name in names}
    return ReadingRules(**{name: next(filter(None, said), said[-1]) for name, said in values.items()})


# --- names and patterns -----------------------------------------------------------------------------------


def _fold(text: str) -> str:
    """Some systems write an accent as a character of its own."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """``**`` stands for any number of folders."""
    if not pattern:
        return not parts
    first, *rest = pattern
    if first == "**":
        return any(_fits(parts[start:], rest or ["*"]) for start in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], first) and _fits(parts[1:], rest)


# --- the file ---------------------------------------------------------------------------------------------


def _read_document(path: Path) -> dict[str, Any] | None:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))  # editors of Windows begin it with a mark
    except FileNotFoundError:
        if path.is_symlink():
            raise _error_about(path, " is a link to a file that does not exist") from None
        return None
    except OSError as error:
        raise _error_about(path, f" cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise _error_about(path, " is not written in UTF-8") from None
    except (ValueError, RecursionError) as error:  # its words may show what is in the file
        place = re.search(r"\(at ([\w ,]+)\)$", str(error))
        raise _error_about(path, f" cannot be read as TOML{f' (at {place[1]})' if place else ''}") from None


def _error_about(path: Path, what: str) -> ConfigurationError:
    return ConfigurationError(f"{path}{what}. Correct the file; until then nothing is planned or bought.")


def _parse_files(document: dict[str, Any]) -> Iterator[LandingRule]:
    for key in document:
        if key != "files":
            raise RuleError(key, "there is no such key. Write each rule below a line with [[files]]")
    tables = document.get("files")
    if not isinstance(tables, list) or not tables:
        raise RuleError("files", "there is no rule. Write each rule below a line with [[files]]")
    before: dict[str, int] = {}
    for number, table in enumerate(tables, start=1):
        where = f"rule {number}, "
        if not isinstance(table, dict):
            raise RuleError("files", "write each rule below a line with [[files]]", where)
        try:
            rule = _parse_rule(table)
        except RuleError as error:
            raise RuleError(error.key, error.why, where) from None
        _require_reachable(rule, before, where)
        before[_fold(rule.match)] = number
        yield rule


def _parse_rule(table: dict[str, Any]) -> LandingRule:
    if "match" not in table:
        raise RuleError("match", 'it is missing. Write a pattern for names of files, such as "crm/*.csv"')
    match = table["match"]
    if not isinstance(match, str) or "\\" in match or any(part in _NO_PARTS for part in match.split("/")):
        raise RuleError("match", 'write a pattern for names in the landing folder, such as "crm/*.csv"')
    return LandingRule(match, parse_rules({key: value for key, value in table.items() if key != "match"}))


_NO_PARTS = frozenset(["", ".", ".."])  # no name of a landed file has them: `/crm/*.csv` would never fit


def _require_reachable(rule: LandingRule, before: Mapping[str, int], where: str) -> None:
    earlier = {pattern: number for pattern, number in before.items() if pattern in _EVERY_FILE}
    for number in (*earlier.values(), *filter(None, [before.get(_fold(rule.match))])):
        raise RuleError(
            "match", f"rule {number} matches the same files first. Change the order, or remove one", where
        )


# --- keys and their values --------------------------------------------------------------------------------


def _check(key: str, value: object) -> Any:
    try:
        return _CHECKS[key](value)
    except ValueError as error:
        raise RuleError(key, str(error)) from None


def _columns(value: object) -> tuple[str, ...]:
    given = value if isinstance(value, list | tuple) else [None]
    names = [each.strip() for each in given if isinstance(each, str)]
    if len(names) < len(given) or not all(names) or not names:
        raise ValueError('write a list of headers, such as ["Mobile"], or ["*"] for all columns of numbers')
    if ALL_COLUMNS in names and len(names) > 1:
        raise ValueError('write ["*"] alone, or the headers without it')
    if len({unicodedata.normalize("NFKC", name).casefold() for name in names}) < len(names):
        raise ValueError("name each column once")
    return tuple(names)


def _region(value: object) -> str:
    region = value.upper() if isinstance(value, str) else ""
    try:
        check_region(region)
    except ConfigurationError:
        raise ValueError("this region is unknown. Write two letters, such as CH or US") from None
    return region


def _sheet(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("write the name of a sheet")
    return value


def _country_column(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError('write the header of a column of countries, or "-" for none')
    return value.strip()


def _delimiter(value: object) -> str:
    if not isinstance(value, str) or not _DELIMITER.fullmatch(value):
        raise ValueError(r'write one character between cells, such as ";" or "\t"')
    return value


_DELIMITER = re.compile(r"""[^\w\s"'+().\-/\\]|[\t\x1f]""")  # nothing that a number is written with


def _encoding(value: object) -> str:
    unknown = ValueError('this encoding is unknown. Write one such as "utf-8", "cp1252" or "gbk"')
    if not isinstance(value, str):
        raise unknown
    try:
        " ".encode(value)  # LookupError for what turns bytes into other bytes, too
        name = codecs.lookup(value).name
    except (LookupError, ValueError):
        raise unknown from None
    if name.replace("_", "-") in _NO_ENCODINGS:
        raise unknown
    return name


_CHECKS: dict[str, Callable[[object], object]] = {
    "columns": _columns,
    "region": _region,
    "sheet": _sheet,
    "delimiter": _delimiter,
    "encoding": _encoding,
    "country_column": _country_column,
}
