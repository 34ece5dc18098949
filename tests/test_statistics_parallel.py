"""Did groups move in parallel: the level of the check with few clusters, its power, and published comparisons."""

import numpy as np
import pytest
from scipy.stats import chi2, linregress
from test_statistics_causal import long, minimum_wages

from pipeline.statistics.panels import difference_in_differences, staggered_rollout
from pipeline.statistics.parallel import parallel_p, sign_flip_p
from pipeline.statistics.rollout import Rollout, contrast, drift_contrast, lead_contrasts, parts

WAVES = (3, 5, 7, 9, np.nan)
"""When fifths of the teams begin, in months of 13."""
MINUTES, APART, NOISE = 25, 5, 3.6
"""Level of a team's minutes, how teams differ, and how measurements of one team do (standard deviations)."""
DRIFT = 1.0
"""Minutes a month: over four months it makes up an effect of four, that of the roll-out planted in the sample."""


def waves(seed, teams, drift=0.0):
    """Thirteen months of teams that begin in waves, nothing done to them: outcome, team, month, first month."""
    rng = np.random.default_rng(seed)
    first = np.array([WAVES[team % 5] for team in range(teams)])
    values = MINUTES + APART * rng.normal(size=(teams, 1)) + NOISE * rng.normal(size=(teams, 13))
    values += rng.normal(size=13) + drift * np.arange(13) * np.isfinite(first)[:, None]
    y, team, month = long(values)
    return y, team, month, first[team]


def two_groups(seed, teams, drift=0.0):
    """The same for two halves and shocks that linger: outcome, team, month, treated."""
    rng = np.random.default_rng(seed)
    treated = np.arange(teams) < teams // 2
    values = MINUTES + np.cumsum(rng.standard_t(5, size=(teams, 13)), axis=1)
    y, team, month = long(values + drift * np.arange(13) * treated[:, None])
    return y, team, month, treated[team]


STUDIES = [(waves, 20), (waves, 30), (waves, 60), (two_groups, 20), (two_groups, 30)]


def refused(study, teams, drift=0.0, seeds=40):
    """Share of seeds in which the study is refused."""
    found = []
    for seed in range(seeds):
        data = study(seed, teams, drift)
        effect = staggered_rollout(*data) if study is waves else difference_in_differences(*data, start=8)
        found.append(effect.grade is None)
    return np.mean(found)


@pytest.mark.parametrize(("study", "teams"), STUDIES)
def test_groups_that_move_in_parallel_pass(study, teams):
    """At a level of 5 %, 7 or more of 40 refusals have a chance of 0.3 %."""
    assert refused(study, teams) <= 6 / 40


@pytest.mark.parametrize(("study", "teams"), STUDIES)
def test_a_drift_as_large_as_the_effect_is_caught(study, teams):
    """In most of the organisations with 20 teams, in nearly all with more."""
    assert refused(study, teams, DRIFT) >= (0.6 if teams == 20 else 0.9)


def test_a_dip_just_before_the_start_is_caught():
    """A month that was bad for those about to begin is no drift, and still no parallel movement."""
    y, team, month, first = waves(0, 60)
    assert staggered_rollout(y, team, month, first).grade == "B"
    assert staggered_rollout(y + 6 * (month == first - 1), team, month, first).grade is None


