"""The checks that this project reads, one module each.

A module in this folder that defines ``TASK_TYPE`` is one; nothing else has to be edited. Begin with
`tg_avatar`, the one that the provider documents; `base` explains each field. May import `errors` alone.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.task_types.base import Field, TaskType

__all__ = ["Field", "TaskType", "task_type", "task_type_names"]


def task_type(name: str) -> TaskType:
    """Raises `ConfigurationError`, with the known names, for any other."""
    try:
        return _all()[name]
    except KeyError:
        known = ", ".join(task_type_names())
        raise ConfigurationError(f"Task type {name!r} is not known. Use one of: {known}.") from None


def task_type_names() -> tuple[str, ...]:
    return tuple(_all())


@cache
def _all() -> dict[str, TaskType]:
    modules = (import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
    found = [module.TASK_TYPE for module in modules if hasattr(module, "TASK_TYPE")]
    return {each.name: each for each in sorted(found, key=lambda each: each.name)}
