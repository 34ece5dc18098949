"""Effects: published cases, second tools, checks that refuse a design, and intervals that keep their promise."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, ttest_ind
from scipy.stats import t as student
from statsmodels.regression.linear_model import OLS

from pipeline.statistics.causal import before_after, cuped, randomised_difference, sequential_difference
from pipeline.statistics.effects import Effect, clustered, nothing
from pipeline.statistics.experiments import SRM_STOP
from pipeline.statistics.panels import difference_in_differences, staggered_rollout

LAW = settings(deadline=None, derandomize=True, max_examples=40)

MPDTA = {
    2004: (
        20,
        [-0.0731333, -0.120245, -0.152992, -0.0943088],
        "936586  685351 1793690  810353 1755390 2345270  229765 1343810 1460800 2031320",
    ),
    2006: (
        40,
        [-0.0561099, -0.0460523, -0.0165591, -0.0309527],
        "1839620  2079260 3586740  2063190 3295400 3765580  1982500 3408550 3551490 4351060",
    ),
    2007: (
        131,
        [-0.0321234, -0.0220408, -0.0190401, -0.0228582],
        "1719740  1378610 3615900  1545060 3090790 5073590  1660130 3198370 4460830 6376760",
    ),
    np.nan: (
        309,
        [-0.06263, -0.0498216, -0.0157337, 0.00650252],
        "2967730  2019450 3349700  2222310 2975770 6620230  2286110 2909120 5322520 6686080",
    ),
}
"""Callaway & Sant'Anna's data on minimum wages, `mpdta` of the R package did: per year of the first rise the number of
counties, and the mean and covariance (lower triangle, times 1e8) of log teen employment 2004 to 2007 less that of 2003.
"""


def exactly(rng, n, mean, covariance):
    """`n` draws whose sample mean and covariance are exactly as given."""
    z = rng.normal(size=(n, len(mean)))
    z = (z - z.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T).reshape(len(mean), -1))).T
    return np.asarray(mean) + z @ np.linalg.cholesky(np.atleast_2d(covariance)).T


def long(values):
    """Rows of a panel from units by periods: outcome, unit, period."""
    units, periods = values.shape
    return values.ravel(), np.repeat(np.arange(units), periods), np.tile(np.arange(periods), units)


def minimum_wages():
    """The panel of minimum wages with its published means and covariances: outcome, county, year, first rise."""
    rng, panels, firsts = np.random.default_rng(0), [], []
    for first, (n, mean, triangle) in MPDTA.items():
        lower = np.zeros((4, 4))
        lower[np.tril_indices(4)] = [float(number) / 1e8 for number in triangle.split()]
        changes = exactly(rng, n, mean, lower + np.tril(lower, -1).T)
        panels.append(np.column_stack([np.zeros(n), changes]) + rng.normal(size=(n, 1)))
        firsts.append(np.full(n, first, dtype=float))
    y, county, year = long(np.vstack(panels))
    return y, county, 2003 + year, np.concatenate(firsts)[county]


class TestEffect:
    """What every estimator gives back."""

    def test_excludes_zero(self):
        """An effect is one only with its whole interval on a side of 0; unknown bounds never are."""
        effect = Effect(1.0, 0.5, 1.5, 9, 9, "", "A")
        assert effect.excludes_zero
        assert replace(effect, low=-1.5, high=-0.5).excludes_zero
        assert not replace(effect, low=-0.5).excludes_zero
        assert not nothing(9, 9, "", "too few").excludes_zero

    @LAW
    @given(st.integers(3, 40), st.integers(0, 1000))
    def test_one_cluster_per_row_is_a_t_test(self, n, seed):
        """With rows of their own, clustered errors of a mean are those of the one-sample t test."""
        y = np.random.default_rng(seed).normal(size=n)
        estimate, error, df = clustered(y, np.ones((n, 1)), np.arange(n)).term(0)
        assert (estimate, error, df) == (pytest.approx(y.mean()), pytest.approx(y.std(ddof=1) / np.sqrt(n)), n - 1)


class TestRandomised:
    """Differences between arms drawn by lot."""

    @LAW
    @given(st.integers(0, 10_000))
    def test_second_tool(self, seed):
        """scipy's Welch test gives the same interval."""
        rng = np.random.default_rng(seed)
        a, b = rng.exponential(size=30), rng.normal(size=25)
        effect = randomised_difference([*a, *b], [1] * 30 + [0] * 25, level=0.9)
        theirs = ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
        np.testing.assert_allclose([effect.low, effect.high], theirs)

    def test_published_trial(self):
        """Student's sleep data, Welch: +1.58 h with 95 % -0.205 to 3.365 (R, help page of t.test, df 17.776)."""
        first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
        second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
        effect = randomised_difference(second + first, [1] * 10 + [0] * 10)
        assert (round(effect.estimate, 2), round(effect.low, 4), round(effect.high, 4)) == (1.58, -0.2055, 3.3655)
        assert (effect.grade, effect.problem, effect.check_p) == ("A", "", 1.0)

    def test_clusters_widen(self):
        """Ten equal rows per person say no more than one: the interval is that of persons, not of rows."""
        rng = np.random.default_rng(1)
        person, arm = rng.normal(size=40), np.repeat([0, 1], 20)
        rows = randomised_difference(np.repeat(person, 10), np.repeat(arm, 10), cluster=np.repeat(np.arange(40), 10))
        people = randomised_difference(person, arm)
        assert rows.estimate == pytest.approx(people.estimate)
        assert rows.high - rows.low == pytest.approx(people.high - people.low, rel=0.02)
        assert (rows.n_treated, rows.n_control) == (20, 20)

    def test_a_broken_split_has_no_grade(self):
        """60 to 120 where half and half was planned: chi-squared 20, p = 7.7e-06, and the effect counts for nothing."""
        y, t = np.random.default_rng(0).normal(size=180), np.repeat([1, 0], [60, 120])
        effect = randomised_difference(y, t)
        assert effect.check_p == pytest.approx(chi2.sf((60 - 90) ** 2 / 90 * 2, 1))
        assert effect.check_p < SRM_STOP
        assert effect.grade is None
        assert "60 treated and 120 control units are not the planned 50% treated (p = 7.7e-06)" in effect.problem
        assert randomised_difference(y, t, share_treated=1 / 3).grade == "A"

    def test_split_of_clusters(self):
        """The split is that of the teams drawn, not of their members."""
        sizes = [1] * 10 + [9] * 10
        y = np.random.default_rng(0).normal(size=100)
        arm, team = np.repeat([1, 0], [10, 90]), np.repeat(np.arange(20), sizes)
        assert randomised_difference(y, arm, cluster=team).grade == "A"
        assert randomised_difference(y, arm).grade is None

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (([1, 2, 3], [1, 0, 0]), "1 treated and 2 control units, expected at least 2 of each"),
            (([1, 1, 1, 1], [1, 1, 0, 0]), "the outcome does not vary, so its error is unknown"),
        ],
    )
    def test_too_little(self, arguments, problem):
        """Without an error there is no grade, whatever the estimate."""
        effect = randomised_difference(*arguments)
        assert (effect.grade, effect.problem) == (None, problem)
        assert np.isnan([effect.low, effect.high]).all()

    def test_few_clusters(self):
        """Four teams per arm are too few for clustered errors."""
        effect = randomised_difference(np.arange(16.0), [1, 0] * 8, cluster=np.arange(16) % 8)
        assert effect.problem == "4 treated and 4 control units, expected at least 5 of each"

    @pytest.mark.parametrize(
        ("arguments", "options", "message"),
        [
            (([1, np.nan, 2], [1, 1, 0]), {}, "1 rows lack a value"),
            (([1, 2], [1, 1, 0]), {}, "expected lists of one length"),
            (([1, 2, 3], [1, 2, 0]), {}, r"treated holds \[2.0\], expected 1 or 0"),
            (([1, 2, 3, 4], [1, 1, 0, 0]), {"share_treated": 1.0}, "share_treated is 1.0, expected the planned share"),
            (([1, 2, 3, 4], [1, 1, 0, 0]), {"cluster": [1, 2, 1, 3]}, "1 clusters stand on both sides"),
            (([1, 2, 3, 4], [1, 1, 0, 0]), {"cluster": [1, 2]}, "expected one label for each of 4 rows"),
            (([1, 2, 3, 4], [1, 1, 0, 0]), {"level": 95}, "level is 95, expected a confidence level"),
        ],
    )
    def test_input_that_makes_no_sense(self, arguments, options, message):
        """Missing outcomes, odd arms and mixed clusters are errors, not fewer rows."""
        with pytest.raises(ValueError, match=message):
            randomised_difference(*arguments, **options)


