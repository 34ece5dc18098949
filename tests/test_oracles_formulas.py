"""KPIs that are formulas: the arithmetic of the catalogue against fractions in plain Python, on random inputs."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from engine_room import CATALOG
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracles_kpis import FORMULAS

from pipeline.catalog.formulas import evaluate
from pipeline.catalog.model import Formula

amounts = st.one_of(st.sampled_from([Decimal(0), Decimal("0.01"), Decimal(-3)]), st.decimals(-1000, 1000, places=2))
series = st.lists(amounts, max_size=8)


def inputs_of(metric: Formula) -> st.SearchStrategy[dict[str, Any]]:
    """Random inputs of a formula; what is told by month is a series."""
    return st.fixed_dictionaries({name: series if name.endswith("_by_month") else amounts for name in metric.inputs})


def exactly(given_in: Any) -> Any:
    """Decimals as fractions."""
    return [Fraction(one) for one in given_in] if isinstance(given_in, list) else Fraction(given_in)


@pytest.mark.parametrize("kpi_id", sorted(FORMULAS))
def test_a_formula_is_what_plain_python_makes_of_it(kpi_id: str) -> None:
    """The same value to 20 digits, and none where there is nothing to divide by or nothing was ever paid back."""
    metric = CATALOG.metrics[kpi_id]
    assert isinstance(metric, Formula)
    told: Counter[bool] = Counter()

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @example(dict.fromkeys(metric.inputs, Decimal(0)) if kpi_id != "payback_months" else {"net_benefit_by_month": []})
    @given(inputs_of(metric))
    def check(inputs: dict[str, Any]) -> None:
        right = FORMULAS[kpi_id](**{name: exactly(one) for name, one in inputs.items()})
        found = evaluate(metric.formula, inputs)
        told[right is None] += 1
        assert (found is None) == (right is None)
        if found is not None and right is not None:
            assert abs(Fraction(found) - right) <= abs(right) / 10**20

    check()
    assert told[False] > 20
    assert ("/" in metric.formula or "first" in metric.formula) == (told[True] > 0)
