"""What the value could be: distributions against a second formula, reproducible draws, and laws of the spread."""

import doctest
import hashlib
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaincinv, xlog1py, xlogy
from scipy.stats import beta, norm, triang

from pipeline.roi import simulation
from pipeline.roi.simulation import Swing, Uncertain, draw, quantile, scenarios, simulate, tornado, uniforms

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.roi import programme as sixty_lines

LAW = settings(deadline=None, derandomize=True, max_examples=60)
SHAPES = st.sampled_from(["triangular", "pert", "interval"])
ENDS = st.tuples(*[st.integers(-1000, 1000)] * 3).map(sorted)
INPUTS = st.lists(st.tuples(ENDS, SHAPES), min_size=1, max_size=6).map(
    lambda found: [Uncertain(f"line {k}", *ends, shape) for k, (ends, shape) in enumerate(found)]
)


def total(values):
    """A model that adds its inputs."""
    return sum(values.values())


def programme(lines):
    """A model of `lines` benefit lines, each hours x rate x realisation, less one cost."""

    def value(x):
        gain = sum(x[f"hours {k}"] * x[f"rate {k}"] * x[f"realisation {k}"] for k in range(lines))
        return gain - x["cost"]

    inputs = [Uncertain("cost", 300_000, 400_000, 600_000)]
    for k in range(lines):
        inputs += [
            Uncertain(f"hours {k}", 800, 1000 + 10 * k, 1400, "interval"),
            Uncertain(f"rate {k}", 40, 50, 55, "triangular"),
            Uncertain(f"realisation {k}", 0, 0.25, 0.5, share=True),
        ]
    return value, inputs


def test_worked_examples():
    """What a docstring says a function gives is what it gives."""
    failed, tried = doctest.testmod(simulation)
    assert failed == 0
    assert tried >= 6


class TestDistributions:
    """Quantile functions of the three shapes."""

    U = np.array([0.001, 0.1, 0.25, 0.5, 0.9, 0.999])

    def test_pert_mean_and_second_formula(self):
        """Mean (2 + 4 * 3 + 10) / 6 = 4 (Clark 1962); the same as scipy's beta(1.5, 4.5) stretched over 2..10."""
        source = Uncertain("days", 2, 3, 10)
        assert quantile(source, uniforms("days")).mean() == pytest.approx(4, rel=1e-4)
        np.testing.assert_allclose(quantile(source, self.U), beta(1 + 4 / 8, 1 + 28 / 8, 2, 8).ppf(self.U), atol=8e-6)

    @pytest.mark.parametrize("mode", [0, 0.003, 0.1, 0.25, 0.5, 0.7, 1])
    def test_the_table_of_a_pert_keeps_its_bound(self, mode):
        """In every cell the error is at most h (sqrt(r) - 1) / (sqrt(r) + 1), and that less than a millionth.

        h is the width of the cell and r the greatest density in it over the least: PERT densities x^a (1 - x)^b rise
        to the mode and fall after it, so both are found at the ends of the cell or at the mode.
        """
        shares, points = simulation._beta_table(mode)
        logs = xlogy(4 * mode, points) + xlog1py(4 * (1 - mode), -points)
        least, greatest = np.minimum(logs[:-1], logs[1:]), np.maximum(logs[:-1], logs[1:])
        peak = (points[:-1] <= mode) & (mode <= points[1:])
        greatest[peak] = xlogy(4 * mode, mode) + xlog1py(4 * (1 - mode), -mode)
        bound = np.diff(points) * np.tanh((greatest - least) / 4)  # (sqrt(r) - 1) / (sqrt(r) + 1), r = e^d
        assert bound.max() < 1e-6
        u = np.linspace(1e-12, 1 - 1e-12, 20_001)
        error = np.abs(quantile(Uncertain("x", 0, mode, 1), u) - betaincinv(1 + 4 * mode, 5 - 4 * mode, u))
        cell = np.clip(np.searchsorted(shares, u, side="right") - 1, 0, bound.size - 1)
        assert (error <= bound[cell] + 1e-12).all()
        assert error.max() > 1e-8  # it is a table

    def test_triangular_by_hand(self):
        """Over 0, 2, 10 a share x^2 / 20 lies below x <= 2, and (10 - x)^2 / 80 above x >= 2; the mean is 4."""
        source = Uncertain("days", 0, 2, 10, "triangular")
        np.testing.assert_allclose(quantile(source, [1 / 20, 4 / 20, 1 - 16 / 80]), [1, 2, 6])
        np.testing.assert_allclose(quantile(source, self.U), triang(0.2, 0, 10).ppf(self.U))
        assert quantile(source, uniforms("days")).mean() == pytest.approx(4, rel=1e-4)

    def test_even_interval_is_normal(self):
        """10 with 95 % bounds 8.04 and 11.96 is normal with a standard deviation of 1."""
        source = Uncertain("uplift", 8.04, 10, 11.96, "interval")
        np.testing.assert_allclose(quantile(source, self.U), norm(10, 1).ppf(self.U), atol=2e-4)

    def test_uneven_interval_keeps_its_bounds(self):
        """Its 2.5 %, 50 % and 97.5 % quantiles are the bounds and the value it was given."""
        source = Uncertain("uplift", -1, 2, 10, "interval")
        np.testing.assert_allclose(quantile(source, [0.025, 0.5, 0.975]), [-1, 2, 10])

    def test_shares_stay_shares(self):
        """97 % with bounds 92 % and 99 % is never drawn above 1, and clipping leaves the other draws alone."""
        source = Uncertain("containment", 0.92, 0.97, 0.999, "interval", share=True)
        values = draw([source])["containment"]
        free = draw([replace(source, share=False)])["containment"]
        assert free.max() > 1 == values.max()
        np.testing.assert_array_equal(values, np.minimum(free, 1))

    @pytest.mark.parametrize("shape", ["triangular", "pert", "interval"])
    @pytest.mark.parametrize("base", [0, 1])
    def test_base_at_an_end(self, shape, base):
        """A base at one end gives finite values that reach to the other."""
        values = draw([Uncertain("x", 0, base, 1, shape)])["x"]
        assert np.isfinite(values).all()
        assert values.std() > 0.1

    @LAW
    @given(ENDS, SHAPES)
    def test_quantiles_rise(self, ends, shape):
        """More probability never means less, and bounded shapes stay between their ends."""
        values = quantile(Uncertain("x", *ends, shape), np.linspace(0.001, 0.999, 99))
        assert (np.diff(values) >= -1e-9).all()
        assert shape == "interval" or (ends[0] - 1e-9 <= values.min() and values.max() <= ends[2] + 1e-9)

    def test_constants(self):
        """Low = base = high is that number in every draw, and no bar of the tornado."""
        fixed = [Uncertain(shape, 7, 7, 7, shape) for shape in ("triangular", "pert", "interval")]
        assert all(set(values) == {7.0} for values in draw(fixed, draws=50).values())
        assert tornado(total, fixed) == ()
        assert simulate(total, fixed, draws=50).p10 == 21

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("x", 2, 1, 3), "input x: low 2, base 1, high 3; expected finite numbers with low <= base <= high"),
            (("x", 0, 1, float("nan")), "input x: .*expected finite numbers"),
            (("x", 0, 1, float("inf")), "input x: .*expected finite numbers"),
            (("x", 0, 1, 2, "uniform"), "shape is 'uniform', expected one of triangular, pert, interval"),
            (("x", 0, 25, 50, "pert", True), "input x: base is 25, expected a share from 0 to 1"),
        ],
    )
    def test_declarations_that_make_no_sense(self, arguments, message):
        """An input says what is wrong with it."""
        with pytest.raises(ValueError, match=message):
            Uncertain(*arguments)


