"""Histograms: within 1 % of numpy, mergeable by adding counts, and the same bucket in SQL and Python."""

from statistics import NormalDist

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.statistics.histogram import (
    ALPHA,
    GAMMA,
    LOG_GAMMA,
    ZERO_BUCKET,
    Histograms,
    bucket_of,
    bucket_sql,
    has_bucket_sql,
    quantile_from_counts,
    value_of,
)
from pipeline.statistics.intervals import order_statistic_ranks

LAW = settings(deadline=None, derandomize=True)
LATENCIES = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e6)), min_size=1, max_size=60)
ROUNDING = 1e-9


def counted(values):
    """Buckets and counts of values."""
    return np.unique(bucket_of(values), return_counts=True)


def lognormal(n, median, p95):
    """n values spread evenly over the quantiles of the lognormal distribution with this median and P95."""
    log = NormalDist(np.log(median), np.log(p95 / median) / NormalDist().inv_cdf(0.95))
    return np.exp([log.inv_cdf((i + 0.5) / n) for i in range(n)])


@LAW
@given(st.floats(1e-299, 1e299), st.sampled_from([1, -1]))
def test_a_bucket_stands_for_its_values(size, sign):
    """Each value lies between the edges of its bucket and within 1 % of what the bucket stands for; below 0 too."""
    x = sign * size
    bucket = bucket_of(x)
    assert abs(value_of(bucket) - x) <= (ALPHA + ROUNDING) * size
    slack = ROUNDING * size
    assert value_of(bucket, "lower") - slack <= x <= value_of(bucket, "upper") + slack


@LAW
@given(st.lists(st.one_of(st.just(0.0), st.floats(1e-299, 1e299), st.floats(-1e299, -1e-299)), min_size=2))
def test_buckets_are_ordered_as_values_are(values):
    """Of two values the lesser has no greater bucket, whatever their signs."""
    assert (np.diff(bucket_of(np.sort(values))) >= 0).all()


@LAW
@given(st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e3), st.floats(-1e3, -1e-3)), min_size=1, max_size=200),
       st.floats(0, 1))  # fmt: skip
def test_quantiles_of_values_of_both_signs(values, p):
    """Within 1 % of the greater of the two values that numpy puts the quantile between."""
    ordered = np.sort(values)
    at = (len(values) - 1) * p
    greater = np.abs(ordered[[int(np.floor(at)), int(np.ceil(at))]]).max()
    found = float(quantile_from_counts(*counted(values), p))
    assert abs(found - np.quantile(values, p)) <= (ALPHA + ROUNDING) * greater


def test_buckets_by_hand():
    """gamma = 1.01/0.99; 1 closes bucket 0, which stands for 2 / (gamma + 1) = 0.99; bucket 35 ends near 2."""
    assert pytest.approx(1.01 / 0.99) == GAMMA
    assert bucket_of([1.0, 1.0000001, 2.0, 0.5]).tolist() == [0, 1, 35, -34]
    assert float(value_of(0)) == pytest.approx(0.99)
    assert float(value_of(35, "upper")) == pytest.approx((1.01 / 0.99) ** 35)


def test_zero_and_what_has_no_bucket():
    """0 and the unmeasurably small share a bucket of their own that sorts first and stands for 0."""
    assert bucket_of([0.0, -0.0, 1e-310]).tolist() == [ZERO_BUCKET] * 3
    assert bucket_of(1e-300) > ZERO_BUCKET
    assert [float(value_of(ZERO_BUCKET, edge)) for edge in ("lower", "middle", "upper")] == [0, 0, 0]
    assert (bucket_of([-1e-300, -1e-310, 1e-310]) == [bucket_of(-1e-300), ZERO_BUCKET, ZERO_BUCKET]).all()
    assert bucket_of(-1e-300) < ZERO_BUCKET
    assert np.isnan(bucket_of([np.nan, np.inf, -np.inf, None])).all()
    assert np.isnan(value_of(np.nan))


