"""`python -m bench.proof`: do the intervals keep their promise? Planted effects of many organisations.

Each study of the sample is drawn anew under each seed, written into an empty warehouse as its exports say it, and
measured as the nightly run does (`pipeline.roi.effects`). Its true effect must lie within the 90 % interval in at least
85 of 100 organisations. The same study with the effect taken out must not be called a benefit (95 % interval, checks of
the design, `pipeline.roi.evidence`) in at least 95 of 100. Before and after is measured by `causal.before_after`: the
pipeline takes such figures from KPIs and estimates nothing.

The roll-out in waves has a check of its own, that the waves moved in parallel before: with 20, 30 and 60 teams it must
refuse at most 10 of 100 organisations whose waves did, and more than half of those in which all teams that begin drift
apart by `DRIFT` from those that do not.

At a true coverage of 90 % a study misses the first bar by chance under 4 of 100 sets of a hundred seeds; `chance` says
how often intervals that keep their promise would do no better than those counted. Rates are told per 100 seeds with
their 95 % interval (Wilson), for any number of seeds; these are always 0 to N - 1, so that none can be chosen.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated

import duckdb
import typer

from pipeline.catalog.benefits import Benefit
from pipeline.roi import records as r
from pipeline.roi.effects import LEVEL, Asked, measured
from pipeline.roi.evidence import evidence_of
from pipeline.roi.inputs import Measured
from pipeline.sample import studies
from pipeline.sample.chance import Chance
from pipeline.sample.clock import Span, span_of
from pipeline.statistics.causal import before_after
from pipeline.statistics.intervals import wilson
from pipeline.warehouse.connection import create_schemas

PROMISED = 0.9
BAR_HELD, BAR_QUIET = 0.85, 0.95
BAR_PASSED, BAR_CAUGHT = 0.1, 0.5
TEAMS = (20, 30, 60)
DRIFT = -6.0
"""Minutes a month by which teams that begin drift: over four months it makes up the effect that is planted."""
USUAL_PEOPLE = 200
"""The people of an organisation whose studies have the planned number of units."""
_TABLES = {
    "experiments": ("exp_id", "name", "use_case", "design", "treated", "control", "allocation", "starts_on", "ends_on"),
    "assignments": ("exp_id", "unit_id", "variant", "assigned_at", "exposed_at"),
    "outcomes": ("exp_id", "unit_id", "metric", "pre_value", "value", "measured_on"),
    "outcome_panel": ("exp_id", "unit_id", "metric", "period", "value", "measured_on"),
}


@dataclass(frozen=True)
class Tally:
    """How often a study's interval held its effect, and how often nothing was called nothing."""

    plan: studies.Plan
    seeds: int
    held: int
    quiet: int
    ungraded: int

    @property
    def is_met(self) -> bool:
        """Whether both bars are met."""
        return self.held >= BAR_HELD * self.seeds and self.quiet >= BAR_QUIET * self.seeds

    @property
    def chance(self) -> float:
        """Probability of at most this many holding when each does so with the promised probability."""
        from scipy.stats import binom

        return float(binom.cdf(self.held, self.seeds, PROMISED))


@dataclass(frozen=True)
class Refusals:
    """How often a roll-out in waves is refused, its waves being parallel and drifting apart."""

    teams: int
    seeds: int
    parallel: int
    drifting: int

    @property
    def is_met(self) -> bool:
        """Whether both bars are met."""
        return self.parallel <= BAR_PASSED * self.seeds and self.drifting > BAR_CAUGHT * self.seeds


def refusals(plan: studies.Plan, seeds: Sequence[int], span: Span, *, teams: int) -> Refusals:
    """The check of the waves over many organisations."""
    found = {0.0: 0, DRIFT: 0}
    with _warehouse() as con:
        for seed in seeds:
            for drift in found:
                one = _drifting(_drawn(plan, seed, span, teams / plan.units), drift)
                measured_ = _found(con, one, span, level=LEVEL)
                found[drift] += measured_ is None or not measured_.grade
    return Refusals(teams, len(seeds), *found.values())