class TestCuped:
    """Adjustment for the past."""

    def test_by_hand(self):
        """theta = cov / var = 6 / 5 = 1.2; arms differ by 6 now, by 1 before: 6 - 1.2 * 1 = 4.8."""
        before, now = np.array([1, 3, 0, 2] * 2), np.array([10, 12, 4, 6] * 2)
        arm = [1, 1, 0, 0] * 2
        theta = np.cov(before, now)[0, 1] / np.var(before, ddof=1)
        assert theta == pytest.approx(
            ((1 - 1.5) * 2 + 1.5 * 4 + (0 - 1.5) * -4 + 0.5 * -2) / (0.25 + 2.25 + 2.25 + 0.25)
        )
        assert cuped(now, before, arm).estimate == pytest.approx((11 - 5) - theta * (2 - 1))

    def test_second_tool_and_published_reduction(self):
        """Close to least squares with the covariate (ANCOVA); the variance falls by the squared correlation (Deng)."""
        rng = np.random.default_rng(3)
        before, arm = rng.gamma(2, size=2000), np.tile([0, 1], 1000)
        now = before + rng.normal(size=2000) + 0.2 * arm
        effect = cuped(now, before, arm)
        fit = OLS(now, np.column_stack([np.ones(2000), arm, before])).fit(cov_type="HC1")
        assert effect.estimate == pytest.approx(fit.params[1], abs=0.002)
        np.testing.assert_allclose([effect.low, effect.high], fit.conf_int()[1], atol=0.003)
        assert effect.variance_removed == pytest.approx(np.corrcoef(now, before)[0, 1] ** 2, abs=0.01)
        assert effect.grade == "A"

    def test_a_past_that_never_varied_changes_nothing(self):
        """With nothing to adjust by, it is the plain difference."""
        y, arm = [5, 6, 7, 3, 4, 4], [1, 1, 1, 0, 0, 0]
        plain, adjusted = randomised_difference(y, arm), cuped(y, [2] * 6, arm)
        assert (adjusted.estimate, adjusted.low) == (pytest.approx(plain.estimate), pytest.approx(plain.low))
        assert (adjusted.variance_removed, adjusted.grade) == (pytest.approx(0), "A")

    def test_arms_that_differed_before(self):
        """Treated people who were already ahead were not drawn by lot."""
        rng = np.random.default_rng(0)
        arm = np.tile([0, 1], 100)
        before = rng.normal(size=200) + arm
        effect = cuped(before + rng.normal(size=200), before, arm)
        assert (effect.grade, effect.problem) == (None, "the arms differed before the start, so they do not compare")

    def test_clusters(self):
        """Adjusted rows of one person are still one person."""
        rng = np.random.default_rng(0)
        person, arm = rng.normal(size=60), np.tile([0, 1], 30)
        rows = [np.repeat(column, 5) for column in (person + rng.normal(size=60), person, arm, np.arange(60))]
        effect = cuped(*rows[:3], cluster=rows[3])
        assert (effect.n_treated, effect.n_control) == (30, 30)
        assert 0.2 < effect.variance_removed < 0.8

    def test_too_few(self):
        """One unit per arm stays unknown."""
        assert cuped([1, 2], [1, 2], [1, 0]).grade is None


