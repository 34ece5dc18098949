"""A table and the numbers in it, laid out for a terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NOTHING = "-"


@dataclass(frozen=True)
class Table:
    """A table of a report; its first column is text, the others are numbers or short words.

    Without rows there is only the note, which says why.
    """

    title: str
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    note: str = ""

    def text(self) -> str:
        """Columns set below each other, for a terminal."""
        if not self.rows:
            return f"{self.title}\n  {self.note}"
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = [_aligned(row, widths) for row in (self.head, *self.rows)]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([self.title, *(f"  {line}" for line in lines), *([f"  {self.note}"] if self.note else [])])

    def markdown(self) -> str:
        """A heading and a Markdown table."""
        if not self.rows:
            return f"### {self.title}\n\n{self.note}"
        rule = "|---|" + "---:|" * (len(self.head) - 1)
        grid = [_piped(self.head), rule, *map(_piped, self.rows)]
        return "\n".join([f"### {self.title}", "", *grid, *(["", self.note] if self.note else [])])


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if at == 0 else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *rest]).rstrip()


def _piped(row: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def number(value: float | None) -> str:
    """Three significant digits, all digits before the point; a hyphen for what is not known.

    >>> number(0.01234), number(12.345), number(1234.5), number(None)
    ('0.0123', '12.3', '1234', '-')
    """
    if value is None:
        return NOTHING
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def ratio(part: float | None, whole: float | None) -> str:
    """One measurement as a multiple of another; a hyphen when either is missing."""
    return number(part / whole) if part is not None and whole else NOTHING
