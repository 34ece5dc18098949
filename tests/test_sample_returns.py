"""The sample's costs, budgets, rates, assumptions and studies: their truth is read back from the exports."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.roi.assumptions import problems, standing
from pipeline.roi.inputs import Assumption
from pipeline.sample import write_sample
from pipeline.sample.clock import span_of
from pipeline.sample.studies import PLANS, Plan, Study, studies
from pipeline.tables import load_tables

SPAN = span_of(13)
SEEDS = range(400)
Z_90 = 1.6448536269514722
"""0.95 quantile of the standard normal distribution."""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred people from October 2025 to October 2026."""
    out = tmp_path_factory.mktemp("returns")
    write_sample(out, people=100, months=13, seed=5)
    return out


def rows(sample: Path, pattern: str) -> list[dict[str, str]]:
    """Rows of all CSV files of a kind."""
    found: list[dict[str, str]] = []
    for path in sorted(sample.glob(pattern)):
        with path.open(encoding="utf-8", newline="") as stream:
            found.extend(csv.DictReader(stream))
    return found


def truth(sample: Path) -> dict[str, Any]:
    """What was planted."""
    found: dict[str, Any] = json.loads((sample / "truth.json").read_text(encoding="utf-8"))
    return found


def changes(study: Study, *, is_treated: bool) -> np.ndarray[Any, Any]:
    """After less before of each unit of one group, in minutes."""
    return np.array([(one.after - one.before) / 100 for one in study.subjects if one.is_treated == is_treated])


def difference(study: Study) -> tuple[float, float]:
    """Difference of the mean changes of two groups and its standard error (Welch)."""
    with_it, without = changes(study, is_treated=True), changes(study, is_treated=False)
    error = np.sqrt(with_it.var(ddof=1) / with_it.size + without.var(ddof=1) / without.size)
    return float(with_it.mean() - without.mean()), float(error)


def before_after(study: Study) -> tuple[float, float]:
    """Mean change of everybody and its standard error."""
    change = changes(study, is_treated=True)
    return float(change.mean()), float(change.std(ddof=1) / np.sqrt(change.size))


def within(study: Study) -> tuple[float, float]:
    """Effect of having begun, unit and month held fixed, and its standard error by unit.

    The balanced panel is freed of unit and month means on both sides; what is left is one regression.
    """
    months = sorted(study.subjects[0].by_month)
    minutes = np.array([[one.by_month[month] / 100 for month in months] for one in study.subjects])
    starts = [None if one.exposed_ms is None else date(1970, 1, 1) + timedelta(milliseconds=one.exposed_ms)
              for one in study.subjects]  # fmt: skip
    has_begun = np.array([[float(start is not None and start <= month) for month in months] for start in starts])
    y, d = (x - x.mean(axis=0) - x.mean(axis=1, keepdims=True) + x.mean() for x in (minutes, has_begun))
    effect = float((d * y).sum() / (d * d).sum())
    scores = (d * (y - effect * d)).sum(axis=1)
    return effect, float(np.sqrt((scores**2).sum()) / (d * d).sum())


ESTIMATORS: dict[str, Callable[[Study], tuple[float, float]]] = {
    "randomised": difference, "did": difference, "staggered": within, "before_after": before_after,
}  # fmt: skip


@pytest.fixture(scope="module")
def by_seed() -> dict[str, list[Study]]:
    """The studies of four hundred organisations, by id."""
    found = defaultdict(list)
    for seed in SEEDS:
        for study in studies(seed, SPAN):
            found[study.plan.experiment].append(study)
    return found


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.experiment)
def test_the_planted_effect_is_what_an_honest_estimate_finds(plan: Plan, by_seed: dict[str, list[Study]]) -> None:
    """The 90 % interval of the estimator of its design holds the effect in 85 to 95 % of the organisations.

    Chance alone moves the share of 400 by sqrt(0.9 × 0.1 / 400) = 1.5 %, so that 5 % are more than three of its
    standard errors; of 100 it would be 3 %. The mean of all estimates is off by no more than four standard errors.
    """
    found = [ESTIMATORS[plan.design](study) for study in by_seed[plan.experiment]]
    hits = sum(abs(estimate - plan.effect) <= Z_90 * error for estimate, error in found)
    assert 0.85 <= hits / len(SEEDS) <= 0.95
    estimates = np.array([estimate for estimate, _ in found])
    assert abs(estimates.mean() - plan.effect) < 4 * estimates.std(ddof=1) / np.sqrt(estimates.size)


