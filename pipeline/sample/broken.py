"""Rows for the spoilt files: good ones, which count, and bad ones with the reason they must be refused for."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from pipeline.sample import gateway, langfuse, support
from pipeline.sample.clock import HOUR_MS, MINUTE_MS, ms_of
from pipeline.sample.ground import Traffic
from pipeline.sample.prices import Tariff
from pipeline.sample.records import Answer, Call, Session, Tokens

Json = dict[str, Any]
Row = tuple[str, ...]
BROKEN_JSON = '{"id":"obs-broken","traceId":"t-broken","type":"GENERATION","startTime":'
FAR_FUTURE = "2099-01-01T00:00:00.000Z"


def csv_line(row: Sequence[str]) -> str:
    """A row as CSV, without the line end."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(row)
    return text.getvalue()


def _calls(month: date, prefix: str, count: int) -> list[Call]:
    """Answers of a model outside any session, one an hour from the third of the month on."""
    first = ms_of(month) + 2 * 24 * HOUR_MS
    return [
        Call(
            call_id=f"{prefix}-{number:02d}",
            trace_id=f"{prefix}-trace-{number:02d}",
            kind="model",
            name="answer",
            started_ms=first + number * HOUR_MS,
            ended_ms=first + number * HOUR_MS + 900 + 10 * number,
            provider="openai",
            model="gpt-4.1-mini",
            tokens=Tokens(1000 + number, out=200 + number),
        )
        for number in range(count)
    ]


def _loose(call: Call) -> Session:
    return Session(None, None, None, None, "api", "production", False, call.started_ms, (call,))


def good_observations(month: date, traffic: Traffic) -> list[Json]:
    """Twelve observations that load; they are taken into the traffic."""
    sessions = [_loose(call) for call in _calls(month, "reimport", 12)]
    for session in sessions:
        traffic.add(session)
    return [langfuse.observation(session, session.calls[0], traffic.tariff) for session in sessions]


def unseen_observations(month: date, tariff: Tariff) -> list[Json]:
    """Nine observations of a file that never became whole."""
    return [langfuse.observation(_loose(call), call, tariff) for call in _calls(month, "rest", 9)]


def spoilt_observations(good: list[Json]) -> list[tuple[Json, str]]:
    """Observations that break one rule each, and the reason."""
    first = {**good[0], "usageDetails": {"input": 900, "output": 100, "total": 1000}}
    return [
        ({**first, "id": "bad-1", "usageDetails": {"input": -5, "output": 7}}, "tokens_in_uncached: negative"),
        ({**first, "id": "bad-2", "usageDetails": {"input": "many", "output": 7}}, "tokens_in_uncached: not a"),
        ({**first, "id": "bad-3", "endTime": "2001-01-01T00:00:00.000Z"}, "started_at after ended_at"),
        ({**first, "id": "bad-4", "startTime": "yesterday"}, "started_at: not a"),
        ({**first, "id": "bad-5", "startTime": FAR_FUTURE, "endTime": FAR_FUTURE}, "started_at: in the future"),
        ({**first, "id": "  "}, "call_id: missing"),
        ({key: value for key, value in first.items() if key != "id"}, "call_id: missing"),
    ]


def good_spend_rows(month: date, traffic: Traffic) -> tuple[Row, list[Row]]:
    """Header and eight rows of the gateway's log that load; they are taken into the traffic."""
    rows: list[Row] = []
    for call in _calls(month, "replay", 8):
        session = replace(_loose(replace(call, name="acompletion")), use_case="drafting")
        traffic.add(session)
        rows.extend(gateway.spend_rows(session, traffic.tariff))
    return gateway.COLUMNS, rows


def spoilt_spend_rows(good: list[Row]) -> list[tuple[Row, str]]:
    """Rows of the gateway's log that break one rule each, and the reason."""

    def changed(number: int, **values: str) -> Row:
        row = dict(zip(gateway.COLUMNS, good[0], strict=True)) | {"request_id": f"bad-spend-{number}"} | values
        return tuple(row[column] for column in gateway.COLUMNS)

    return [
        (changed(1, prompt_tokens="many"), "tokens_in_uncached: not a"),
        (changed(2, completion_tokens="-5"), "tokens_out: negative"),
        (changed(3, status="partial"), "status: not one of"),
        (changed(4, endTime="2001-01-01 00:00:00"), "started_at after ended_at"),
        (changed(5, request_id=""), "call_id: missing"),
        (changed(6, startTime="2099-01-01 00:00:00", endTime=""), "started_at: in the future"),
        (changed(7, spend="-0.5"), "cost_reported: negative"),
    ]


def good_answers(month: date, answers: list[Answer]) -> tuple[Row, list[Row]]:
    """Header and ten survey answers that load; they are taken into the answers."""
    noon = ms_of(month) + 9 * 24 * HOUR_MS + 12 * HOUR_MS
    made = [
        Answer(
            feedback_id=f"kiosk-{number:02d}",
            respondent=None,
            kind="csat",
            score=3 + number % 3,
            scale_max=5,
            channel="web",
            variant="ai" if number % 2 else "baseline",
            responded_ms=noon + number * MINUTE_MS,
        )
        for number in range(10)
    ]
    answers.extend(made)
    return support.FEEDBACK_COLUMNS, [support.feedback_row(answer) for answer in made]


def spoilt_answers(good: list[Row]) -> list[tuple[Row, str]]:
    """Survey answers that break one rule each, and the reason."""

    def changed(number: int, **values: str) -> Row:
        row = dict(zip(support.FEEDBACK_COLUMNS, good[0], strict=True)) | {"response_id": f"bad-{number}"} | values
        return tuple(row[column] for column in support.FEEDBACK_COLUMNS)

    return [
        (changed(1, score="five"), "score: not a"),
        (changed(2, question="mood"), "kind: not one of"),
        (changed(3, response_id=" "), "feedback_id: missing"),
        (changed(4, score="-1"), "score: negative"),
        (changed(5, responded_at=FAR_FUTURE), "responded_at: in the future"),
        (changed(6, arm="both"), "variant: not one of"),
    ]
