"""Landed files: which there are, a private copy of each, and the lines in it."""

from ekyc_tasks.landing.files import Arrival, arrival, arrivals, take_copy
from ekyc_tasks.landing.lines import read_blocks, read_lines

__all__ = ["Arrival", "arrival", "arrivals", "read_blocks", "read_lines", "take_copy"]
