"""Whether the formula of a KPI that is worked out from others can be."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.catalog import codes
from pipeline.catalog.document import Positions
from pipeline.catalog.expressions import ExpressionError
from pipeline.catalog.formulas import names_of, parse_formula
from pipeline.catalog.model import Formula
from pipeline.catalog.wording import near, one_of, problem, quoted
from pipeline.errors import Problem


def check_formula(kpi_id: str, metric: Formula, positions: Positions) -> Iterator[Problem]:
    """The formula is arithmetic over its inputs, and every input is used."""
    where = positions.where("metrics", kpi_id, "formula")
    if any(positions.is_unknown("metrics", kpi_id, key) for key in ("formula", "inputs")):
        return
    try:
        used = names_of(parse_formula(metric.formula))
    except ExpressionError as error:
        told = f"formula {error.found}"
        yield problem(where, codes.BAD_EXPRESSION, found=told, expected=error.expected, meant=error.meant)
        return
    for name in used:
        if name not in metric.inputs:
            found, meant = f"input {quoted(name)} in formula", near(name, metric.inputs)
            expected = one_of(metric.inputs, otherwise="a name under inputs")
            yield problem(where, codes.UNKNOWN_INPUT, found=found, expected=expected, meant=meant)
    for name in metric.inputs:
        if name not in used:
            at = positions.where("metrics", kpi_id, "inputs", name)
            yield problem(at, codes.UNKNOWN_INPUT, found=f"input {quoted(name)}", expected="inputs the formula uses")
