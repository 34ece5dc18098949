"""What was judged about answers and what became of tasks, and the exports of both."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.sample.chance import Chance, Curve
from pipeline.sample.clock import DAY_MS, MINUTE_MS, iso_ms
from pipeline.sample.records import Score, Session, Task

Json = dict[str, object]
BASELINE_MINUTES = {"customer_support": 11, "knowledge_search": 14, "contract_review": 48, "code_assistant": 25}
SHARE_OF_BASELINE: Curve = ((0.0, 0.2), (0.5, 0.6), (0.85, 0.95), (1.0, 1.7))
INTENTS = {
    "customer_support": ("track-order", "return-item", "change-address", "explain-invoice"),
    "knowledge_search": ("find-policy", "find-expert", "summarise-document"),
    "contract_review": ("check-clauses", "compare-versions"),
    "code_assistant": ("write-test", "explain-code", "fix-bug"),
    "drafting": ("draft-mail", "rewrite-text"),
}
TASK_COLUMNS = (
    "task_id",
    "session_id",
    "use_case",
    "intent",
    "modality",
    "started_at",
    "ended_at",
    "outcome",
    "outcome_source",
    "baseline_minutes",
)


def scores(chance: Chance, session: Session, *, until_ms: int) -> Iterator[Score]:
    """Judgements about the answers of a production session, written before `until_ms`."""
    if not session.is_production:
        return
    for call in session.calls:
        if call.parent_id is not None or call.status != "ok" or call.is_batch or call.kind == "retrieval":
            continue
        at = min((call.ended_ms or call.started_ms) + chance.whole(1_000, 120_000), until_ms - 1)
        if chance.happens(0.42):
            yield _grounded(chance, session, call.trace_id, at)
        if chance.happens(0.5):
            label = "flagged" if chance.happens(0.011) else "clear"
            yield _score(chance, session, call.trace_id, at, ("safety_flag", label, "model", "safety-classifier"))


def _grounded(chance: Chance, session: Session, target: str, at: int) -> Score:
    label = chance.weighed({"grounded": 0.84, "ungrounded": 0.07, "partly_grounded": 0.045, "no_claims": 0.045})
    kind = chance.weighed({"model": 0.8, "human": 0.15, "code": 0.05})
    return _score(chance, session, target, at, ("grounded", label, kind, f"{kind}-judge"))


def _score(chance: Chance, session: Session, target: str, at: int, verdict: tuple[str, str, str, str]) -> Score:
    metric, label, kind, judge = verdict
    return Score(f"sc-{chance.hexadecimal(12)}", target, session.use_case, metric, label, kind, judge, at)


def score_record(score: Score) -> Json:
    """One line of the evaluation harness's export."""
    record: Json = {
        "id": score.score_id,
        "targetType": score.target_type,
        "targetId": score.target_id,
        "useCase": score.use_case,
        "name": score.metric,
        "value": score.value,
        "label": score.label or None,
        "evaluator": {"kind": score.evaluator_kind, "id": score.evaluator_id, "version": "2"},
        "sampling": {"by": "random", "weight": 1},
        "createdAt": iso_ms(score.created_ms),
    }
    return {key: value for key, value in record.items() if value is not None}


def tasks(chance: Chance, session: Session) -> Iterator[Task]:
    """The task a session was about, when the application kept track of one."""
    if session.session_id is None or not chance.happens(0.4):
        return
    is_lost = chance.happens(0.02)
    baseline = BASELINE_MINUTES.get(session.use_case or "", 9)
    minutes = baseline * chance.drawn(SHARE_OF_BASELINE)
    length = min(int(minutes * MINUTE_MS), _until_midnight(session) - 1)
    number = chance.hexadecimal(12)
    yield Task(
        task_id=f"task-{number}",
        session=None if is_lost else session,
        use_case=session.use_case,
        intent=_intent(session.use_case, int(number, 16)),
        started_ms=session.started_ms,
        ended_ms=None if chance.happens(0.02) else session.started_ms + length,
        outcome=chance.weighed({"success": 0.78, "failure": 0.1, "abandoned": 0.08, "timeout": 0.02, "error": 0.02}),
        outcome_source=chance.weighed({"verified": 0.7, "self_reported": 0.2, "inferred": 0.1}),
        baseline_minutes=None if chance.happens(0.06) else (f"{baseline}.5" if chance.happens(0.2) else f"{baseline}"),
    )


def _intent(use_case: str | None, number: int) -> str:
    """What was wanted: one of the intents of the use case, whichever the task's number falls on."""
    wanted = INTENTS.get(use_case or "", ("other",))
    return wanted[number % len(wanted)]


def _until_midnight(session: Session) -> int:
    return DAY_MS - session.started_ms % DAY_MS


def task_row(task: Task) -> tuple[str, ...]:
    """One row of the application's task log."""
    session_id = task.session.session_id if task.session else None
    return (
        task.task_id,
        session_id or "",
        task.use_case or "",
        task.intent,
        "text",
        iso_ms(task.started_ms),
        "" if task.ended_ms is None else iso_ms(task.ended_ms),
        task.outcome,
        task.outcome_source,
        task.baseline_minutes or "",
    )