def _drifting(one: studies.Study, drift: float) -> studies.Study:
    """The study with so many minutes more every month for each team that begins."""
    return replace(one, subjects=tuple(_drifted(subject, drift) for subject in one.subjects))


def _drifted(subject: studies.Subject, drift: float) -> studies.Subject:
    told = enumerate(subject.by_month.items())
    moved = {month: minutes + round(100 * drift * place * subject.is_treated) for place, (month, minutes) in told}
    return replace(subject, by_month=moved)


def _warehouse() -> duckdb.DuckDBPyConnection:
    """An empty warehouse in memory."""
    con = duckdb.connect()
    con.execute("SET TimeZone='UTC'; SET threads=1")
    create_schemas(con)
    return con


def tally(plan: studies.Plan, seeds: Sequence[int], span: Span, *, load: float) -> Tally:
    """One study over many organisations."""
    held = quiet = ungraded = 0
    empty = replace(plan, effect=0.0)
    with _warehouse() as con:
        for seed in seeds:
            found = _found(con, _drawn(plan, seed, span, load), span, level=PROMISED)
            held += found is not None and _holds(found, plan.effect)
            ungraded += found is None or not found.grade
            quiet += not _is_benefit(empty, _found(con, _drawn(empty, seed, span, load), span, level=LEVEL))
    return Tally(plan, len(seeds), held, quiet, ungraded)


def _drawn(plan: studies.Plan, seed: int, span: Span, load: float) -> studies.Study:
    return studies.study(Chance(seed, f"study/{plan.experiment}"), plan, span, load=load)


def _found(con: duckdb.DuckDBPyConnection, one: studies.Study, span: Span, *, level: float) -> Measured | None:
    """What is measured of one organisation's study."""
    _load(con, one, span)
    if one.plan.design == "before_after":
        return _before_after(con, one.plan, level)
    return measured(con, Asked(one.plan.experiment, one.plan.metric), as_of=span.last, level=level)


def _load(con: duckdb.DuckDBPyConnection, one: studies.Study, span: Span) -> None:
    """The rows of the study's exports as the tables of the warehouse hold them."""
    rows = (
        [studies.study_row(one, span)], list(studies.assignment_rows(one)),
        list(studies.outcome_rows(one, span)), list(studies.panel_rows(one, span)),
    )  # fmt: skip
    for (table, columns), held in zip(_TABLES.items(), rows, strict=True):
        con.execute(f"DELETE FROM core.{table}")
        if held:
            known = {row[0] for row in con.execute(f"DESCRIBE core.{table}").fetchall()}
            kept = [(place, name) for place, name in enumerate(columns) if name in known]
            names, values = ", ".join(name for _, name in kept), ", ".join("nullif(unnest(?), '')" for _ in kept)
            lists = [[row[place] for row in held] for place, _ in kept]
            con.execute(f"INSERT INTO core.{table} ({names}) SELECT {values}", lists)