class TestSignFlip:
    """Random signs in place of a distribution."""

    def test_all_patterns_by_hand(self):
        """Of 2^12 patterns of 11 ones and a minus one, those with a sum of at least 10 are 2 + 2 × 12: 26 / 4096."""
        column = np.array([[1.0]] * 11 + [[-1.0]])
        assert sign_flip_p(column) == pytest.approx(26 / 4096, abs=0.008)

    def test_level_with_ten_clusters_and_as_many_gaps(self):
        """Ten true gaps, ten clusters: 5 % of 400, give or take three standard errors of 1.1 %."""
        rng = np.random.default_rng(1)
        found = [sign_flip_p(rng.standard_t(4, size=(10, 10))) < 0.05 for _ in range(400)]
        assert 0.05 - 0.033 <= np.mean(found) <= 0.05 + 0.033

    def test_scale_and_order_change_nothing(self):
        """Gaps in other units, or another order, have the same p-value."""
        rows = np.random.default_rng(2).normal(0.2, 1, size=(15, 3))
        assert sign_flip_p(rows) == sign_flip_p(rows * [1000, -0.01, 1]) == sign_flip_p(rows[:, ::-1])

    def test_nothing_to_look_at(self):
        """No gap is no answer; gaps of exactly 0 are no evidence; a flat one beside others says nothing."""
        rows = np.random.default_rng(3).normal(size=(10, 1))
        assert np.isnan(sign_flip_p(np.zeros((10, 0))))
        assert sign_flip_p(np.zeros((10, 2))) == 1.0
        assert sign_flip_p(np.column_stack([rows, np.zeros(10)])) == sign_flip_p(rows)

    def test_twice_the_smaller(self):
        """Two chances to reject are paid for; without a slope there is one."""
        rng = np.random.default_rng(4)
        gaps, slope = rng.normal(size=(20, 3)), rng.normal(0.7, 1, size=(20, 1))
        assert parallel_p(gaps, slope) == min(1, 2 * min(sign_flip_p(gaps), sign_flip_p(slope)))
        assert parallel_p(gaps, np.zeros((20, 1))) == sign_flip_p(gaps)
        assert np.isnan(parallel_p(np.zeros((20, 0)), slope))


def rollout_of(y, unit, period, first):
    """The rows of a balanced panel in order as a panel, each unit its own cluster."""
    units, periods = np.unique(unit).size, np.unique(period)
    by_unit = np.where(np.isnan(first), np.inf, first).reshape(units, -1)[:, 0]
    return Rollout(y.reshape(units, -1), periods.astype(float), by_unit, np.arange(units))


class TestParts:
    """Gaps before the start, cluster by cluster."""

    def test_published_gaps(self):
        """Counties of 2007 against never treated ones: 0.0305, -0.0027, -0.0311 (R's did, README, att_gt on mpdta)."""
        y, county, year, first = minimum_wages()
        keep = np.isnan(first) | (first == 2007)
        data = rollout_of(y[keep], county[keep], year[keep], first[keep])
        found = parts(data, lead_contrasts(data)).sum(axis=0)
        np.testing.assert_allclose(found, [0.0305, -0.0027, -0.0311], atol=5e-5)

    def test_published_wald_test(self):
        """R's did, README: p = 0.16812 before the start, against never treated ones; against those not yet, 0.16814.

        The Wald test takes the covariance of parts around the mean of their cohort, with 5 degrees of freedom.
        """
        data = rollout_of(*minimum_wages())
        cells = [(g, k) for g in (2006.0, 2007.0) for k in range(1, int(g) - 2003)]
        rows = parts(data, np.array([contrast(data, g, k, before_start=True) for g, k in cells]))
        gaps, cohort = rows.sum(axis=0), np.searchsorted(data.cohorts, data.first)
        means = np.array([rows[cohort == k].mean(axis=0) for k in range(data.cohorts.size)])[cohort]
        assert chi2.sf(gaps @ np.linalg.inv((rows - means).T @ (rows - means)) @ gaps, 5) == pytest.approx(
            0.168, abs=0.003
        )

    def test_the_sum_is_what_the_means_say(self):
        """What is taken off each value for the null hypothesis leaves every contrast as it is."""
        data = rollout_of(*waves(5, 30, 0.4))
        means = np.array([data.values[data.first == g].mean(axis=0) for g in data.cohorts])
        for contrasts in (lead_contrasts(data), drift_contrast(data)[None]):
            np.testing.assert_allclose(parts(data, contrasts).sum(axis=0), np.einsum("cgt,gt->c", contrasts, means))

    def test_slope_by_a_second_tool(self):
        """Of one cohort and others never treated it is the difference of two slopes of least squares."""
        rng = np.random.default_rng(6)
        data = Rollout(rng.normal(size=(24, 9)), np.arange(9.0), np.repeat([6.0, np.inf], 12), np.arange(24))
        slopes = [linregress(range(6), data.values[rows, :6].mean(axis=0)).slope for rows in (slice(12), slice(12, 24))]
        assert parts(data, drift_contrast(data)[None]).sum() == pytest.approx(slopes[0] - slopes[1])

    def test_no_slope_in_one_period(self):
        """A cohort that starts in the second period has no line to tell."""
        data = Rollout(np.eye(4), np.arange(4.0), np.array([1.0, 1.0, np.inf, np.inf]), np.arange(4))
        assert not drift_contrast(data).any()
        assert len(lead_contrasts(data)) == 0