@LAW
@given(LATENCIES, st.floats(0, 1))
def test_within_one_percent_of_numpy(values, p):
    """Any quantile of any sample is within 1 % of numpy's linear definition."""
    expected = np.quantile(values, p)
    assert quantile_from_counts(*counted(values), p) == pytest.approx(expected, rel=ALPHA + ROUNDING, abs=1e-300)


def test_large_samples_at_the_usual_percentiles():
    """p50, p95 and p99 of 100 000 skewed latencies, asked for at once, within 1 %."""
    values = np.random.default_rng(11).lognormal(-1, 1.2, 100_000)
    p = [0.5, 0.95, 0.99]
    np.testing.assert_allclose(quantile_from_counts(*counted(values), p), np.quantile(values, p), rtol=ALPHA)


def test_percentiles_merge_and_are_not_averaged():
    """9 500 fast and 500 slow requests, P95 0.71 s and 9.74 s: pooled 1.38 s, not their mean of 5.22 s."""
    fast, slow = lognormal(9500, 0.18, 0.71), lognormal(500, 3.0, 9.74)
    parts = [float(quantile_from_counts(*counted(part), 0.95)) for part in (fast, slow)]
    assert parts == pytest.approx([0.71, 9.74], rel=0.012)
    pooled = np.concatenate([fast, slow])
    assert round(float(np.quantile(pooled, 0.95)), 2) == 1.38
    buckets, counts = (np.concatenate(pair) for pair in zip(counted(fast), counted(slow), strict=True))
    assert float(quantile_from_counts(buckets, counts, 0.95)) == pytest.approx(1.38, rel=0.012)
    assert np.mean(parts) == pytest.approx(5.22, rel=0.012)


@LAW
@given(LATENCIES, LATENCIES, st.floats(0, 1))
def test_adding_counts_is_pooling_values(first, second, p):
    """Rows of two histograms together give exactly the quantile of the pooled values' histogram."""
    buckets, counts = (np.concatenate(pair) for pair in zip(counted(first), counted(second), strict=True))
    assert quantile_from_counts(buckets, counts, p) == quantile_from_counts(*counted(first + second), p)


@LAW
@given(st.lists(LATENCIES, min_size=1, max_size=5), st.sampled_from([0.0, 0.5, 0.95, 1.0]), st.randoms())
def test_side_by_side_equals_one_by_one(samples, p, random):
    """Many histograms at once, rows in any order, give what each gives alone; one without rows is NaN."""
    rows = [(i, b, c) for i, sample in enumerate(samples) for b, c in zip(*counted(sample), strict=True)]
    random.shuffle(rows)
    together = Histograms.of(*zip(*rows, strict=True), groups=len(samples) + 1)
    alone = [float(quantile_from_counts(*counted(sample), p)) for sample in samples]
    np.testing.assert_array_equal(together.quantile(p), [*alone, np.nan])
    assert together.totals.tolist() == [*map(len, samples), 0]


def test_ranks():
    """Ranks count from 1 through the buckets; a rank that is not there, or NaN, has no value."""
    one = Histograms.of([0, 0, 0], [5, 0, 9], [2, 1, 0], 1)
    ranks = one.at_rank([1, 2, 3, 4, 0, np.nan])
    np.testing.assert_array_equal(ranks, [value_of(0), value_of(5), value_of(5), np.nan, np.nan, np.nan])
    assert one.at_rank(2, "upper") == value_of(5, "upper")


@LAW
@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=300), st.sampled_from([0.5, 0.95]))
def test_the_interval_encloses_that_of_the_values(values, p):
    """From bucket edges the interval is never narrower than that of the values themselves, and open where that is."""
    (low,), (high,) = Histograms.of(
        np.zeros(len(values), int), bucket_of(values), np.ones(len(values)), 1
    ).quantile_interval(p)
    ordered = np.sort(values)
    lower, upper = order_statistic_ranks(len(values), p)
    assert np.isnan(low) if np.isnan(lower) else low <= ordered[int(lower) - 1] * (1 + ROUNDING)
    assert np.isnan(high) if np.isnan(upper) else high >= ordered[int(upper) - 1] * (1 - ROUNDING)


