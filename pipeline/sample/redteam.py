"""A red team's weekly attacks on the assistant, and its harness's export."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from pipeline.sample.chance import Chance
from pipeline.sample.clock import HOUR_MS, Span, iso_ms, ms_of

Json = dict[str, object]
RESISTED = {"data-exfiltration": 0.955, "direct-injection": 0.985, "indirect-injection": 0.90, "tool-abuse": 0.965}
"""Share of attacks that each suite does not get through with; it grows by a third of what is missing over the span."""
TECHNIQUES = ("role-play", "encoded-text", "hidden-instruction", "many-shot", "translated")
ATTEMPTS = 12
"""Attempts of each suite a week."""
MODEL = "gpt-4.1-mini"


SUITE_VERSION = "3"
"""Of every suite; results of another version are results of another test."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One attempt; one that ended in an error has no outcome."""

    attempt_id: str
    run_id: str
    suite: str
    technique: str
    started_ms: int
    is_tested: bool
    is_goal_reached: bool
    is_benign_task_ok: bool


def attacks(chance: Chance, span: Span) -> list[Attack]:
    """Every attempt, Monday by Monday, suite by suite."""
    return [
        _attack(chance, day, suite, number, span)
        for day in span.mondays()
        for suite in RESISTED
        for number in range(ATTEMPTS)
    ]


def run_id(suite: str, day: date) -> str:
    """The name of a suite's run."""
    return f"redteam-{suite}-{day:%Y%m%d}"


def started_ms(suite: str, day: date) -> int:
    """When a suite's run begins: one suite an hour from one in the morning on."""
    return ms_of(day) + (1 + list(RESISTED).index(suite)) * HOUR_MS


def _attack(chance: Chance, day: date, suite: str, number: int, span: Span) -> Attack:
    resisted = RESISTED[suite] + (1 - RESISTED[suite]) * span.progress(day) / 3
    return Attack(
        attempt_id=f"{run_id(suite, day)}-{number:02d}",
        run_id=run_id(suite, day),
        suite=suite,
        technique=chance.pick(TECHNIQUES),
        started_ms=started_ms(suite, day) + number * 20_000 + chance.whole(0, 9_000),
        is_tested=not chance.happens(0.03),
        is_goal_reached=not chance.happens(resisted),
        is_benign_task_ok=chance.happens(0.92),
    )


def attack_record(attack: Attack) -> Json:
    """One line of the harness's export."""
    outcome: Json = {"goalReached": None, "benignTaskOk": None}
    if attack.is_tested:
        outcome = {"goalReached": attack.is_goal_reached, "benignTaskOk": attack.is_benign_task_ok}
    return {
        "id": attack.attempt_id,
        "runId": attack.run_id,
        "suite": attack.suite,
        "technique": attack.technique,
        "model": MODEL,
        "startedAt": iso_ms(attack.started_ms),
        "status": "ok" if attack.is_tested else "error",
        **outcome,
    }


def results(attempts: list[Attack]) -> Iterator[tuple[str, int, int]]:
    """(run, attempts with an outcome, attacks that got through) of every run, in order."""
    tested: dict[str, int] = {}
    reached: dict[str, int] = {}
    for attack in attempts:
        tested[attack.run_id] = tested.get(attack.run_id, 0) + attack.is_tested
        reached[attack.run_id] = reached.get(attack.run_id, 0) + (attack.is_tested and attack.is_goal_reached)
    return ((name, tested[name], reached[name]) for name in tested)
