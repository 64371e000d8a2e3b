"""Landed files: which there are, a private copy of each, and the lines in it."""

from ekyc_tasks.landing.containers import has_known_ending
from ekyc_tasks.landing.files import Arrival, arrival, arrivals, left_alone, take_copy
from ekyc_tasks.landing.lines import Block, is_blank, read_blocks, read_lines

__all__ = [
    "Arrival",
    "Block",
    "arrival",
    "arrivals",
    "has_known_ending",
    "is_blank",
    "left_alone",
    "read_blocks",
    "read_lines",
    "take_copy",
]
