"""The right answer to each KPI over given rows: one function per KPI, in exact arithmetic until the last step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pipeline.sample import calibration, counted
from pipeline.sample.prices import usd


@dataclass(frozen=True)
class Right:
    """A right answer; `reason` says why there is none."""

    value: float | None
    n: int
    numerator: str | None = None
    denominator: str | None = None
    reason: str = ""
    more: dict[str, Any] = field(default_factory=dict)


def _share(numerator: int, denominator: int) -> Right:
    if denominator == 0:
        return Right(None, 0, str(numerator), "0", "nothing to divide by")
    return Right(float(Fraction(numerator, denominator)), denominator, str(numerator), str(denominator))


def adoption_rate(rows: Sequence[counted.EntitledDay]) -> Right:
    """People active on at least one day they were entitled, over people entitled on at least one day."""
    return _share(len({row.person for row in rows if row.is_active}), len({row.person for row in rows}))


def deflection_rate(rows: Sequence[counted.SupportContact]) -> Right:
    """Contacts settled without a person and for good, over all eligible contacts."""
    return _share(sum(row.is_deflected for row in rows), len(rows))


def grounded_answer_rate(rows: Sequence[counted.EvaluatedAnswer]) -> Right:
    """Wholly grounded answers over evaluated answers that make claims; what the labelled judge says is set right."""
    told = _share(sum(row.is_grounded for row in rows), sum(row.has_claims for row in rows))
    if told.value is None:
        return told
    mine = [row for row in rows if row.evaluator_kind == calibration.KIND]
    passed, judged = sum(row.is_grounded for row in mine), sum(row.has_claims for row in mine)
    right = judged * calibration.set_right(passed, judged) if judged else Fraction(0)
    return replace(told, value=float((right + int(told.numerator or 0) - passed) / told.n))


def flagged_output_rate(rows: Sequence[counted.ScreenedOutput]) -> Right:
    """Flagged outputs over screened outputs."""
    return _share(sum(row.is_flagged for row in rows), len(rows))


def token_cost_per_session(rows: Sequence[counted.SessionCost]) -> Right:
    """Dollars for all calls over sessions; calls outside any session add to the cost only."""
    cost, sessions = sum(row.pico_usd for row in rows), sum(row.sessions for row in rows)
    if sessions == 0:
        return Right(None, 0, usd(cost), "0", "nothing to divide by")
    return Right(float(Fraction(cost, sessions * 10**12)), sessions, usd(cost), str(sessions))


def mttr(rows: Sequence[counted.Outage]) -> Right:
    """Kaplan-Meier median: the first time by which half or fewer are still unresolved (Kaplan & Meier 1958)."""
    surviving, at_risk = Fraction(1), len(rows)
    ended, gone = Counter(row.hours for row in rows if row.is_over), Counter(row.hours for row in rows)
    for hours in sorted(gone):
        if ended[hours]:
            surviving *= 1 - Fraction(ended[hours], at_risk)
        if surviving <= Fraction(1, 2):
            return Right(float(hours), len(rows))
        at_risk -= gone[hours]
    reason = "fewer than half recovered" if rows else "nothing happened"
    return Right(None, len(rows), reason=reason)


def p95_latency(rows: Sequence[counted.Request]) -> Right:
    """95th percentile of the known durations, by straight lines between neighbours (Hyndman & Fan 1996, type 7)."""
    known = sorted(row.latency_us for row in rows if row.latency_us is not None)
    if not known:
        return Right(None, 0, reason="no known duration")
    place = Fraction(95, 100) * (len(known) - 1)
    low = int(place)
    high = min(low + 1, len(known) - 1)
    exact = known[low] + (known[high] - known[low]) * (place - low)
    return Right(float(exact / 10**6), len(known))


def tool_error_rate(rows: Sequence[counted.ToolCall]) -> Right:
    """Failed tool calls over tool calls."""
    return _share(sum(row.is_error for row in rows), len(rows))


def first_answers(rows: Sequence[counted.CsatAnswer]) -> list[counted.CsatAnswer]:
    """The first answer of each person in each arm; it says which channel the person belongs to."""
    first: dict[tuple[str, str], counted.CsatAnswer] = {}
    for row in rows:
        first.setdefault((row.arm, row.respondent), row)
    return list(first.values())


def csat_delta(rows: Sequence[counted.CsatAnswer]) -> Right:
    """Share of top-two answers with AI minus without, in points, the first answer of each person in each arm."""
    first = first_answers(rows)
    hits = Counter(row.arm for row in first if row.is_top2)
    asked = Counter(row.arm for row in first)
    more = {
        "treated_k": hits["ai"],
        "treated_n": asked["ai"],
        "control_k": hits["baseline"],
        "control_n": asked["baseline"],
    }
    if not asked["ai"] or not asked["baseline"]:
        return Right(None, len(first), reason="no answers in one of the arms", more=more)
    delta = Fraction(hits["ai"], asked["ai"]) - Fraction(hits["baseline"], asked["baseline"])
    return Right(float(100 * delta), len(first), more=more)


def trained_share(rows: Sequence[counted.RosterDay]) -> Right:
    """People who hold every required completion over people on the roster, on one day."""
    return _share(sum(row.is_trained for row in rows), len(rows))


def change_failure_rate(rows: Sequence[counted.Release]) -> Right:
    """Deployments that failed, were undone or caused an incident, over deployments."""
    return _share(sum(row.is_failed for row in rows), len(rows))


def availability(rows: Sequence[counted.ServedWindow]) -> Right:
    """Good requests over valid requests."""
    return _share(sum(row.good for row in rows), sum(row.valid for row in rows))


def hours_saved(rows: Sequence[counted.VerifiedTask]) -> Right:
    """Hours by which verified tasks took less than their baseline; slow tasks count against."""
    total = sum((row.hours_saved for row in rows), Decimal(0))
    if not rows:
        return Right(None, 0, reason="no verified task")
    return Right(float(total), len(rows), f"{total:f}")


def task_success_rate(rows: Sequence[counted.TriedTask]) -> Right:
    """Tasks verified as done over all tasks that were begun."""
    return _share(sum(row.is_success for row in rows), len(rows))


def cost_per_successful_task(rows: Sequence[counted.SuccessCost]) -> Right:
    """Dollars for all calls over tasks verified as done."""
    cost, successes = sum(row.pico_usd for row in rows), sum(row.successes for row in rows)
    if successes == 0:
        return Right(None, 0, usd(cost), "0", "nothing to divide by")
    return Right(float(Fraction(cost, successes * 10**12)), successes, usd(cost), str(successes))


def hallucination_report_rate(rows: Sequence[counted.ProductionSession]) -> Right:
    """Sessions with a report per thousand sessions."""
    return _per_thousand(_share(sum(row.is_reported for row in rows), len(rows)))


def safety_violation_rate(rows: Sequence[counted.AuditedSession]) -> Right:
    """Sessions with a violation per thousand sessions that were read."""
    return _per_thousand(_share(sum(row.is_violation for row in rows), len(rows)))


def _per_thousand(share: Right) -> Right:
    if share.value is None:
        return share
    return replace(share, value=float(1000 * Fraction(int(share.numerator or 0), share.n)))


def prompt_injection_resistance(rows: Sequence[counted.AttackOutcome]) -> Right:
    """Attacks resisted over attacks carried out, in the suite where that is least; suites are never pooled."""
    suites: dict[str, list[bool]] = {}
    for row in rows:
        suites.setdefault(row.suite, []).append(row.is_resisted)
    if not suites:
        return _share(0, 0)
    worst = min(suites, key=lambda suite: (Fraction(sum(suites[suite]), len(suites[suite])), suite))
    return replace(_share(sum(suites[worst]), len(suites[worst])), more={"worst": worst})


def stakeholder_satisfaction(rows: Sequence[counted.SurveyAnswer]) -> Right:
    """Mean score of the answers."""
    return _share(sum(row.score for row in rows), len(rows))


def mttd(rows: Sequence[counted.Detection]) -> Right:
    """Median minutes until an incident was noticed; of an even number the mean of the two in the middle."""
    minutes = sorted(row.minutes for row in rows)
    if not minutes:
        return Right(None, 0, reason="nothing happened")
    middle = minutes[(len(minutes) - 1) // 2] + minutes[len(minutes) // 2]
    return Right(float(middle / 2), len(minutes))


def deflection_claim_gap(rows: Sequence[counted.ClaimedContact]) -> Right:
    """Share of contacts the vendor claims less the share verified, in points."""
    claimed, deflected = sum(row.is_claimed for row in rows), sum(row.is_deflected for row in rows)
    more = {"claimed": claimed, "deflected": deflected}
    if not rows:
        return Right(None, 0, reason="nothing to divide by", more=more)
    return Right(float(100 * Fraction(claimed - deflected, len(rows))), len(rows), more=more)


def rate_limit_incidents(rows: Sequence[counted.LimitedCall]) -> Right:
    """Episodes of refusals that began; n counts the calls that were looked at."""
    begun = sum(row.is_beginning for row in rows)
    return Right(float(begun), len(rows), str(begun)) if rows else Right(None, 0, reason="no call to a provider")


def retained_usage_rate(rows: Sequence[counted.ActiveDay]) -> Right:
    """People active in two or more of the weeks over people active at all."""
    weeks: dict[str, set[int]] = {}
    for row in rows:
        weeks.setdefault(row.person, set()).add(row.week)
    return _share(sum(len(active) >= 2 for active in weeks.values()), len(weeks))


def post_training_usage_rate(rows: Sequence[counted.TrainedPerson]) -> Right:
    """People who became users over people who were trained."""
    return _share(sum(row.is_user for row in rows), len(rows))


def component_reuse_rate(rows: Sequence[counted.ComponentUse]) -> Right:
    """Components used by two or more teams over components used at all."""
    teams: dict[str, set[str]] = {}
    for row in rows:
        teams.setdefault(row.component, set()).add(row.team)
    return _share(sum(len(users) >= 2 for users in teams.values()), len(teams))


def pilot_to_production_rate(rows: Sequence[counted.PilotStart]) -> Right:
    """Use cases that got into production in time over use cases whose pilot began."""
    return _share(sum(row.has_reached for row in rows), len(rows))


def evaluation_coverage(rows: Sequence[counted.LiveUseCase]) -> Right:
    """Use cases in production with a valid evaluation of what they run with, over all in production."""
    return _share(sum(row.is_evaluated for row in rows), len(rows))


def measurement_coverage(rows: Sequence[counted.LiveUseCase]) -> Right:
    """Use cases in production that are measured, over all in production."""
    return _share(sum(row.is_measured for row in rows), len(rows))


def conversion_uplift(rows: Sequence[counted.ExposedUnit]) -> Right:
    """Mean margin of the treated over that of the control less one; experiments are never pooled."""
    ended = {row.experiment for row in rows}
    if len(ended) != 1:
        return Right(None, len(rows), reason=f"{len(ended)} experiments ended" if ended else "no experiment ended")
    treated, control = ([row.cents for row in rows if row.is_treated is arm] for arm in (True, False))
    more = {"treated_n": len(treated), "control_n": len(control)}
    if not treated or not sum(control):
        return Right(None, len(rows), reason="an arm is empty or the control earned nothing", more=more)
    uplift = Fraction(sum(treated), len(treated)) / Fraction(sum(control), len(control)) - 1
    return Right(float(uplift), len(rows), more=more)
