"""Many Kaplan-Meier medians at once are the medians one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.statistics.survival import kaplan_meier_median
from pipeline.statistics.survivals import kaplan_meier_medians

SPELLS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.booleans(), st.integers(1, 3)), max_size=40)


def number(found: float | None) -> float:
    """None is NaN here."""
    return math.nan if found is None else found


@settings(max_examples=80, deadline=None)
@given(SPELLS)
def test_groups_agree_with_one_at_a_time(spells: list[tuple[int, int, bool, int]]) -> None:
    """scipy's curve of each group alone gives the same median and interval; an empty group gives none."""
    columns = [np.array(column) for column in zip(*spells, strict=True)] or [np.array([], dtype=int)] * 4
    found = kaplan_meier_medians(*columns, groups=5)
    for group in range(5):
        alone = [(time, seen) for of, time, seen, many in spells if of == group for _ in range(many)]
        right = kaplan_meier_median([time for time, _ in alone], [seen for _, seen in alone])
        expected = [number(right.median), number(right.low), number(right.high)]
        assert [float(part[group]) for part in found] == pytest.approx(expected, nan_ok=True)


def test_the_reference_case_among_others() -> None:
    """0.5, 1, 1.5, 2, 3 h and open for 30, 48, 72 h have the median 2 h, also beside a group that never ends."""
    spans = [0.5, 1, 1.5, 2, 3, 30, 48, 72, 5]
    median, _, _ = kaplan_meier_medians([1] * 8 + [0], spans, [1] * 5 + [0] * 4, [1] * 9, groups=2)
    assert math.isnan(median[0])
    assert median[1] == 2.0