def _before_after(con: duckdb.DuckDBPyConnection, plan: studies.Plan, level: float) -> Measured:
    """The mean change of everybody as a measured effect."""
    found = con.execute("SELECT unit_id, pre_value::DOUBLE, value::DOUBLE FROM core.outcomes ORDER BY 1").fetchall()
    minutes = [one for row in found for one in row[1:]]
    effect = before_after(minutes, [k // 2 for k in range(len(minutes))], [0, 1] * len(found), start=1, level=level)
    ends = [Decimal(str(end)) for end in (effect.estimate, effect.low, effect.high)]
    return Measured(plan.experiment, plan.metric, *ends, effect.grade or "", effect.method, len(found), effect.problem)


def _holds(found: Measured, effect: float) -> bool:
    return found.low is not None and found.high is not None and float(found.low) <= effect <= float(found.high)


def _is_benefit(plan: studies.Plan, found: Measured | None) -> bool:
    """Whether a line that rests on the study would count."""
    if found is None or plan.design == "before_after":
        return found is not None and found.high is not None and found.high < 0
    return evidence_of(_line(plan), [found]).status in (r.COUNTED, r.HALVED)


def _line(plan: studies.Plan) -> Benefit:
    evidence = {"design": plan.design, "experiment": plan.experiment, "metric": plan.metric, "better": "less",
                "says": plan.name}  # fmt: skip
    factors = [{"assumption": "units", "unit": "task/month"}, {"assumption": "value", "unit": "USD/task"}]
    shares = {name: name for name in ("attribution", "realisation", "risk")}
    return Benefit.model_validate({
        "name": plan.name, "owner": "head", "use_cases": [plan.use_case], "ledger": "capacity", "claims": "task",
        "factors": factors, "evidence": evidence, **shares,
    })  # fmt: skip


def per_hundred(count: int, seeds: int) -> str:
    """A rate per 100 seeds with its 95 % interval (Wilson 1927).

    >>> per_hundred(83, 100)
    '83.0 (74.5 to 89.1)'
    """
    low, high = wilson(count, seeds)
    return f"{100 * count / seeds:.1f} ({100 * float(low):.1f} to {100 * float(high):.1f})"


def table(found: Sequence[Tally], people: int) -> Iterator[str]:
    """The outcome as lines of text."""
    yield f"{found[0].seeds} organisations of {people} people each, seeds 0 to {found[0].seeds - 1}, per 100 seeds"
    yield f"{'study':<18}{'design':<14}{'effect':>6}  {'in 90 %':>20}{'chance':>7}  {'null quiet':>20}{'refused':>9}"
    for one in found:
        plan, refused = one.plan, f"{100 * one.ungraded / one.seeds:.1f}"
        held, quiet = (per_hundred(count, one.seeds) for count in (one.held, one.quiet))
        told = f"{plan.experiment:<18}{plan.design:<14}{plan.effect:>6g}  {held:>20}{one.chance:>7.3f}  {quiet:>20}"
        yield f"{told}{refused:>9}  {'met' if one.is_met else 'MISSED'}"
    yield f"bars: {BAR_HELD:.0%} within the 90 % interval, {BAR_QUIET:.0%} of the nulls not called a benefit"


def check_table(found: Sequence[Refusals]) -> Iterator[str]:
    """The outcome of the check of parallel waves as lines of text."""
    yield f"{'waves of teams':<18}{'refused: parallel':>22}{f'drift {DRIFT:g} min/month':>24}"
    for one in found:
        parallel, drifting = (per_hundred(count, one.seeds) for count in (one.parallel, one.drifting))
        yield f"{one.teams:<18}{parallel:>22}{drifting:>24}  {'met' if one.is_met else 'MISSED'}"
    yield f"bars: at most {BAR_PASSED:.0%} of the parallel ones refused, more than {BAR_CAUGHT:.0%} of those that drift"


def proof(
    *,
    seeds: Annotated[int, typer.Option(min=1, help="Organisations, from seed 0 on.")] = 100,
    people: Annotated[int, typer.Option(min=20, help="People of each; 200 have the studies as planned.")] = 100,
) -> None:
    """Hold the intervals of every planted study to their promise; exit 1 when a bar is missed."""
    started, span = time.monotonic(), span_of(13)
    found = [tally(plan, range(seeds), span, load=people / USUAL_PEOPLE) for plan in studies.PLANS]
    (waves,) = [plan for plan in studies.PLANS if plan.is_staggered]
    checked = [refusals(waves, range(seeds), span, teams=teams) for teams in TEAMS]
    for line in (*table(found, people), *check_table(checked)):
        typer.echo(line)
    typer.echo(f"took {time.monotonic() - started:.0f} s")
    raise typer.Exit(0 if all(one.is_met for one in (*found, *checked)) else 1)


if __name__ == "__main__":
    typer.run(proof)
