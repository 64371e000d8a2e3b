"""Numbers as people write them, drawn by a seed."""

from __future__ import annotations

import random

import phonenumbers
from phonenumbers import PhoneNumberFormat

EXAMPLES = [
    example
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    for kind in (0, 1, 3)
    if (example := phonenumbers.example_number_for_type(region, kind))
]


def seeded(seed) -> random.Random:
    return random.Random(seed)  # noqa: S311  # chance in tests needs to repeat, not to be secret


def mixed_line(chance: random.Random) -> str:
    """A line of a kind that lists hold: mostly a number in some notation, often with wrong digits."""
    number = chance.choice(EXAMPLES)
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if chance.random() < 0.5:
        changed = chance.randrange(1, 6)
        e164 = e164[:-changed] + "".join(
            chance.choices("0123456789", k=changed + chance.choice((0, 0, 0, -1, 1)))
        )
    written = chance.choice(
        (
            lambda: e164,
            lambda: e164[1:],
            lambda: f"00{e164[1:]}",
            lambda: f"{e164[:3]} (0){e164[3:6]}-{e164[6:]}",
            lambda: f"{e164[1:]}.0",
            lambda: phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL),
            lambda: phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL),
            lambda: phonenumbers.format_number(number, PhoneNumberFormat.RFC3966),
            lambda: "".join(chance.choices("+0123456789 ().-/", k=chance.randrange(20))),
            lambda: "".join(chance.choices("+0123456789 ().-/xet#;,E:٤", k=chance.randrange(20))),
        )
    )
    return written()
