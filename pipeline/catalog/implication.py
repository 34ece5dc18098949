"""Whether one condition implies another: a row is looked for of which the one holds and the other does not.

Conditions compare columns with literals and with columns, so such a row exists if and only if one exists on a small
grid: for each column null, the literals that it or a column beside it is compared with, and values between, below and
above them; as many of each as there are columns to be told apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise, product
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Any

from pipeline.catalog.expressions import condition_tree

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

Value = bool | Decimal | datetime | str | None
Row = Mapping[str, Value]
MOST_ROWS = 20_000
"""Of a larger grid nothing is said."""
_FLAGS = ("is_", "has_")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {"EQ": eq, "NEQ": ne, "LT": lt, "LTE": le, "GT": gt, "GTE": ge}


def counterexample(above: str | None, below: str, families: Mapping[str, str]) -> dict[str, Value] | None:
    """A row of which the condition `above` holds (of every row when None) and `below` does not; None if there is none.

    `families` says what each column is: `whole number`, `number`, `text`, `flag`, `day` or `time`. Nothing is found
    where a column has no family, is compared with what it is not, or where the grid would be too large.
    """
    trees = [condition_tree(text) for text in (above, below) if text is not None]
    uses: dict[str, _Use] = {}
    for tree in trees:
        _collect(tree, uses)
    try:
        grid = {name: _values(name, families[name], use) for name, use in uses.items()}
        if math.prod(map(len, grid.values())) > MOST_ROWS:
            return None
        for values in product(*grid.values()):
            row = dict(zip(grid, values, strict=True))
            *given, wanted = [_truth(tree, row) for tree in trees]
            if all(one is True for one in given) and wanted is not True:
                return row
    except (KeyError, TypeError, ValueError, InvalidOperation):  # no such column, or no such comparison
        return None
    return None


@dataclass
class _Use:
    """What a column is compared with: literals, and other columns, which then have one use together."""

    columns: set[str]
    literals: set[str | Decimal | bool] = field(default_factory=set)


def _collect(node: Expression, uses: dict[str, _Use]) -> None:
    """Note the use of every column of a condition."""
    import sqlglot.expressions as e

    for one in node.find_all(e.Column):
        uses.setdefault(one.name, _Use({one.name}))
    for one in node.find_all(*(getattr(e, kind) for kind in (*_COMPARISONS, "In"))):
        operands = [one.this, *(one.expressions if isinstance(one, e.In) else [one.expression])]
        columns = [part.name for part in operands if isinstance(part, e.Column)]
        use = uses[columns[0]]
        for name in columns[1:]:
            use.columns |= uses[name].columns
            use.literals |= uses[name].literals
        use.literals.update(_read(part) for part in operands if not isinstance(part, e.Column))
        uses.update(dict.fromkeys(use.columns, use))


def _read(node: Expression) -> str | Decimal | bool:
    kind = type(node).__name__
    if kind == "Boolean":
        return bool(node.this)
    if kind == "Neg":
        return -Decimal(str(node.this.this))
    return str(node.this) if node.is_string else Decimal(str(node.this))


def _values(column: str, family: str, use: _Use) -> list[Value]:
    """What a column may hold on the grid; null stands last, for a row with values is read more easily."""
    several = len(use.columns)
    if family == "text":
        return [*_texts({str(one) for one in use.literals}, several), None]
    if family == "flag":
        return [False, True, None]
    if family in ("day", "time"):
        moments = {_moment(str(one)) for one in use.literals} or {datetime(2026, 1, 1, tzinfo=UTC)}
        found = _days(moments, several) if family == "day" else _around(sorted(moments), timedelta(days=1), several)
        return [*found, None]
    numbers = {Decimal(one) for one in use.literals if not isinstance(one, str)} or {Decimal(0)}
    if family == "number":
        return [*_around(sorted(numbers), Decimal(1), several), None]
    if family != "whole number":
        raise KeyError(family)
    if column.startswith(_FLAGS):
        return [*sorted({Decimal(0), Decimal(1), *numbers}), None]
    return [*_whole(numbers, several), None]


def _texts(literals: set[str], several: int) -> list[str]:
    """Texts that are none of the literals, the literals, the first of all texts, and those right after a literal."""
    others: list[str] = []
    while len(others) < several:
        others.append(f"other{len(others) or ''}" + "_" * sum(one.startswith("other") for one in literals))
    after = [one + " " * places for one in sorted(literals) for places in range(1, several + 1)]
    return list(dict.fromkeys([*others, *sorted(literals), "", *after]))


def _whole(points: Iterable[Decimal], several: int) -> list[Decimal]:
    """Whole numbers at the points and around them."""
    near = {Decimal(round_(one) + step) for one in points for round_ in (math.floor, math.ceil)
            for step in range(-several, several + 1)}  # fmt: skip
    return sorted(near)


def _days(points: Iterable[datetime], several: int) -> list[datetime]:
    """Days of the points and around them."""
    begins = {one.replace(hour=0, minute=0, second=0, microsecond=0) for one in points}
    return sorted({one + timedelta(days=step) for one in begins for step in range(-several, several + 1)})


def _around(points: list[Any], step: timedelta | Decimal, several: int) -> list[Any]:
    """Points, and as many values as there are columns before, between and after them."""
    ends = [points[0] - step * place for place in range(1, several + 1)]
    ends += [points[-1] + step * place for place in range(1, several + 1)]
    between = [a + (b - a) * place / (several + 1) for a, b in pairwise(points) for place in range(1, several + 1)]
    return sorted({*points, *ends, *between})


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _truth(node: Expression, row: Row) -> bool | None:
    """What a condition says of a row: true, false, or None where it is unknown, as in SQL."""
    kind = type(node).__name__
    if kind == "Paren":
        return _truth(node.this, row)
    if kind in ("And", "Or"):
        sides = (_truth(node.this, row), _truth(node.expression, row))
        decides = kind == "Or"
        return decides if decides in sides else None if None in sides else not decides
    if kind == "Is":
        return _value(node.this, row) is None
    if kind == "In" or kind in _COMPARISONS:
        others = node.expressions if kind == "In" else [node.expression]
        return _compared(_COMPARISONS.get(kind, eq), node.this, others, row)
    found = _truth(node.this, row) if kind == "Not" else _value(node, row)
    return None if found is None else bool(found) is not (kind == "Not")


def _compared(holds: Callable[[Any, Any], bool], one: Expression, others: list[Expression], row: Row) -> bool | None:
    """Whether a comparison holds with one of others; unknown where either side is null."""
    left = _value(one, row)
    rights = [_value(other, row) for other in others]
    if left is None or None in rights:
        return None
    return any(holds(*_alike(left, right)) for right in rights)


def _alike(left: Value, right: Value) -> tuple[Value, Value]:
    """Both sides of a comparison, a text beside a time read as one; unlike things raise TypeError."""
    if isinstance(left, datetime) and isinstance(right, str):
        right = _moment(right)
    if isinstance(right, datetime) and isinstance(left, str):
        left = _moment(left)
    if type(left) is not type(right):
        raise TypeError(f"{left!r} beside {right!r}")
    return left, right


def _value(node: Expression, row: Row) -> Value:
    return row[node.name] if type(node).__name__ == "Column" else _read(node)


def shown(value: Value) -> str:
    """A value as a condition writes it."""
    if isinstance(value, datetime):
        return f"'{value:%Y-%m-%d}'" if value.time() == datetime.min.time() else f"'{value:%Y-%m-%d %H:%M:%S}'"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else format(value, "f")