def test_groups_as_they_were_cannot_be_compared_afterwards_alone(by_seed: dict[str, list[Study]]) -> None:
    """The group with the change was slower by 20 % of 24 = 4.8 minutes from the start: -3 looks like +1.8."""
    (plan,) = [one for one in PLANS if one.design == "did"]
    apart = []
    for study in by_seed[plan.experiment]:
        groups = [[one.after / 100 for one in study.subjects if one.is_treated == side] for side in (True, False)]
        apart.append(np.mean(groups[0]) - np.mean(groups[1]))
    assert np.mean(apart) == pytest.approx(plan.effect + 0.2 * plan.level, abs=0.3)


def test_before_and_after_takes_the_drift_for_an_effect(by_seed: dict[str, list[Study]]) -> None:
    """In the study by lot with a drift of +6 the treated changed by -54 + 6 = -48 minutes."""
    found = [before_after(study)[0] for study in by_seed["roi-clause-check"]]
    assert np.mean(found) == pytest.approx(-54 + 6, abs=2.4)


def test_each_use_case_of_interest_has_one_design() -> None:
    """By lot with and without an effect, as they were, in waves, and all at once."""
    planted = {one.use_case: (one.design, bool(one.effect)) for one in PLANS}
    assert planted == {
        "customer_support": ("randomised", True),
        "contract_review": ("randomised", True),
        "knowledge_search": ("randomised", False),
        "meeting_notes": ("did", True),
        "code_assistant": ("staggered", True),
        "drafting": ("before_after", True),
    }


def test_the_exports_of_the_studies_say_what_was_measured(sample: Path) -> None:
    """Register, assignments, outcomes and panel agree with the truth, unit by unit, and name no true effect."""
    told = {one["experiment"]: one for one in truth(sample)["roi"]["effects"] if one["experiment"].startswith("roi-")}
    register = {row["experiment"]: row for row in rows(sample, "ab/experiments-studies-*.csv")}
    assert set(register) == set(told) == {plan.experiment for plan in PLANS}
    drawn = Counter(row["experiment"] for row in rows(sample, "ab/assignments-studies-*.csv"))
    assert drawn == {name: one["units"] for name, one in told.items()}
    paired = Counter(row["experiment"] for row in rows(sample, "ab/outcomes-studies-*.csv"))
    assert paired == {name: one["units"] for name, one in told.items() if one["design"] != "staggered"}
    panel = Counter(row["unit"] for row in rows(sample, "ab/outcome-panel-*.csv"))
    assert len(panel) == told["roi-code-waves"]["units"] and set(panel.values()) == {13}
    waves = Counter(row["exposed_at"][:10] for row in rows(sample, "ab/assignments-studies-*.csv")
                    if row["experiment"] == "roi-code-waves")  # fmt: skip
    assert sorted(waves) == ["", "2026-01-01", "2026-03-01", "2026-05-01", "2026-07-01"]


def test_a_study_of_minutes_is_no_experiment_with_margin(sample: Path) -> None:
    """None of them has an outcome in money, so the uplift of conversion stays as it was."""
    assert {row["metric"] for row in rows(sample, "ab/outcomes-studies-*.csv")} == {
        "handle_minutes",
        "minutes_per_task",
    }