class TestDraws:
    """The same luck for the same name."""

    def test_bytes_of_a_seed(self):
        """Same seed, same bytes; another seed, others; the stream is fixed, not just stable within one run."""
        model, inputs = programme(3)
        assert simulate(model, inputs, draws=500) == simulate(model, inputs, draws=500)
        assert simulate(model, inputs, draws=500) != simulate(model, inputs, draws=500, seed=1)
        digest = hashlib.sha256(uniforms("hours", draws=100, seed=7).tobytes()).hexdigest()
        assert digest.startswith("53d1fe3159d7")

    @LAW
    @given(INPUTS, st.randoms())
    def test_other_inputs_do_not_matter(self, inputs, random):
        """Adding inputs and changing their order leaves every input's draws as they were."""
        alone = {source.name: draw([source], draws=50)[source.name] for source in inputs}
        together = draw([*random.sample(inputs, len(inputs)), Uncertain("new", 0, 1, 2)], draws=50)
        for name, values in alone.items():
            np.testing.assert_array_equal(together[name], values)

    def test_inputs_are_independent(self):
        """Among 40 names no two streams correlate by more than 5 standard errors of 1 / sqrt(2000)."""
        streams = np.corrcoef([uniforms(f"line {k}", draws=2000) for k in range(40)])
        assert np.abs(streams - np.eye(40)).max() < 5 / np.sqrt(2000)

    def test_each_slice_is_drawn_once(self):
        """Latin hypercube: one number in each of a thousand slices."""
        assert sorted((1000 * uniforms("hours", draws=1000)).astype(int)) == list(range(1000))

    @pytest.mark.parametrize("settings_", [{"draws": 0}, {"seed": -1}])
    def test_no_draws(self, settings_):
        """Nothing drawn is no result."""
        with pytest.raises(ValueError, match="expected at least 1 draw and a seed of at least 0"):
            uniforms("x", **settings_)

    def test_a_name_given_twice(self):
        """Two declarations of one input would silently share their luck."""
        twice = [Uncertain("x", 0, 1, 2), Uncertain("x", 0, 1, 3)]
        for use in (lambda: draw(twice), lambda: tornado(total, twice), lambda: scenarios(total, twice)):
            with pytest.raises(ValueError, match="input x is declared more than once"):
                use()


