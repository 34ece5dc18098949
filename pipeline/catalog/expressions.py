"""The language of measures: `sum(column)`, `count(*)` or `distinct(column)`, each with `where` and a simple condition.

A condition compares columns with literals (`=`, `<>`, `<`, `<=`, `>`, `>=`, `in`, `is null`) and joins comparisons with
`and`, `or` and `not`; nothing else can be said in it, so no text of the catalogue reaches a database as free SQL. What
is rendered is built here and not by the parser's generator, so an upgrade of the parser changes no text and no hash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from pipeline.catalog.wording import near, quoted

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

Aggregate = Literal["sum", "count", "distinct"]
LiteralKind = Literal["number", "text", "flag"]

FORMS = "sum(column), count(*) or distinct(column), each with or without `where ...`"
_AGGREGATES = ("sum", "count", "distinct")
_MEASURE = re.compile(r"(?P<function>\w+)\s*\(\s*(?P<inner>[^()]*?)\s*\)(?:\s+where\b(?P<predicate>.*))?", re.DOTALL)
_COUNT_DISTINCT = re.compile(r"count\s*\(\s*distinct\b[\s(]*(?P<column>\w+)[\s)]*\)(?P<rest>\s+where\b.*)?", re.DOTALL)
_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NUMBER = re.compile(r"\d+(\.\d+)?([eE][-+]?\d+)?")
_OPERATORS = {"EQ": "=", "NEQ": "<>", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}
# More than anyone writes; the parser recurses, and a longer chain could exhaust Python's stack.
_MAX_NESTING = 20


class ExpressionError(ValueError):
    """A text that is no measure: what was found, what was expected and, when it is near, what was meant."""

    def __init__(self, *, found: str, expected: str, meant: str | None = None) -> None:
        super().__init__(f"found {found}, expected {expected}")
        self.found, self.expected, self.meant = found, expected, meant


@dataclass(frozen=True)
class Comparison:
    """A column of a condition and the kinds of literals it is compared with (`flag` alone when it stands by itself)."""

    column: str
    literals: tuple[LiteralKind, ...] = ()


@dataclass(frozen=True)
class Measure:
    """An aggregate over the rows of a fact; `column` is `*` for count, `predicate` is canonical SQL or None."""

    aggregate: Aggregate
    column: str
    predicate: str | None = None
    comparisons: tuple[Comparison, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column used, the aggregated one first, each once."""
        own = [] if self.column == "*" else [self.column]
        return tuple(dict.fromkeys([*own, *(comparison.column for comparison in self.comparisons)]))

    def sql(self, filter: bool = True) -> str:
        """Portable SQL of the measure, with a FILTER clause or, for engines without one, the same value by CASE."""
        inner = self.column
        if self.predicate is not None and not filter:
            inner = f"case when {self.predicate} then {'1' if inner == '*' else inner} end"
        call = {"sum": f"sum({inner})", "count": f"count({inner})", "distinct": f"count(distinct {inner})"}
        where = f" filter (where {self.predicate})" if self.predicate is not None and filter else ""
        return call[self.aggregate] + where

    def text(self) -> str:
        """The measure as the catalogue would write it, in canonical spelling."""
        where = f" where {self.predicate}" if self.predicate is not None else ""
        return f"{self.aggregate}({self.column}){where}"


def parse_measure(text: str) -> Measure:
    """Read a measure of the catalogue; raises ExpressionError for anything outside the language."""
    if counted := _COUNT_DISTINCT.fullmatch(text.strip()):
        meant = f"distinct({counted['column']})" + (counted["rest"] or "")
        raise ExpressionError(found=quoted(text.strip()), expected=FORMS, meant=meant)
    match = _MEASURE.fullmatch(text.strip())
    if match is None:
        raise ExpressionError(found=quoted(text.strip()), expected=FORMS)
    function, inner, predicate = match["function"], match["inner"], match["predicate"]
    if function not in _AGGREGATES:
        raise ExpressionError(found=f"{function}({inner})", expected=FORMS, meant=near(function, _AGGREGATES))
    _check_argument(function, inner)
    condition, comparisons = (None, ()) if predicate is None else _condition(predicate.strip())
    return Measure(cast(Aggregate, function), inner, condition, comparisons)