class TestSequential:
    """An interval for those who look every day."""

    def test_margin_by_hand(self):
        """At n = planned: s = n r solves s = log((s + 1) / alpha^2), so the half width is sigma sqrt((s + 1) / n)."""
        y, t = np.tile([0.0, 2.0, 1.0, 3.0], 250), np.tile([0, 0, 1, 1], 250)
        effect = sequential_difference(y, t, planned_units=1000)
        s = 0.0
        for _ in range(200):
            s = np.log((s + 1) / 0.05**2)
        sigma = np.sqrt(1000 * 2 * np.var([0.0, 2.0] * 250, ddof=1) / 500)
        assert effect.high - effect.estimate == pytest.approx(sigma * np.sqrt((s + 1) / 1000))
        assert effect.estimate == 1

    def test_narrowest_where_planned(self):
        """Planning for as many units as there are gives the narrowest interval."""
        y, t = np.random.default_rng(0).normal(size=1000), np.tile([0, 1], 500)
        widths = [np.diff([(e := sequential_difference(y, t, planned_units=n)).low, e.high]) for n in (300, 1000, 4000)]
        assert widths[1] < min(widths[0], widths[2])
        plain = randomised_difference(y, t)
        assert 1.2 < widths[1] / (plain.high - plain.low) < 2

    def test_looking_every_day(self):
        """Over 30 looks the plain interval excludes a true 0 in many of 200 null experiments, this one in under 5 %."""
        ours = plain = 0
        for seed in range(200):
            rng = np.random.default_rng(seed)
            y, t = rng.exponential(size=3000), rng.permutation(np.tile([0, 1], 1500))
            looks = np.arange(300, 3001, 90)
            sums = [[np.cumsum(np.where(t == arm, y**k, 0))[looks - 1] for k in (0, 1, 2)] for arm in (0, 1)]
            error = np.sqrt(sum((s2 / n - (s1 / n) ** 2) / n for n, s1, s2 in sums))
            z = np.abs(sums[1][1] / sums[1][0] - sums[0][1] / sums[0][0]) / error
            plain += (z > 1.96).any()
            worst = looks[np.argmax(z)]
            ours += sequential_difference(y[:worst], t[:worst], planned_units=3000).excludes_zero
        assert plain > 30
        assert ours <= 10

    def test_too_early(self):
        """Before 100 units per arm there is no look, and a plan of no units is an error."""
        effect = sequential_difference(np.arange(198.0), np.tile([0, 1], 99), planned_units=1000)
        assert effect.problem == "99 treated and 99 control units, expected at least 100 of each"
        with pytest.raises(ValueError, match="planned_units is 0, expected at least 1"):
            sequential_difference(np.arange(400.0), np.tile([0, 1], 200), planned_units=0)


