"""The evidence grade of a line: decided by what its data are, never by who wrote the line.

A randomised, B difference in differences or staggered roll-out, C before and after, D self-report, E assumption.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from pipeline.catalog.benefits import Benefit
from pipeline.roi import records as r
from pipeline.roi.grades import GradeShare
from pipeline.roi.inputs import Measured
from pipeline.roi.records import Claim
from pipeline.roi.words import shown

GRADES = ("A", "B", "C", "D", "E")
_BY_DESIGN = {"before_after": "C", "self_report": "D", "assumption": "E"}
_EXPERIMENTAL = ("randomised", "staggered", "did")


@dataclass(frozen=True)
class Evidence:
    """The grade of a line, how it may count, why, and the effect that was measured."""

    grade: str
    status: str
    reason: str
    measured: Measured | None = None


def evidence_of(line: Benefit, effects: Sequence[Measured]) -> Evidence:
    """What the data allow to say about a line.

    A design that names an experiment has the grade its data earn; without such data, or with a broken split or trends
    that were apart before, the line is an assumption (E). An effect whose interval includes zero is no benefit.
    """
    held = line.evidence
    if held is None:
        return Evidence("E", r.STATED, "no evidence is declared")
    if held.design not in _EXPERIMENTAL:
        grade = _BY_DESIGN[held.design]
        return Evidence(grade, _status_of(grade), held.says)
    found = [one for one in effects if (one.experiment, one.metric) == (held.experiment, held.metric)]
    if not found:
        return Evidence("E", r.STATED, f"no data of {held.experiment} on {held.metric}")
    return _judged(line, _as_gain(found[0], held.better))


def _judged(line: Benefit, effect: Measured) -> Evidence:
    """What an effect, a gain above zero, allows to say about its line."""
    if effect.problem or effect.estimate is None:
        return Evidence("E", r.STATED, f"{effect.experiment}: {effect.problem or 'no estimate'}", effect)
    if effect.low is None or effect.high is None or effect.low <= 0 <= effect.high:
        told = f"{shown(effect.estimate)} ({shown(effect.low)} to {shown(effect.high)}){_unit(line)} includes 0"
        return Evidence(effect.grade, r.NO_EFFECT, f"{effect.experiment}: {told}", effect)
    if effect.high < 0 and all(factor.effect is None for factor in line.factors):
        told = f"it got worse, by {shown(-effect.estimate)}{_unit(line)}"
        return Evidence(effect.grade, r.NO_EFFECT, f"{effect.experiment}: {told}", effect)
    return Evidence(effect.grade, _status_of(effect.grade), f"{effect.experiment}: {effect.method}", effect)


def _as_gain(effect: Measured, better: str) -> Measured:
    """The effect with a gain above zero: of a metric of which less is better, the signs are turned."""
    if better == "more" or effect.estimate is None:
        return effect
    low, high = (None if end is None else -end for end in (effect.high, effect.low))
    return replace(effect, estimate=-effect.estimate, low=low, high=high)


def _unit(line: Benefit) -> str:
    """The unit of the effect among the factors of a line; empty when the effect is none of them."""
    return next((f" {factor.unit}" for factor in line.factors if factor.effect is not None), "")


def _status_of(grade: str) -> str:
    return {"A": r.COUNTED, "B": r.COUNTED, "C": r.HALVED}.get(grade, r.STATED)


def grade_shares(claims: Sequence[Claim]) -> tuple[GradeShare, ...]:
    """One row per grade, of some claims."""
    return tuple(_share([one for one in claims if one.grade == grade], grade) for grade in GRADES)


def _share(claims: Sequence[Claim], grade: str) -> GradeShare:
    held = [one for one in claims if one.status != r.REFUSED]
    claimed, counted = _amount(held), sum((one.counted for one in held), Decimal("0.00"))
    uncounted = _amount(one for one in held if not one.is_in_headline)
    felt = _amount(one for one in held if one.is_perception)
    return GradeShare(grade, claimed, counted, claimed - counted - uncounted, uncounted, felt)


def _amount(claims: Iterable[Claim]) -> Decimal:
    """The full amounts of those that can be told."""
    return sum((one.amount for one in claims if one.amount is not None), Decimal("0.00"))