def _check_argument(function: str, inner: str) -> None:
    if function == "count" and inner != "*":
        if _COLUMN.fullmatch(inner):
            expected = f"count(*), which counts rows, or count(*) where {inner} is not null"
            raise ExpressionError(found=f"count({inner})", expected=expected)
        raise ExpressionError(found=f"count({inner})", expected="count(*)", meant=f"count(*) where {inner}")
    if function != "count" and not _COLUMN.fullmatch(inner):
        raise ExpressionError(found=f"{function}({inner})", expected=f"the name of one column inside {function}(...)")


def parse_condition(text: str) -> tuple[str, tuple[Comparison, ...]]:
    """Canonical SQL of a condition by itself, and its comparisons; raises ExpressionError as `parse_measure` does."""
    return _condition(text.strip())


def condition_tree(text: str) -> Expression:
    """The parser's tree of a condition in canonical SQL, for those who ask what it says of a row."""
    return _parse(text)


def _condition(text: str) -> tuple[str, tuple[Comparison, ...]]:
    """Canonical SQL of a condition and the comparisons in it."""
    comparisons: list[Comparison] = []
    return _render(_parse(text), comparisons), tuple(comparisons)


def _parse(text: str) -> Expression:
    import sqlglot
    from sqlglot.errors import SqlglotError

    if not text:
        raise ExpressionError(found="nothing after `where`", expected="a condition such as `is_active = 1`")
    if text.count("(") > _MAX_NESTING or len(re.findall(r"\bnot\b|-", text)) > _MAX_NESTING:
        raise ExpressionError(found=quoted(text), expected=f"a condition with at most {_MAX_NESTING} levels")
    try:
        statements = sqlglot.parse(text)
    except (SqlglotError, RecursionError) as error:
        raise ExpressionError(found=f"{quoted(text)} after `where`", expected="a complete condition") from error
    if len(statements) != 1 or statements[0] is None:
        raise ExpressionError(found=f"{quoted(text)} after `where`", expected="one condition")
    return cast("Expression", statements[0])


def _render(node: Expression, comparisons: list[Comparison]) -> str:
    """SQL of a node of the condition, in brackets where it joins others; collects its comparisons on the way."""
    kind = type(node).__name__
    if node.comments:
        raise ExpressionError(found=f"a comment in {quoted(node.sql())}", expected="a condition without comments")
    if kind == "Paren":
        return _render(node.this, comparisons)
    if kind in ("And", "Or"):
        parts = [_bracketed(side, kind, comparisons) for side in (node.this, node.expression)]
        return f" {kind.lower()} ".join(parts)
    if kind in _OPERATORS:
        return _render_comparison(node, _OPERATORS[kind], comparisons)
    renderers = {"Not": _render_not, "Is": _render_is, "In": _render_in}
    return renderers.get(kind, _render_flag)(node, comparisons)


def _bracketed(node: Expression, parent: str, comparisons: list[Comparison]) -> str:
    """A side of `and` or `or`; only the other of the two needs brackets to keep its meaning."""
    inner = _unwrapped(node)
    text = _render(node, comparisons)
    return f"({text})" if type(inner).__name__ in {"And", "Or"} - {parent} else text


def _unwrapped(node: Expression) -> Expression:
    while type(node).__name__ == "Paren" and not node.comments:
        node = node.this
    return node


