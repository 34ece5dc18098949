"""Exact quantiles: numpy and DuckDB as oracles, order statistics, and multiplicities."""

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.statistics.intervals import order_statistic_ranks
from pipeline.statistics.quantiles import Samples, median_interval, quantile_interval_of, quantile_of

LAW = settings(deadline=None, derandomize=True)
COUNTED = st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 5)), min_size=1, max_size=40).filter(
    lambda rows: sum(count for _, count in rows) > 0
)


def spread(rows):
    """Values, counts, and the values each repeated as often as it occurred."""
    values, counts = (np.array(part) for part in zip(*rows, strict=True))
    return values, counts, np.repeat(values, counts)


@LAW
@given(COUNTED, st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_repeating_each_value_gives_the_same(rows, p):
    """Counting a value n times is repeating it n times, whatever the order; numpy's linear rule."""
    values, counts, all_values = spread(rows)
    np.testing.assert_allclose(quantile_of(values, counts, p), np.quantile(all_values, p), atol=1e-9)
    np.testing.assert_array_equal(quantile_of(all_values, 1, p), quantile_of(values, counts, p))


def test_duckdb_agrees():
    """`quantile_cont` of 501 durations at five quantiles."""
    hours = np.random.default_rng(9).gamma(0.7, 12, 501)
    p = [0, 0.1, 0.5, 0.95, 1]
    connection = duckdb.connect()
    connection.execute("create table incidents (hours double)")
    connection.executemany("insert into incidents values (?)", [[float(x)] for x in hours])
    (theirs,) = connection.execute(f"select quantile_cont(hours, {p}) from incidents").fetchone()
    np.testing.assert_allclose(quantile_of(hours, 1, p), theirs, rtol=1e-12)


def test_published_definition():
    """Hyndman & Fan (1996), definition 7: the p-quantile lies at place 1 + (n - 1) p; 1 + 4 * 0.3 = 2.2."""
    assert float(quantile_of([10, 20, 30, 40, 50], 1, 0.3)) == pytest.approx(20 + 0.2 * 10)


@LAW
@given(COUNTED, st.sampled_from([0.5, 0.95]), st.sampled_from([0.8, 0.95]))
def test_the_interval_is_two_of_the_values(rows, p, level):
    """Bounds are the values at the ranks of `order_statistic_ranks`, open where those are."""
    values, counts, all_values = spread(rows)
    ordered = np.sort(all_values)
    ranks = order_statistic_ranks(ordered.size, p, level)
    expected = [np.nan if np.isnan(rank) else ordered[int(rank) - 1] for rank in ranks]
    np.testing.assert_array_equal(quantile_interval_of(values, counts, p, level), expected)


@LAW
@given(COUNTED)
def test_median_laws(rows):
    """The interval holds the median, turns round with the sign, and is there from six values on."""
    values, counts, all_values = spread(rows)
    low, high = median_interval(values, counts)
    assert np.isnan(low) == np.isnan(high) == (all_values.size < 6)
    if all_values.size >= 6:
        assert low <= np.median(all_values) <= high
        assert median_interval(-values, counts) == (-high, -low)


def test_published_median_interval():
    """Conover (1999): of 20 values the 6th and the 15th enclose the median."""
    assert median_interval(np.arange(1, 21) ** 2) == (36, 225)


def test_side_by_side():
    """Samples of several groups at once, one of them empty, with negative values."""
    together = Samples.of([1, 0, 1, 0], [5.0, -3.0, 7.0, -1.0], [1, 1, 3, 1], groups=3)
    np.testing.assert_array_equal(together.quantile(0.5), [-2, 7, np.nan])
    np.testing.assert_array_equal(together.at_rank([1, 4, 1]), [-3, 7, np.nan])
    assert together.totals.tolist() == [2, 4, 0]


def test_nothing():
    """Without values there is no quantile and no interval."""
    assert np.isnan(quantile_of([], [], [0.5, 0.9])).all()
    assert np.isnan(quantile_of([3], [0], 0.5))
    assert np.isnan(median_interval([])).all()


@pytest.mark.parametrize(
    ("values", "counts", "p", "message"),
    [
        ([1, None], 1, 0.5, "a value is not a finite number; leave out what has none, and count it apart"),
        ([1, 2], [1, 0.5], 0.5, "a count is negative or not a whole number; expected how often a value occurred"),
        ([1, 2], 1, 50, r"p runs from 50\.0 to 50\.0, expected quantiles between 0 and 1"),
    ],
)
def test_wrong_input_is_named(values, counts, p, message):
    """Unknown values, half counts and percentages are refused with the reason."""
    with pytest.raises(ValueError, match=message):
        quantile_of(values, counts, p)
