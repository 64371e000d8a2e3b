"""A stand-in for the provider, on this machine: no key, no money, and trouble on demand.

Written from the provider's public page alone, so that it can contradict our client. ``ekyc sandbox`` runs it;
tests and the demo use `Sandbox` directly. Begin with `backend`, what the far side remembers; `api` and
`storage` are its two web sites. May import nothing of this project.
"""

from __future__ import annotations

from ekyc_tasks.sandbox.answers import NumberAnswer
from ekyc_tasks.sandbox.backend import Call, Charge, SandboxTask
from ekyc_tasks.sandbox.chaos import ENDPOINTS, KINDS, SCENARIOS
from ekyc_tasks.sandbox.options import LAYOUTS, STYLES, SandboxOptions
from ekyc_tasks.sandbox.server import Sandbox, serve

__all__ = [
    "ENDPOINTS",
    "KINDS",
    "LAYOUTS",
    "SCENARIOS",
    "STYLES",
    "Call",
    "Charge",
    "NumberAnswer",
    "Sandbox",
    "SandboxOptions",
    "SandboxTask",
    "serve",
]