def _render_not(node: Expression, comparisons: list[Comparison]) -> str:
    inner = node.this
    if type(inner).__name__ == "Is" and not inner.comments:
        return _render_is(inner, comparisons, word="is not")
    if type(inner).__name__ == "In" and not inner.comments:
        return _render_in(inner, comparisons, word="not in")
    simple = type(_unwrapped(inner)).__name__ == "Column"
    text = _render(inner, comparisons)
    return f"not {text}" if simple else f"not ({text})"


def _render_comparison(node: Expression, operator: str, comparisons: list[Comparison]) -> str:
    left, right = _operand(node.this), _operand(node.expression)
    columns = [text for text, kind in (left, right) if kind is None]
    if not columns:
        raise ExpressionError(found=quoted(f"{left[0]} {operator} {right[0]}"), expected="a column on one side of it")
    literals = tuple(kind for _, kind in (left, right) if kind is not None)
    comparisons.extend(Comparison(column, literals) for column in columns)
    return f"{left[0]} {operator} {right[0]}"


def _render_is(node: Expression, comparisons: list[Comparison], *, word: str = "is") -> str:
    column, kind = _operand(node.this)
    if kind is not None or type(node.expression).__name__ != "Null":
        raise ExpressionError(found=quoted(node.sql()), expected="`column is null` or `column is not null`")
    comparisons.append(Comparison(column))
    return f"{column} {word} null"


def _render_in(node: Expression, comparisons: list[Comparison], *, word: str = "in") -> str:
    column, kind = _operand(node.this)
    values = [_operand(value) for value in node.expressions]
    others = [name for name, part in node.args.items() if part and name not in ("this", "expressions")]
    if kind is not None or not values or others or any(value_kind is None for _, value_kind in values):
        raise ExpressionError(found=quoted(node.sql()), expected="`column in (literal, ...)`")
    comparisons.append(Comparison(column, tuple(value_kind for _, value_kind in values if value_kind is not None)))
    return f"{column} {word} ({', '.join(text for text, _ in values)})"


def _render_flag(node: Expression, comparisons: list[Comparison]) -> str:
    """A column that is a condition by itself; anything else is outside the language."""
    if type(node).__name__ != "Column":
        raise _outside(node)
    column, _ = _operand(node)
    comparisons.append(Comparison(column, ("flag",)))
    return column


def _operand(node: Expression) -> tuple[str, LiteralKind | None]:
    """Text of a column (kind None) or literal."""
    kind = type(node).__name__
    if node.comments:
        raise ExpressionError(found="a comment", expected="a condition without comments")
    if kind == "Column":
        return _column(node), None
    if kind == "Neg" and type(node.this).__name__ == "Literal" and not node.this.is_string:
        return f"-{_operand(node.this)[0]}", "number"
    if kind == "Boolean":
        return ("true" if node.this else "false"), "flag"
    if kind == "Null":
        raise ExpressionError(
            found="a comparison with null, which is never true", expected="`is null` or `is not null`"
        )
    if kind != "Literal":
        raise _outside(node)
    if node.is_string:
        return "'" + str(node.this).replace("'", "''") + "'", "text"
    if not _NUMBER.fullmatch(str(node.this)):
        raise ExpressionError(found=quoted(str(node.this)), expected="a number such as 12 or 0.5")
    return str(node.this), "number"


def _column(node: Expression) -> str:
    """Name of a plain column; qualified, quoted and odd names are refused."""
    name = str(node.name)
    qualified = any(node.args.get(part) for part in ("table", "db", "catalog"))
    is_quoted = bool(node.this.args.get("quoted"))
    if qualified or is_quoted or not _COLUMN.fullmatch(name):
        text = f"; a text stands in single quotes: {quoted(name)}" if is_quoted else ""
        expected = f"the name of a column of the fact, lower case, unquoted{text}"
        raise ExpressionError(found=quoted(node.sql()), expected=expected)
    return name


def _outside(node: Expression) -> ExpressionError:
    expected = "columns and literals joined by = <> < <= > >=, in, is null, and, or, not"
    return ExpressionError(found=quoted(node.sql(comments=False)), expected=expected)