class TestBeforeAfter:
    """Grade C."""

    def test_paired_t_test(self):
        """Two periods of the same people: the paired t test, and grade C."""
        rng = np.random.default_rng(0)
        change = rng.normal(1, 1, size=30)
        person = rng.normal(size=30)
        y, who, when = long(np.column_stack([person, person + change]))
        effect = before_after(y, who, when, start=1)
        half_width = student.ppf(0.975, 29) * change.std(ddof=1) / np.sqrt(30)
        assert effect.estimate == pytest.approx(change.mean())
        assert effect.high - effect.estimate == pytest.approx(half_width, rel=1e-6)
        assert (effect.grade, effect.n_treated, effect.n_control) == ("C", 30, 30)

    def test_too_few(self):
        """Four people are too few, and nobody before the start is none."""
        y, who, when = long(np.zeros((4, 2)))
        assert before_after(y, who, when, start=1).problem == "4 after and 4 before units, expected at least 5 of each"
        assert before_after(y, who, when, start=0).problem == "4 after and 0 before units, expected at least 5 of each"


class TestDifferenceInDifferences:
    """Two groups, one start."""

    @staticmethod
    def stores(before, after):
        """New Jersey's and Pennsylvania's stores with the given changes: outcome, store, wave, treated."""
        y, store, wave = long(np.vstack([np.column_stack(pair) for pair in zip(before, after, strict=True)]))
        return y, store, wave, store < len(before[0])

    def test_published_table(self):
        """Card & Krueger (1994), table 3, rows 1 and 2: 20.44 to 21.03 against 23.33 to 21.17: +2.76 unrounded."""
        rng = np.random.default_rng(0)
        means = ((331, 20.44, 21.03), (79, 23.33, 21.17))
        before = [exactly(rng, n, [mean], [[80.0]])[:, 0] for n, mean, _ in means]
        after = [exactly(rng, n, [mean], [[80.0]])[:, 0] for n, _, mean in means]
        effect = difference_in_differences(*self.stores(before, after), start=1)
        assert effect.estimate == pytest.approx((21.03 - 20.44) - (21.17 - 23.33))
        assert (effect.n_treated, effect.n_control, effect.grade) == (331, 79, "C")
        assert effect.problem == "there is too little before the start to check that the groups moved in parallel"

    def test_published_error(self):
        """The same, row 4, stores seen twice: 0.47 (0.48) less -2.28 (1.25) is 2.75 with a standard error of 1.34."""
        rng = np.random.default_rng(0)
        groups = ((309, 0.47, 0.48), (75, -2.28, 1.25))
        before = [rng.normal(20, 9, size=n) for n, _, _ in groups]
        change = [exactly(rng, n, [mean], [[n * error**2]])[:, 0] for n, mean, error in groups]
        after = [a + b for a, b in zip(before, change, strict=True)]
        effect = difference_in_differences(*self.stores(before, after), start=1)
        assert effect.estimate == pytest.approx(2.75)
        assert (effect.high - effect.low) / 2 / student.ppf(0.975, 383) == pytest.approx(1.34, abs=0.01)

    @staticmethod
    def panel(seed=0, drift=0.0, effect=2.0, units=40):
        """Eight months of two groups, treated from month 5 on: outcome, unit, month, treated."""
        y, unit, month = long(np.random.default_rng(seed).normal(size=(units, 8)))
        treated = unit < units // 2
        return y + 0.5 * month + treated * (3 + drift * month + effect * (month >= 5)), unit, month, treated

    def test_levels_and_common_trends_cancel(self):
        """Groups may differ by 3 and all may rise by 0.5 a month: the estimate is 2 plus that of the noise."""
        y, unit, month, treated = self.panel()
        effect = difference_in_differences(y, unit, month, treated, start=5)
        noise = y - 0.5 * month - treated * (3 + 2 * (month >= 5))
        bare = difference_in_differences(noise, unit, month, treated, start=5)
        assert effect.estimate == pytest.approx(2 + bare.estimate)
        assert (effect.grade, effect.problem) == ("B", "")

    def test_second_formula(self):
        """In a balanced panel it is the plain difference of mean changes, and errors are nearly those of its t test."""
        y, unit, month, treated = self.panel(1)
        wide = y.reshape(40, 8)
        change = wide[:, 5:].mean(axis=1) - wide[:, :5].mean(axis=1)
        effect = difference_in_differences(y, unit, month, treated, start=5)
        plain = randomised_difference(change, np.arange(40) < 20)
        assert effect.estimate == pytest.approx(plain.estimate)
        np.testing.assert_allclose([effect.low, effect.high], [plain.low, plain.high], atol=0.03)

    def test_groups_that_drift_apart_have_no_grade(self):
        """A group that already gained 0.4 a month is refused, although its interval excludes 0."""
        effect = difference_in_differences(*self.panel(drift=0.4, effect=0), start=5)
        assert effect.excludes_zero
        assert effect.grade is None
        assert effect.problem.startswith("the groups did not move in parallel before the start (p = ")
        assert effect.check_p < 0.05

    def test_errors_by_what_was_decided(self):
        """With whole teams treated, errors by team are wider than by person when teammates move together."""
        y, unit, month, treated = self.panel()
        team = unit // 2
        shock = np.random.default_rng(5).normal(size=(20, 2))[team, (month >= 5) * 1]
        by_unit, by_team = (
            difference_in_differences(y + shock, unit, month, treated, start=5, cluster=by) for by in (None, team)
        )
        assert by_team.estimate == by_unit.estimate
        assert by_team.high - by_team.low > 1.2 * (by_unit.high - by_unit.low)

    def test_designs_without_two_sides(self):
        """Nothing before, nothing after, and too few clusters are told apart."""
        y, unit, month, treated = self.panel(units=8)
        assert difference_in_differences(y, unit, month, treated, start=0).problem == "no rows before the start at 0"
        assert difference_in_differences(y, unit, month, treated, start=8).problem == "no rows from the start at 8"
        few = difference_in_differences(y, unit, month, treated, start=5)
        assert few.problem == "4 treated and 4 control clusters, expected at least 5 of each"

    def test_a_unit_on_both_sides(self):
        """A unit that changes group is a staggered roll-out, not this."""
        y, unit, month, _ = self.panel()
        with pytest.raises(ValueError, match="20 units stand on both sides of the comparison"):
            difference_in_differences(y, unit, month, (month >= 5) & (unit < 20), start=5)

    def test_more_earlier_periods_than_clusters(self):
        """Thirty months before and twelve units are a check all the same: parallel ones pass, a drift does not."""
        y, unit, month = long(np.random.default_rng(0).normal(size=(12, 33)))
        effect = difference_in_differences(y, unit, month, unit < 6, start=30)
        assert (effect.grade, effect.check_p > 0.05) == ("B", True)
        drifting = difference_in_differences(y + 0.1 * month * (unit < 6), unit, month, unit < 6, start=30)
        assert (drifting.grade, drifting.check_p < 0.05) == (None, True)