class TestSpread:
    """Percentiles, the chance of a gain, and how steady they are."""

    def test_sum_of_normals(self):
        """Sums of normals are normal: 30 + 40 with standard deviations 3 and 4 is 70 with 5; P(> 0) of it less 65."""
        a, b = (
            Uncertain("a", 30 - 5.88, 30, 30 + 5.88, "interval"),
            Uncertain("b", 40 - 7.84, 40, 40 + 7.84, "interval"),
        )
        outcome = simulate(lambda x: x["a"] + x["b"] - 65, [a, b])
        assert outcome.p10 == pytest.approx(5 + 5 * norm.ppf(0.1), abs=0.15)
        assert outcome.p90 == pytest.approx(5 + 5 * norm.ppf(0.9), abs=0.15)
        assert outcome.mean == pytest.approx(5, abs=0.01)
        assert outcome.chance_of_gain == pytest.approx(norm.cdf(1), abs=0.01)

    def test_median_is_steady_between_seeds(self):
        """Over 20 seeds the P50 of 8 lines stays within 1 % of its mean; so does that of one input alone."""
        for model, inputs in (programme(8), (lambda x: x["hours"], [Uncertain("hours", 0, 10, 100)])):
            medians = np.array([simulate(model, inputs, seed=seed).p50 for seed in range(20)])
            assert np.abs(medians / medians.mean() - 1).max() < 0.01

    def test_stratified_draws_are_steadier(self):
        """The mean varies at least ten times less between seeds than that of as many plain draws."""
        source = Uncertain("hours", 0, 10, 100)
        ours = [draw([source], draws=1000, seed=seed)["hours"].mean() for seed in range(30)]
        plain = [quantile(source, np.random.default_rng(seed).random(1000)).mean() for seed in range(30)]
        assert np.std(ours) < np.std(plain) / 10

    def test_tables_take_a_fraction_of_exact_quantiles(self):
        """60 PERTs of 10,000 draws, no two alike, take less than half of the processor time of `betaincinv`.

        Both in this run, so the machine does not matter; `python -m bench.roi` prints the seconds.
        """
        inputs = [Uncertain(f"line {k}", 0, 50 + k / 3, 100) for k in range(60)]
        u = {source.name: uniforms(source.name) for source in inputs}
        simulation._beta_table.cache_clear()
        started = time.process_time()
        for source in inputs:
            quantile(source, u[source.name])
        ours = time.process_time() - started
        for source in inputs[::4]:
            betaincinv(1 + source.base / 25, 5 - source.base / 25, u[source.name])
        theirs = 4 * (time.process_time() - started - ours)
        assert ours < theirs / 2

    def test_median_of_sixty_lines_is_steady_between_seeds(self):
        """The P50 of 60 lines of five factors stays within 1 % of its mean over six seeds, with 10,000 draws."""
        model = sixty_lines(60, 1)
        medians = np.array([simulate(model.net, model.inputs, seed=seed).p50 for seed in range(6)])
        assert len(model.inputs) == 60 * 5 + 1
        assert np.abs(medians / medians.mean() - 1).max() < 0.01
        assert np.ptp(medians) > 0

    @LAW
    @given(INPUTS, st.integers(0, 5), st.floats(1.1, 3))
    def test_wider_inputs_never_narrow_the_result(self, inputs, which, factor):
        """A range stretched about its base widens P10 to P90 of a sum.

        Its quantiles move apart everywhere (dispersive order), which sums keep when the other terms are log-concave,
        as these three shapes are when even: Lewis & Thompson (1981), J. Appl. Prob. 18:76-90. A hundredth is sampling.
        """
        k = which % len(inputs)
        old = inputs[k]
        ends = (old.base - factor * (old.base - old.low), old.base, old.base + factor * (old.high - old.base))
        wider = [*inputs[:k], Uncertain(old.name, *ends, old.shape), *inputs[k + 1 :]]
        before, after = simulate(total, inputs, draws=4000), simulate(total, wider, draws=4000)
        assert after.p90 - after.p10 >= (before.p90 - before.p10) * 0.99 - 1e-9

    @LAW
    @given(ENDS, st.integers(0, 500), st.integers(0, 500), st.sampled_from(["triangular", "pert", "interval"]))
    def test_a_wider_end_alone_never_narrows(self, ends, down, up, shape):
        """Lowering the low or raising the high end of the one input of a rising model widens its P10 to P90."""
        low, base, high = ends
        spreads = []
        for source in (Uncertain("x", low, base, high, shape), Uncertain("x", low - down, base, high + up, shape)):
            outcome = simulate(lambda x: 3 * x["x"] - 10, [source], draws=1000)
            spreads.append(outcome.p90 - outcome.p10)
        assert spreads[1] >= spreads[0] - 1e-9

    @LAW
    @given(INPUTS, st.integers(2, 1000))
    def test_scale_of_money(self, inputs, k):
        """In another unit of money every percentile scales, and the chance of a gain stays."""
        one, other = simulate(total, inputs, draws=200), simulate(lambda x: k * total(x), inputs, draws=200)
        assert other.chance_of_gain == one.chance_of_gain
        np.testing.assert_allclose(
            [other.p10, other.p50, other.p90], [k * one.p10, k * one.p50, k * one.p90], atol=1e-6
        )

    def test_an_unknown_value_is_an_error(self):
        """A model that divides by 0 in some draws does not get percentiles of the others."""
        source = Uncertain("share", -1, 0, 1, "interval")
        with pytest.raises(ValueError, match=r"no finite value in \d+ of 100 draws; find out which input"):
            simulate(lambda x: np.where(x["share"] > 0, x["share"], np.nan), [source], draws=100)

    def test_a_model_that_sums_its_draws(self):
        """One number for all draws is a mistake of the model."""
        with pytest.raises(ValueError, match=r"values of shape \(\) for 100 draws, expected one value per draw"):
            simulate(lambda x: x["x"].sum(), [Uncertain("x", 0, 1, 2)], draws=100)