def test_minutes_saved_per_verified_task_have_the_true_mean(sample: Path) -> None:
    """Within four standard errors in each use case; a task that midnight cut short adds a little, hence 0.2 minutes."""
    saved = defaultdict(list)
    for row in rows(sample, "tasks/tasks-*.csv"):
        if (
            (row["outcome"], row["outcome_source"]) == ("success", "verified")
            and row["baseline_minutes"]
            and row["ended_at"]
        ):
            took = datetime.fromisoformat(row["ended_at"]) - datetime.fromisoformat(row["started_at"])
            saved[row["use_case"]].append(float(row["baseline_minutes"]) - took / timedelta(minutes=1))
    expected = truth(sample)["roi"]["minutes_saved_per_verified_task"]
    # 11 minutes less the drawn share 0.2 + 0.27125 + 0.19875 = 0.67 of them, and 0.5 in a fifth of the tasks
    assert expected["customer_support"] == pytest.approx(11 * (1 - 0.67) + 0.1)
    for name, mean in expected.items():
        values = np.array(saved[name])
        assert values.size > 30, name
        assert abs(values.mean() - mean) < 4 * values.std(ddof=1) / np.sqrt(values.size) + 0.2, name


def test_costs_add_up_to_the_cent(sample: Path) -> None:
    """By category and currency; what falls due after the data is committed and apart."""
    planted, last = truth(sample)["roi"], "2026-10-31"
    for name, is_wanted in (("costs", lambda day: day <= last), ("committed", lambda day: day > last)):
        sums: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for row in rows(sample, "finance/initiative-costs-*.csv"):
            if is_wanted(row["date"]):
                sums[row["category"]][row["currency"]] += Decimal(row["amount"])
        found = {category: {key: f"{total:.2f}" for key, total in held.items()} for category, held in sums.items()}
        assert found == planted[name]


def test_costs_are_of_every_category_in_two_currencies_with_a_credit(sample: Path) -> None:
    """Every value of the declared category is there, so that none is forgotten by those who read them."""
    posted = rows(sample, "finance/initiative-costs-*.csv")
    assert {row["category"] for row in posted} == set(load_tables()["initiative_costs"].column("category").values)
    assert {row["currency"] for row in posted} == {"USD", "EUR"}
    assert [row["category"] for row in posted if row["amount"].startswith("-")] == ["licence"]
    assert len({row["cost_id"] for row in posted}) == len(posted)


def test_what_is_built_is_paid_before_it_goes_live(sample: Path) -> None:
    """Three parts each, the first three months ahead of the first day in production."""
    live: dict[str, str] = {}
    for row in rows(sample, "portfolio/use-cases-*.csv"):
        if row["stage"] == "production":
            live.setdefault(row["use_case"], row["valid_from"])
    built = defaultdict(list)
    for row in rows(sample, "finance/initiative-costs-*.csv"):
        if row["category"] == "build":
            built[row["use_case"]].append(row["date"])
    assert set(built) == set(live)
    for name, days in built.items():
        first = date.fromisoformat(live[name])
        assert days == [str(first - timedelta(days=before)) for before in (90, 60, 30)], name


def test_a_rate_is_told_on_working_days_and_reaches_every_posting(sample: Path) -> None:
    """No Saturday and no Sunday, none missing between, and for each amount in euro one of the week before."""
    told = [date.fromisoformat(row["date"]) for row in rows(sample, "finance/fx-rates-*.csv")]
    assert {day.weekday() for day in told} == set(range(5))
    assert {(b - a).days for a, b in pairwise(told)} == {1, 3}
    days = {date.fromisoformat(row["date"]) for row in rows(sample, "finance/initiative-costs-*.csv")
            if row["currency"] == "EUR" and row["date"] <= "2026-10-31"}  # fmt: skip
    assert any(day.weekday() > 4 for day in days)
    assert all(any(day - timedelta(days=k) in told for k in range(3)) for day in days)


def test_budgets_are_told_for_every_month_and_initiative(sample: Path) -> None:
    """Five use cases and the programme in each of thirteen months, which add up to the truth."""
    sheet = rows(sample, "finance/budgets-*.csv")
    assert len({(row["period"], row["initiative"]) for row in sheet}) == len(sheet) == 13 * 6
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in sheet:
        sums[row["initiative"]] += Decimal(row["approved_amount"])
    assert {name: f"{total:.2f}" for name, total in sums.items()} == {
        name: next(iter(held.values())) for name, held in truth(sample)["roi"]["budgets"].items()
    }


