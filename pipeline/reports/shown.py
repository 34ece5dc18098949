"""Text from data as a page can hold it: nothing in it turns or hides what follows, and no word is without an end."""

from __future__ import annotations

import re

LONGEST_WORD = 200
KEPT = 80
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that change the direction of writing (Unicode Standard Annex 9)."""
_ENDLESS = re.compile(rf"\S{{{LONGEST_WORD + 1},}}")


def visible(text: str) -> str:
    """The text with every unseen character as a sign that stands for it."""
    return _UNSEEN.sub(_sign, text)


def shown(text: str) -> str:
    """The same with endless words cut; what is cut stands in the downloads."""
    return _ENDLESS.sub(_cut, visible(text))


def _sign(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else f"[U+{code:04X}]"


def _cut(found: re.Match[str]) -> str:
    return f"{found[0][:KEPT]}… ({len(found[0])} characters)"
