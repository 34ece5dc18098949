"""Runs of the evaluation harness: of use cases with their prompt and model, of the retriever, of red-team suites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from pipeline.sample import redteam, retrieval
from pipeline.sample.chance import Chance
from pipeline.sample.clock import DAY_MS, HOUR_MS, MINUTE_MS, Span, iso_ms, ms_of
from pipeline.sample.portfolio import UseCase

Json = dict[str, object]
SUITE = "answer-quality"
VALID_DAYS = 90
RESISTANCE_NEEDED = 0.9
"""Share of a red-team suite's attempts that must be resisted for its run to pass."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run; `is_passed` is None when it did not complete."""

    run_id: str
    use_case: str
    suite: str
    suite_version: str
    started_ms: int
    is_passed: bool | None
    prompt: str | None = None
    version: int | None = None
    model: str | None = None
    expires_ms: int | None = None

    @property
    def setup(self) -> tuple[str, str | None, int | None, str | None]:
        """What was tested."""
        return self.use_case, self.prompt, self.version, self.model


def runs(chance: Chance, cases: list[UseCase], attempts: list[redteam.Attack], span: Span) -> list[Run]:
    """Every run, in the order of beginning."""
    found = [*_of_setups(chance, cases, span), *_of_retriever(span), *_of_red_team(attempts, span)]
    return sorted(found, key=lambda run: (run.started_ms, run.run_id))


def _of_setups(chance: Chance, cases: list[UseCase], span: Span) -> Iterator[Run]:
    """Runs of what is in production, from when it went live until something else took its place."""
    live = [case for case in cases if case.stage == "production"]
    for _, spell in groupby(live, key=lambda case: case.setup):
        states = list(spell)
        begin, end = max(span.start, states[0].valid_from), min(span.end, states[-1].valid_to or span.end)
        if begin < end and chance.happens(0.88):
            yield from _until_replaced(chance, states[0], begin + timedelta(days=chance.whole(0, 12)), end)


def _until_replaced(chance: Chance, case: UseCase, day: date, end: date) -> Iterator[Run]:
    """A run, and the next: soon after one that failed, and about when the result expires after one that passed."""
    number = 1
    while day < end:
        is_passed = None if chance.happens(0.04) else chance.happens(0.86)
        started = ms_of(day) + chance.whole(8 * 60, 17 * 60) * MINUTE_MS
        yield Run(
            f"ev-{case.use_case_id}-{case.version}-{case.model}-{number}",
            case.use_case_id,
            SUITE,
            "2026-a",
            started,
            is_passed,
            case.prompt,
            case.version,
            case.model,
            started + VALID_DAYS * DAY_MS,
        )
        number += 1
        day += timedelta(days=chance.whole(78, 104) if is_passed else chance.whole(3, 16))


def _of_retriever(span: Span) -> Iterator[Run]:
    for day in span.mondays():
        started = ms_of(day) + 5 * HOUR_MS
        yield Run(retrieval.run_id(day), "knowledge_search", retrieval.SUITE, retrieval.JUDGEMENTS, started, True)


def _of_red_team(attempts: list[redteam.Attack], span: Span) -> Iterator[Run]:
    """A run passes when enough of its attempts were resisted."""
    told = {name: (tested, reached) for name, tested, reached in redteam.results(attempts)}
    for day in span.mondays():
        for suite in redteam.RESISTED:
            tested, reached = told[redteam.run_id(suite, day)]
            is_passed = tested - reached >= RESISTANCE_NEEDED * tested if tested else None
            started = redteam.started_ms(suite, day)
            yield Run(
                redteam.run_id(suite, day),
                "customer_support",
                suite,
                redteam.SUITE_VERSION,
                started,
                is_passed,
                model=redteam.MODEL,
            )


def run_record(run: Run) -> Json:
    """One line of the harness's export."""
    record: Json = {
        "runId": run.run_id,
        "useCase": run.use_case,
        "suite": run.suite,
        "suiteVersion": run.suite_version,
        "split": "test",
        "prompt": None if run.prompt is None else {"name": run.prompt, "version": run.version},
        "model": run.model,
        "startedAt": iso_ms(run.started_ms),
        "finishedAt": iso_ms(run.started_ms + 9 * MINUTE_MS),
        "status": "error" if run.is_passed is None else "completed",
        "passed": run.is_passed,
        "expiresAt": None if run.expires_ms is None else iso_ms(run.expires_ms),
    }
    return {key: value for key, value in record.items() if value is not None}
