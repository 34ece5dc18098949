"""How a problem of the catalogue is worded: what was found, what was expected, and what may have been meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from pipeline.errors import Problem

_LONGEST_SHOWN = 60
_LONGEST_CHOICE = 8


def near(name: str, choices: Iterable[str]) -> str | None:
    """The choice most like the name, or None when nothing is like it."""
    matches = get_close_matches(name.lower(), sorted(set(choices)), n=1, cutoff=0.6)
    return matches[0] if matches else None


def quoted(value: object) -> str:
    """A value as one short printable line; control characters are escaped."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def one_of(choices: Iterable[str], *, otherwise: str) -> str:
    """The choices when they are few, else a phrase that says where they stand."""
    names = list(choices)
    return f"one of {', '.join(names)}" if 0 < len(names) <= _LONGEST_CHOICE else otherwise


def problem(where: str, code: str, *, found: str, expected: str, meant: str | None = None) -> Problem:
    """A problem whose message reads `found ..., expected ..., did you mean ...`."""
    hint = f", did you mean {meant}?" if meant else ""
    return Problem(where, code, f"found {found}, expected {expected}{hint}")
