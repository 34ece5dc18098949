"""The proof itself: it counts what it says it counts, and a broken promise is found."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date
from math import comb
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import proof  # noqa: E402 - beside `pipeline`, but not installed
from pipeline.sample import studies  # noqa: E402
from pipeline.sample.clock import span_of  # noqa: E402

SPAN = span_of(13)
PLANS = {plan.experiment: plan for plan in studies.PLANS}
ASSIST, WAVES = PLANS["roi-agent-assist"], PLANS["roi-code-waves"]


@pytest.mark.parametrize("plan", studies.PLANS, ids=lambda plan: plan.experiment)
def test_a_kept_promise_is_counted(plan: studies.Plan) -> None:
    """Of 6 organisations at least 3 hold the effect (fewer have a chance of 0.1 %), and as many nulls are quiet."""
    found = proof.tally(plan, range(6), SPAN, load=0.5)
    assert (found.seeds, found.held >= 3, found.quiet >= 5) == (6, True, True)


def test_an_effect_that_is_not_there_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """When 5 minutes are drawn where -1.4 are claimed, no interval holds them and every null is called a benefit."""
    drawn = studies.study

    def lying(chance: Any, plan: studies.Plan, *rest: Any, **options: Any) -> studies.Study:
        return replace(drawn(chance, replace(plan, effect=-5.0), *rest, **options), plan=plan)

    monkeypatch.setattr(studies, "study", lying)
    found = proof.tally(ASSIST, range(4), SPAN, load=0.5)
    assert (found.held, found.quiet, found.ungraded, found.is_met) == (0, 0, 0, False)


def test_bars_and_chance_by_hand() -> None:
    """85 and 95 of 100 just meet the bars; at most 1 of 3 hold with 0.1^3 + 3 × 0.9 × 0.1^2 = 2.8 %."""
    just = proof.Tally(ASSIST, 100, held=85, quiet=95, ungraded=0)
    assert just.is_met
    assert not replace(just, held=84).is_met
    assert not replace(just, quiet=94).is_met
    assert proof.Tally(ASSIST, 3, 1, 3, 0).chance == pytest.approx(0.1**3 + comb(3, 1) * 0.9 * 0.1**2)


def test_rates_are_per_hundred_seeds_with_wilson() -> None:
    """83 of 100 and 830 of 1000 are 83.0; Wilson (1927): (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)."""
    for seeds in (100, 1000):
        p, z = 0.83, 1.959964
        half = z * (p * (1 - p) / seeds + z**2 / (4 * seeds**2)) ** 0.5
        low, high = ((p + z**2 / (2 * seeds) + sign * half) / (1 + z**2 / seeds) for sign in (-1, 1))
        assert proof.per_hundred(83 * seeds // 100, seeds) == f"83.0 ({100 * low:.1f} to {100 * high:.1f})"


def test_teams_that_drift_are_refused_more_often() -> None:
    """Of 8 organisations of 60 teams most that drift by a minute a month, and at most 2 that do not."""
    found = proof.refusals(WAVES, range(8), SPAN, teams=60)
    assert (found.parallel <= 2, found.drifting >= 6) == (True, True)
    assert proof.Refusals(60, 100, parallel=10, drifting=51).is_met
    assert not proof.Refusals(60, 100, parallel=11, drifting=100).is_met
    assert not proof.Refusals(60, 100, parallel=5, drifting=50).is_met


def test_a_drift_is_of_those_that_begin() -> None:
    """-1 minute a month from the second on: -100 hundredths each, and nothing for who never begins."""
    months = {date(2026, month, 1): 2500 for month in (1, 2, 3)}
    teams = tuple(studies.Subject(name, name == "a", None, by_month=months) for name in "ab")
    drifting = proof._drifting(studies.Study(WAVES, date(2026, 1, 1), date(2026, 3, 31), teams), -1.0)
    assert [list(one.by_month.values()) for one in drifting.subjects] == [[2500, 2400, 2300], [2500, 2500, 2500]]


def test_a_missed_bar_is_told_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command prints a line per study and number of teams, marks what missed, and exits 1."""
    monkeypatch.setattr(proof, "tally", lambda plan, seeds, span, load: proof.Tally(plan, len(seeds), 1, 2, 0))
    monkeypatch.setattr(proof, "refusals", lambda plan, seeds, span, teams: proof.Refusals(teams, len(seeds), 0, 2))
    app = typer.Typer()
    app.command()(proof.proof)
    done = CliRunner().invoke(app, ["--seeds", "2", "--people", "40"])
    lines = done.stdout.splitlines()
    assert done.exit_code == 1
    assert lines[0] == "2 organisations of 40 people each, seeds 0 to 1, per 100 seeds"
    assert [line.endswith("MISSED") for line in lines[2:8]] == [True] * 6
    assert [line.split()[0] for line in lines if line.endswith("met")] == ["20", "30", "60"]
