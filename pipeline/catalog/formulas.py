"""How a KPI is computed, in one line, and the arithmetic of KPIs that are formulas.

A formula knows names, numbers, `+ - * /`, brackets, `sum(series)`, `abs(x)` and `first(series)`: the number (from 1)
of the first entry of a series at which its running total is zero or more. It is read by Python's parser and worked
out here in decimals; nothing of it is ever executed as Python.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import accumulate

from pipeline.catalog.expressions import ExpressionError
from pipeline.catalog.model import AnyMetric
from pipeline.catalog.wording import quoted

Input = Decimal | Sequence[Decimal]
_FUNCTIONS = ("sum", "abs", "first")
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_MAX_NODES = 60
_EXPECTED = "names, numbers, + - * /, brackets, sum(series), abs(x) or first(series)"

_LINES = {
    "ratio": "{numerator} ÷ {denominator}",
    "snapshot": "{numerator} ÷ {denominator}, on the last day with data",
    "total": "{total}",
    "mean": "mean of {value}",
    "median": "median of {value}",
    "percentile": "{percentile:.0%} quantile of {value}, merged from histograms",
    "survival_median": "Kaplan–Meier median of {end} − {start}, open ones censored",
    "difference": "share of {value} where {arm} = {treated} minus where {arm} = {control}, first per {first_per}",
    "paired_difference": "share of rows with {first} minus share with {second}",
    "uplift": "mean of {value} where {arm} = {treated} ÷ mean where {arm} = {control}, less 1, per {experiment}",
    "recurrence": "share of {member} seen in at least {at_least} different values of {per}",
    "peak": "most rows in one minute of {at}",
    "episodes": "bursts of rows, more than {gap_minutes} minutes apart by {at}",
    "ranking": "mean of {measure} over judged queries",
    "derived": "{numerator} over {fact} ÷ {denominator} over {over}",
    "judged": "{numerator} ÷ {denominator} by {judge}, each corrected as (p + q0 − 1) ÷ (q0 + q1 − 1) by {labels}",
    "formula": "{formula}",
}


def formula_line(metric: AnyMetric) -> str:
    """The formula of a KPI in one line."""
    line = _LINES[metric.kind].format(**{name: getattr(metric, name) for name in type(metric).model_fields})
    where = getattr(metric, "where", None)
    worst = getattr(metric, "worst_of", None)
    times = f"{per} × " if (per := getattr(metric, "per", 1)) not in (1, "") and metric.kind == "ratio" else ""
    told = f", where {where}" if where else ""
    return f"{times}{line}{told}" + (f"; in total that of the worst {worst}" if worst else "")


def parse_formula(text: str) -> ast.expr:
    """The tree of a formula; raises ExpressionError for anything outside the language."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(found=quoted(text), expected=_EXPECTED) from error
    if len(list(ast.walk(tree))) > _MAX_NODES:
        raise ExpressionError(found=quoted(text), expected="a formula of fewer parts")
    _allow(tree, text)
    return tree


def _allow(node: ast.expr, text: str) -> None:
    if isinstance(node, ast.Name) or (isinstance(node, ast.Constant) and type(node.value) in (int, float)):
        return
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        _allow(node.left, text)
        _allow(node.right, text)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        _allow(node.operand, text)
    elif _is_call(node):
        _allow(node.args[0], text)  # type: ignore[attr-defined]
    else:
        raise ExpressionError(found=quoted(ast.get_source_segment(text.strip(), node) or text), expected=_EXPECTED)


def _is_call(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _FUNCTIONS
        and len(node.args) == 1
        and not node.keywords
    )


def names_of(tree: ast.expr) -> list[str]:
    """The inputs a formula uses, each once."""
    calls = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in calls]
    return list(dict.fromkeys(names))


def evaluate(text: str, inputs: Mapping[str, Input]) -> Decimal | None:
    """The value of a formula; None where it has none: a division by zero, or a total that never reaches zero."""
    found = _work_out(parse_formula(text), inputs)
    return found if isinstance(found, Decimal) else None


def _work_out(node: ast.expr, inputs: Mapping[str, Input]) -> Input | None:
    if isinstance(node, ast.Name):
        return inputs[node.id]
    if isinstance(node, ast.Constant):
        return Decimal(str(node.value))
    if isinstance(node, ast.Call):
        return _call(node.func.id, _work_out(node.args[0], inputs))  # type: ignore[attr-defined]
    if isinstance(node, ast.UnaryOp):
        value = _work_out(node.operand, inputs)
        return -value if isinstance(value, Decimal) else None
    assert isinstance(node, ast.BinOp)  # noqa: S101 - the parser allows nothing else
    left, right = _work_out(node.left, inputs), _work_out(node.right, inputs)
    return _binary(node.op, left, right) if isinstance(left, Decimal) and isinstance(right, Decimal) else None


def _binary(operator: ast.operator, left: Decimal, right: Decimal) -> Decimal | None:
    if isinstance(operator, ast.Div):
        return left / right if right else None
    if isinstance(operator, ast.Mult):
        return left * right
    return left + right if isinstance(operator, ast.Add) else left - right


def _call(name: str, value: Input | None) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, Decimal):
        return abs(value) if name == "abs" else value
    if name == "sum":
        return sum(value, Decimal(0))
    running = accumulate(value)
    return next((Decimal(place) for place, total in enumerate(running, start=1) if total >= 0), None)