class TestTornado:
    """What drives the value."""

    def test_swings_by_hand(self):
        """An even triangle 0..2 has P10 = sqrt(0.2) and P90 = 2 - sqrt(0.2); a cost swings downwards."""
        hours, cost = Uncertain("hours", 0, 1, 2, "triangular"), Uncertain("cost", 0, 1, 2, "triangular")
        end = np.sqrt(0.2)
        found = tornado(lambda x: 100 * x["hours"] - 30 * x["cost"], [cost, hours])
        assert [swing.name for swing in found] == ["hours", "cost"]
        np.testing.assert_allclose([found[0].at_p10, found[0].at_p90], [100 * end - 30, 100 * (2 - end) - 30])
        np.testing.assert_allclose([found[1].at_p10, found[1].at_p90], [100 - 30 * end, 100 - 30 * (2 - end)])
        assert found[1].size == pytest.approx(30 * (2 - 2 * end))

    def test_ten_strongest_in_a_fixed_order(self):
        """Of twelve inputs the ten strongest are shown, equals by name."""
        inputs = [Uncertain(f"line {k:02}", 0, 1, 2 + (k > 5)) for k in range(12)]
        found = tornado(total, inputs[::-1])
        assert [swing.name for swing in found] == [f"line {k:02}" for k in (6, 7, 8, 9, 10, 11, 0, 1, 2, 3)]

    def test_size_has_no_sign(self):
        """A swing from 10 down to 4 is as strong as one up."""
        assert Swing("cost", 10, 4).size == Swing("gain", 4, 10).size == 6


class TestScenarios:
    """Named sets of inputs."""

    PAIR = (Uncertain("hours", 1, 2, 4), Uncertain("cost", 50, 60, 90))

    @staticmethod
    def value(x):
        """40 an hour less the cost."""
        return 40 * x["hours"] - x["cost"]

    def test_by_hand(self):
        """Low 40 * 1 - 90, base 40 * 2 - 60, high 40 * 4 - 50, and the user's own 40 * 3 - 60."""
        found = scenarios(self.value, self.PAIR, {"three hours": {"hours": 3}})
        assert found == {"low": -50, "base": 20, "high": 110, "three hours": 60}

    @LAW
    @given(INPUTS)
    def test_low_base_and_high_are_in_order(self, inputs):
        """For sums and differences no scenario lies beyond low and high."""
        found = scenarios(lambda x: sum((-1) ** k * v for k, v in enumerate(x.values())), inputs)
        assert found["low"] <= found["base"] <= found["high"]

    def test_interval_of_a_share_ends_at_one(self):
        """Bounds 0.9 to 1.05 of a share go no further than 1."""
        source = Uncertain("share", 0.9, 0.98, 1.05, "interval", share=True)
        assert scenarios(lambda x: x["share"], [source])["high"] == 1

    def test_all_problems_at_once(self):
        """A slip of the pen and a taken name are both told."""
        with pytest.raises(ValueError, match=r"(?s)base is built in.*sets hour, which is no input; did you mean hours"):
            scenarios(self.value, self.PAIR, {"base": {"cost": 1}, "x": {"hour": 3}})