def assumptions(sample: Path) -> list[Assumption]:
    """The register as it was exported."""

    def day(text: str) -> date | None:
        return date.fromisoformat(text) if text else None

    return [
        Assumption(
            row["assumption"], row["use_case"], date.fromisoformat(row["valid_from"]), day(row["valid_to"]),
            Decimal(row["low"]), Decimal(row["base"]), Decimal(row["high"]), row["unit"], row["distribution"],
            row["evidence_grade"], row["source"], row["owner"], row["approved_by"], day(row["approved_on"]),
        )
        for row in rows(sample, "finance/assumptions-*.csv")
    ]  # fmt: skip


def test_assumptions_stand_as_was_planted(sample: Path) -> None:
    """One expired, one unapproved, one superseded, one to come; the check finds the first two and nothing else."""
    planted, register = truth(sample)["roi"]["assumptions"], assumptions(sample)
    last = date.fromisoformat(planted["as_of"])
    found = defaultdict(list)
    for row in register:
        found[standing(row, last, register)].append(row.assumption_id)
    in_force = found.pop("in force")
    assert found == {name: planted[name] for name in ("expired", "unapproved", "superseded", "not yet valid")}
    assert len(in_force) == planted["rows"] - 4
    assert {(one.code, one.message.split()[0]) for one in problems(register, last)} == {
        ("R001", "risk.drafting"),
        ("R002", "attribution.knowledge_search"),
    }


def test_every_use_case_in_daily_use_has_its_assumptions(sample: Path) -> None:
    """Rate, attribution, risk and minutes of review; the house rule of realisation is 0, a quarter, a half."""
    held = {row.assumption_id: row for row in assumptions(sample)}
    for name in ("customer_support", "knowledge_search", "contract_review", "code_assistant", "drafting"):
        for kind in ("loaded_rate", "attribution", "risk", "review_minutes"):
            assert held[f"{kind}.{name}"].use_case == name
            assert kind in held, "the others have the figure of the programme"
    realisation = held["realisation"]
    assert (realisation.low, realisation.base, realisation.high) == (0, Decimal("0.25"), Decimal("0.5"))


def test_contacts_claimed_twice_are_those_deflected(sample: Path) -> None:
    """Month by month the numerator and denominator of the right deflection rate."""
    document = truth(sample)
    right = {
        one["period_start"][:7]: {"eligible": int(one["denominator"]), "claimed_twice": int(one["numerator"])}
        for one in document["values"]
        if (one["kpi_id"], one["grain"], one["dimension"]) == ("deflection_rate", "month", "")
    }
    assert document["roi"]["overlap"]["months"] == right
    assert document["roi"]["overlap"]["use_case"] == "customer_support"


def test_another_month_more_leaves_the_studies_of_a_seed_their_units() -> None:
    """Each study has a chance of its own: in a longer span its units are as fast before anything changed."""
    short, long = (studies(7, span_of(months)) for months in (12, 13))
    for one, other in zip(short, long, strict=True):
        if not one.plan.is_staggered:
            assert [x.before for x in one.subjects] == [x.before for x in other.subjects]


@pytest.mark.parametrize("months", [1, 2, 24])
def test_a_sample_of_any_length_has_them(tmp_path: Path, months: int) -> None:
    """A month alone is enough for every export to have rows, and no study ends after the data."""
    write_sample(tmp_path, people=20, months=months, seed=1)
    for name in ("assumptions", "initiative-costs", "budgets", "fx-rates"):
        assert rows(tmp_path, f"finance/{name}-*.csv"), name
    for row in rows(tmp_path, "ab/experiments-studies-*.csv"):
        assert row["starts_on"] <= row["ends_on"] <= "2026-10-31"