class TestStaggered:
    """Cohorts, each against those not treated yet."""

    def test_published_minimum_wages(self):
        """R's did 2.x, aggte(type = "simple", control_group = "notyettreated") on mpdta: -0.039764, error 0.01205.

        Its error also counts the shares of cohorts as drawn, so ours is a little smaller.
        """
        effect = staggered_rollout(*minimum_wages())
        assert effect.estimate == pytest.approx(-0.0397636256, abs=2e-7)
        assert (effect.high - effect.low) / 2 / 1.96 == pytest.approx(0.01205, rel=0.02)
        assert (effect.n_treated, effect.n_control, effect.grade) == (191, 480, "B")

    def test_published_cohort(self):
        """The cohort of 2004 alone against never treated ones: mean of the four published ATTs -0.0105 to -0.1008."""
        y, county, year, first = minimum_wages()
        keep = np.isnan(first) | (first == 2004)
        effect = staggered_rollout(y[keep], county[keep], year[keep], first[keep])
        assert effect.estimate == pytest.approx((-0.0105032 - 0.0704232 - 0.1372587 - 0.1008114) / 4, abs=2e-7)
        assert (effect.grade, effect.n_control) == ("C", 309)  # 2003 is the only year before

    def test_one_cohort_is_difference_in_differences(self):
        """With one start, and the month before as the base, both estimators agree on the last month's change."""
        y, unit, month = long(np.random.default_rng(0).normal(size=(30, 2)))
        first = np.where(unit < 15, 1.0, np.nan)
        ours = staggered_rollout(y, unit, month, first)
        theirs = difference_in_differences(y, unit, month, unit < 15, start=1)
        np.testing.assert_allclose(
            [ours.estimate, ours.low, ours.high], [theirs.estimate, theirs.low, theirs.high], rtol=0.02
        )

    def test_error_is_that_of_resampling_units(self):
        """A bootstrap of whole units within cohorts (n - 1 of n, Rao & Wu 1988) has the same standard error."""
        rng = np.random.default_rng(0)
        y, unit, month = long(np.cumsum(rng.normal(size=(60, 6)), axis=1))
        first = np.repeat([2.0, 4.0, np.nan], 20)
        effect = staggered_rollout(y, unit, month, first[unit], level=0.95)
        draws = []
        for _ in range(400):
            picked = np.concatenate([rng.choice(np.arange(k, k + 20), 19) for k in (0, 20, 40)])
            again, who, when = long(y.reshape(60, 6)[picked])
            draws.append(staggered_rollout(again, who, when, first[picked][who]).estimate)
        assert np.std(draws) == pytest.approx((effect.high - effect.low) / 2 / 2.0, rel=0.12)

    def test_growing_effects_keep_their_sign(self):
        """Effects that grow by 1 a month: the average is theirs, where one treatment dummy gets less than half."""
        y, unit, month = long(np.zeros((30, 10)))
        first = np.repeat([2.0, 6.0], 15)[unit]
        since = np.maximum(month - first + 1, 0)
        noise = np.random.default_rng(0).normal(0, 1e-3, size=y.size)
        effect = staggered_rollout(since + noise, unit, month, first)
        assert effect.estimate == pytest.approx((1 + 2 + 3 + 4) / 4, abs=0.01)  # months 2 to 5 have a comparison
        dummies = [unit == k for k in range(30)] + [month == k for k in range(1, 10)] + [since > 0]
        assert OLS(since, np.column_stack(dummies).astype(float)).fit().params[-1] < 0.5 * effect.estimate

    def test_units_without_a_before_are_left_out(self):
        """Units treated from the first month on are no comparison and no estimate."""
        y, county, year, first = minimum_wages()
        early = np.where(county < 20, 2003.0, first)  # the cohort of 2004
        without = county >= 20
        effect = staggered_rollout(y, county, year, early)
        assert effect == staggered_rollout(y[without], county[without], year[without], first[without])

    def test_drift_before_the_start_has_no_grade(self):
        """Cohorts that rose before they were treated are refused."""
        y, unit, month = long(np.random.default_rng(0).normal(0, 0.3, size=(60, 8)))
        first = np.repeat([4.0, 6.0, np.nan], 20)[unit]
        effect = staggered_rollout(y + month * np.isfinite(first), unit, month, first)
        assert effect.grade is None
        assert "did not move in parallel before the start" in effect.problem

    @pytest.mark.parametrize(
        ("first", "problem"),
        [
            ([np.nan] * 12, "no cohort was treated after the first period while others were not treated yet"),
            ([2] * 12, "no cohort was treated after the first period while others were not treated yet"),
            ([9] * 12, "no cohort was treated after the first period while others were not treated yet"),
            ([2] + [3] * 5 + [np.nan] * 6, "cohort 2 has one cluster, whose spread is unknown"),
            ([0] * 4 + [2] * 4 + [np.nan] * 4, "8 clusters, expected at least 10"),
        ],
    )
    def test_rollouts_without_a_comparison(self, first, problem):
        """Nobody treated, all at once, after the data, one of a kind, too few: each is told."""
        y, unit, month = long(np.random.default_rng(0).normal(size=(12, 5)))
        effect = staggered_rollout(y, unit, month, np.array(first, dtype=float)[unit])
        assert effect.problem.startswith(problem)
        assert effect.grade is None

    def test_gaps_and_mixed_teams_are_errors(self):
        """A missing month and a team treated twice are told, not averaged over."""
        y, unit, month = long(np.random.default_rng(0).normal(size=(12, 5)))
        first = np.where(unit < 6, 2.0, np.nan)
        with pytest.raises(ValueError, match="59 rows for 12 units and 5 periods, expected one row for each"):
            staggered_rollout(y[1:], unit[1:], month[1:], first[1:])
        with pytest.raises(ValueError, match="1 clusters stand on both sides"):
            staggered_rollout(y, unit, month, first, cluster=(unit + 1) // 4)

    def test_no_rows(self):
        """An empty panel is an answer, not a crash."""
        assert staggered_rollout([], [], [], []).problem == "no rows"
        assert difference_in_differences([], [], [], [], start=1).problem == "no rows before the start at 1"

    def test_clusters_widen(self):
        """Units copied four times, clustered by their original, say no more than the originals."""
        y, unit, month = long(np.cumsum(np.random.default_rng(0).normal(size=(30, 6)), axis=1))
        first = np.repeat([2.0, 4.0, np.nan], 10)
        alone = staggered_rollout(y, unit, month, first[unit])
        copies, who, when = long(np.repeat(y.reshape(30, 6), 4, axis=0))
        clustered_ = staggered_rollout(copies, who, when, first[who // 4], cluster=who // 4)
        np.testing.assert_allclose([alone.low, alone.high], [clustered_.low, clustered_.high])


def coin(rng, n):
    """Half ones, half zeros in random order."""
    return rng.permutation(np.repeat([0, 1], n // 2))


def trial(rng, effect, level):
    """A skewed outcome of 400 units."""
    arm = coin(rng, 400)
    return randomised_difference(rng.exponential(size=400) + effect * arm, arm, level=level)


def teams(rng, effect, level):
    """Forty teams of ten."""
    arm, team = coin(rng, 40), np.repeat(np.arange(40), 10)
    y = rng.normal(size=40)[team] + rng.normal(size=400) + effect * arm[team]
    return randomised_difference(y, arm[team], cluster=team, level=level)


def adjusted(rng, effect, level):
    """A past that explains two thirds."""
    arm, before = coin(rng, 400), rng.gamma(2, size=400)
    return cuped(before + rng.normal(size=400) + effect * arm, before, arm, level=level)


def always(rng, effect, level):
    """The sequential interval at one look."""
    arm = coin(rng, 400)
    return sequential_difference(rng.exponential(size=400) + effect * arm, arm, planned_units=400, level=level)


def walks(rng, units, periods):
    """Outcomes with a level per unit, a common trend, and shocks that linger."""
    lasting = 0.3 * np.cumsum(rng.normal(size=(units, periods)), axis=1)
    return rng.normal(size=(units, 1)) + 0.5 * np.arange(periods) + lasting + rng.normal(size=(units, periods))


def two_groups(rng, effect, level):
    """Forty units over eight months, half of them treated from month 5."""
    arm = coin(rng, 40)
    y, unit, month = long(walks(rng, 40, 8) + effect * arm[:, None] * (np.arange(8) >= 5))
    return difference_in_differences(y, unit, month, arm[unit], start=5, level=level)


def cohorts(rng, effect, level):
    """Sixty units, three cohorts and one never treated."""
    first = rng.permutation(np.repeat([3, 5, 6, np.nan], 15))
    y, unit, month = long(walks(rng, 60, 8) + effect * (np.arange(8) >= first[:, None]))
    return staggered_rollout(y, unit, month, first[unit], level=level)


def same_people(rng, effect, level):
    """Forty people before and after, without a trend of their own."""
    y, unit, month = long(rng.normal(size=(40, 1)) + rng.normal(size=(40, 6)) + effect * (np.arange(6) >= 3))
    return before_after(y, unit, month, start=3, level=level)


DESIGNS = [trial, teams, adjusted, always, two_groups, cohorts, same_people]


@pytest.mark.parametrize("design", DESIGNS)
def test_intervals_cover_a_planted_effect(design):
    """With an effect of 0.7 planted, 90 % intervals cover it in at least 85 of the seeds 0 to 99."""
    found = [design(np.random.default_rng(seed), 0.7, 0.90) for seed in range(100)]
    assert sum(effect.low <= 0.7 <= effect.high for effect in found) >= 85


@pytest.mark.parametrize("design", DESIGNS)
def test_nothing_is_not_called_an_effect(design):
    """Without an effect, at least 95 % of the seeds 0 to 399 have a 95 % interval around 0 or no grade."""
    found = [design(np.random.default_rng(seed), 0.0, 0.95) for seed in range(400)]
    called = sum(effect.excludes_zero and effect.grade is not None for effect in found)
    assert called <= 20
    assert sum(effect.grade is None for effect in found) <= 0.1 * 400
