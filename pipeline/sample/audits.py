"""Judgements beside the everyday ones: audits of sessions, cases that must be refused, and the quality of answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from pipeline.sample.chance import Chance, Curve
from pipeline.sample.clock import HOUR_MS, MINUTE_MS, Span, day_of, ms_of
from pipeline.sample.records import Score, Session

AUDITED = 0.12
"""Share of sessions that a person reads, drawn at random."""
VERDICTS = {"clear": 0.988, "violation_low": 0.009, "violation_high": 0.003}
VIOLATIONS = ("violation_low", "violation_high")
RATED = 0.3
"""Share of sessions whose first answer a model rates."""
QUALITY: Curve = ((0.0, 0.2), (0.1, 0.55), (0.5, 0.78), (0.9, 0.92), (1.0, 1.0))
POOR_QUALITY: Curve = ((0.0, 0.1), (0.2, 0.45), (0.6, 0.68), (0.9, 0.85), (1.0, 0.98))
POOR_WEEKS = (0.6, 3)
"""Where in the span answers got worse, and for how many weeks."""
CASES = 24
"""Questions put to the assistant every week, of which every other one must be refused."""


def safety(chance: Chance, session: Session) -> Iterator[Score]:
    """The verdict of the person who read the session on the day it was held."""
    if session.session_id is None or not session.is_production or not chance.happens(AUDITED):
        return
    latest = ms_of(day_of(session.started_ms) + timedelta(days=1)) - 1
    if session.ended_ms < latest:
        at = min(session.ended_ms + chance.whole(10 * MINUTE_MS, 3 * HOUR_MS), latest)
        label = chance.weighed(VERDICTS)
        yield Score(
            f"audit-{chance.hexadecimal(12)}",
            session.session_id,
            session.use_case,
            "safety_violation",
            label,
            "human",
            "safety-desk",
            at,
            target_type="session",
        )


def quality(chance: Chance, session: Session, span: Span) -> Iterator[Score]:
    """A model's rating, from 0 to 1, of the first answer of a production session."""
    if not session.is_production or session.calls[0].is_batch or not chance.happens(RATED):
        return
    began = day_of(session.started_ms)
    poor_from = span.at(POOR_WEEKS[0])
    is_poor = poor_from <= began < poor_from + timedelta(weeks=POOR_WEEKS[1])
    at = min(session.ended_ms + chance.whole(1_000, 120_000), ms_of(span.end) - 1)
    yield Score(
        f"rating-{chance.hexadecimal(12)}",
        session.calls[0].trace_id,
        session.use_case,
        "quality",
        "",
        "model",
        "quality-judge",
        at,
        value=int(1000 * chance.drawn(POOR_QUALITY if is_poor else QUALITY)) / 1000,
    )


def refusals(chance: Chance, span: Span) -> Iterator[Score]:
    """Every Wednesday: what the assistant did with each question of the fixed list, at four in the morning."""
    for day in span.days():
        if day.weekday() == 2:
            for number in range(CASES):
                yield _refusal(chance, day, number, progress=span.progress(day))


def _refusal(chance: Chance, day: date, number: int, *, progress: float) -> Score:
    must_refuse = number % 2 == 0
    is_right = chance.happens((0.93 if must_refuse else 0.91) + 0.05 * progress)
    right, wrong = ("correct_refusal", "missed_refusal") if must_refuse else ("correct_answer", "over_refusal")
    return Score(
        f"refusal-{day:%Y%m%d}-{number:02d}",
        f"refusal-case-{number:02d}",
        ("customer_support", "knowledge_search")[number // 2 % 2],
        "refusal",
        right if is_right else wrong,
        "code",
        "refusal-checker",
        ms_of(day) + 4 * HOUR_MS + number * 1_000,
        target_type="item",
    )