def test_no_rows():
    """An empty histogram has no quantile and no interval."""
    assert np.isnan(quantile_from_counts([], [], [0.5, 0.95])).all()
    none = Histograms.of([], [], [], 2)
    assert np.isnan(none.quantile(0.5)).all()
    assert np.isnan(none.quantile_interval(0.5)).all()
    assert Histograms.of([], [], [], 0).quantile(0.5).shape == (0,)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (([0, 2], [1, 1], [1, 1]), "groups run from 0 to 2, expected 0 to 1"),
        (([0, 1], [1, np.nan], [1, 1]), "a bucket is not a finite number; leave out what has none"),
        (([0, 1], [1, 1], [1, -1]), "a count is negative or not a whole number"),
        (([0, 1], [1, 1], [1, 0.5]), "a count is negative or not a whole number"),
        (([0], [1, 1], [1, 1]), r"groups have shape \(1,\), buckets \(2,\)"),
    ],
)
def test_wrong_rows_are_named(rows, message):
    """Rows that are no histogram are refused with the reason."""
    with pytest.raises(ValueError, match=message):
        Histograms.of(*rows, groups=2)


def test_p_is_a_fraction():
    """95 is not a quantile."""
    with pytest.raises(ValueError, match=r"p runs from 95\.0 to 95\.0, expected quantiles between 0 and 1"):
        quantile_from_counts([1], [1], 95)


def sql_buckets(values, kind="double"):
    """Buckets of the values as DuckDB computes them, which says as well where there are any."""
    connection = duckdb.connect()
    connection.execute(f"create table samples (i integer, x {kind})")
    connection.executemany("insert into samples values (?, ?)", list(enumerate(values)))
    asked = f"select {bucket_sql('x')}, {has_bucket_sql('x')} is true from samples order by i"
    buckets, has_one = zip(*connection.execute(asked).fetchall(), strict=True)
    assert list(has_one) == [bucket is not None for bucket in buckets]
    return list(buckets)


def test_sql_and_python_agree():
    """DuckDB puts 4 000 values over 24 orders of magnitude, 0 and what has no bucket where Python puts them."""
    values = [
        *(10 ** np.random.default_rng(2).uniform(-12, 12, 2000)).tolist(),
        *(-(10 ** np.random.default_rng(3).uniform(-12, 12, 2000))).tolist(),
        1.0,
        0.25,
        30.0,
        0.0,
        -0.0,
        1e-310,
        1e-300,
        1e300,
        -1e-310,
        -1e-300,
        -1e300,
    ]
    assert sql_buckets(values) == bucket_of(values).astype(int).tolist()
    assert sql_buckets([float("nan"), float("inf"), float("-inf"), 1e301, -1e301, None]) == [None] * 6


def test_sql_and_python_differ_at_most_in_the_last_bit_of_an_edge():
    """Exactly on an edge two logarithms may round apart: then by one bucket, whose error stays 1 %."""
    edges = (GAMMA ** np.arange(-500.0, 500)).tolist()
    apart = np.abs(np.array(sql_buckets(edges)) - bucket_of(edges))
    assert apart.max() <= 1


def test_sql_takes_decimals_and_keeps_every_digit():
    """Decimal and integer columns work; the literal is a double that reads back as ln(gamma)."""
    assert sql_buckets([2, 0, 30, -7], "integer") == bucket_of([2, 0, 30, -7]).tolist()
    assert sql_buckets(["1.25", "0.000"], "decimal(18,6)") == bucket_of([1.25, 0]).tolist()
    assert float(bucket_sql("x").split("/ ")[1].split(")")[0]) == LOG_GAMMA
