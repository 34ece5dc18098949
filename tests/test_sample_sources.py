"""The mappings of the formats the sample writes: they take its files, and real ones, as they should."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.sample import write_sample
from pipeline.sample.chance import Chance
from pipeline.sample.clock import HOUR_MS, ms_of
from pipeline.sample.langfuse import observation
from pipeline.sample.prices import Tariff, list_prices
from pipeline.sample.records import Call, Session
from pipeline.sample.throttling import throttled
from pipeline.sources.mapping import SourceMapping, load_mappings
from pipeline.sources.readers import RawFile, read_raw
from pipeline.sources.recognise import recognise
from pipeline.sources.stage import stage

SOURCES = {
    "ab/assignments": "assignments_csv",
    "ab/experiments": "experiments_csv",
    "ab/outcome-panel": "outcome_panel_csv",
    "ab/outcomes": "outcomes_csv",
    "copilot/copilot-seats": "copilot_seats",
    "copilot/copilot-usage": "copilot_usage_ndjson",
    "evaluation/evaluation-runs": "evaluation_runs",
    "evaluation/evaluation-scores": "evaluation_scores",
    "evaluation/judge-calibration": "judge_calibration_csv",
    "feedback/feedback": "feedback_csv",
    "finance/assumptions": "assumptions_csv",
    "finance/budgets": "budgets_csv",
    "finance/focus": "focus",
    "finance/fx-rates": "fx_rates_csv",
    "finance/initiative-costs": "initiative_costs_csv",
    "hr/hr-directory": "hr_directory_csv",
    "langfuse/observations": "langfuse_observations",
    "langfuse/traces": "langfuse_traces",
    "litellm/spend-logs": "litellm_spend_logs",
    "lms/lms-training": "lms_csv",
    "notes/annotations": "annotations_csv",
    "ops/availability": "availability_csv",
    "ops/deployments": "deployments_csv",
    "ops/pagerduty-incidents": "pagerduty_incidents",
    "portfolio/use-cases": "use_cases_csv",
    "prices/litellm_model_prices": "litellm_price_map",
    "openai/openai-usage": "openai_organization",
    "anthropic/anthropic-usage": "anthropic_reports",
    "prices/price_book": "price_book",
    "redteam/red-team": "red_team_results",
    "registry/component-usage": "component_usage_csv",
    "registry/prompt-versions": "prompt_registry_csv",
    "retrieval/knowledge": "trec_run",
    "retrieval/qrels": "trec_qrels",
    "support/zendesk-tickets": "zendesk_tickets",
    "surveys/survey": "survey_csv",
    "tasks/tasks": "tasks_csv",
}
NOON = ms_of(date(2026, 10, 2)) + 12 * HOUR_MS


@pytest.fixture(scope="module")
def mappings() -> tuple[SourceMapping, ...]:
    """All mappings of the package."""
    return load_mappings()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty people in October 2026."""
    out = tmp_path_factory.mktemp("sample")
    write_sample(out, people=20, months=1, seed=5)
    return out


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in which a pseudonym is the name itself."""
    with duckdb.connect() as made:
        made.execute("SET timezone = 'UTC'")
        made.execute("CREATE MACRO pseudonym(name) AS name")
        yield made


def take(
    con: duckdb.DuckDBPyConnection, mappings: tuple[SourceMapping, ...], folder: Path, name: str
) -> tuple[SourceMapping, RawFile]:
    """Recognise and stage one file; its tables stand under their own names, added to what is there."""
    recognition = recognise(folder / name, name, mappings)
    assert recognition.mapping is not None, recognition.reason
    raw = read_raw(con, folder / name, name=name, mapping=recognition.mapping)
    for table in recognition.mapping.tables:
        stage(con, recognition.mapping, table, staged=f"staged_{table}")
        con.execute(f"CREATE TABLE IF NOT EXISTS {table} AS FROM staged_{table} LIMIT 0")
        con.execute(f"INSERT INTO {table} FROM staged_{table}")
    return recognition.mapping, raw


def take_all(
    con: duckdb.DuckDBPyConnection, mappings: tuple[SourceMapping, ...], folder: Path, pattern: str
) -> list[Path]:
    """Stage every file of a kind."""
    paths = sorted(folder.glob(pattern))
    for path in paths:
        take(con, mappings, folder, str(path.relative_to(folder)))
    return paths


def rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    return con.execute(sql).fetchall()


def test_every_export_is_taken_by_its_source(sample: Path, mappings: tuple[SourceMapping, ...]) -> None:
    """Each kind of file by the mapping made for it, and truth.json by none."""
    found = set()
    for path in sorted(sample.rglob("*.*")):
        name = path.relative_to(sample).as_posix()
        mapping = recognise(path, name, mappings).mapping
        source = mapping.source if mapping else None
        wanted = {source for start, source in SOURCES.items() if name.startswith(start)} or {None}
        assert {source} == wanted, name
        found.add(source)
    assert found == {*SOURCES.values(), None}


def test_calls_of_langfuse_keep_kinds_states_and_tokens(
    sample: Path, mappings: tuple[SourceMapping, ...], con: duckdb.DuckDBPyConnection
) -> None:
    """Inner spans and events are no calls; a tool's HTTP 200 with an error is an error; reasoning is part of output."""
    paths = take_all(con, mappings, sample, "langfuse/observations*.jsonl")
    records = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    calls = [one for one in records if one["type"] not in ("SPAN", "EVENT") or "parentObservationId" not in one]
    assert rows(con, "SELECT count(*) FROM calls") == [(len(calls),)]
    kinds = {"SPAN": "request", "GENERATION": "model", "TOOL": "tool", "EMBEDDING": "retrieval"}
    kinds |= {"GUARDRAIL": "guardrail", "EVALUATOR": "judge"}
    expected = Counter(kinds[one["type"]] for one in calls)
    assert dict(rows(con, "SELECT kind, count(*) FROM calls GROUP BY kind")) == expected
    total = sum(one.get("usageDetails", {}).get("total", 0) for one in calls)
    classes = "tokens_in_uncached, tokens_cache_read, tokens_cache_write_5m, tokens_cache_write_1h, tokens_out"
    sums = " + ".join(f"coalesce(sum({name}::BIGINT), 0)" for name in classes.split(", "))
    assert rows(con, f"SELECT {sums} FROM calls") == [(total,)]
    hidden = sum(one.get("metadata", {}).get("isError", False) for one in calls)
    assert rows(con, "SELECT count(*) FROM calls WHERE status = 'error' AND http_status = '200'") == [(hidden,)]


def test_sessions_of_langfuse_begin_with_their_first_trace(
    sample: Path, mappings: tuple[SourceMapping, ...], con: duckdb.DuckDBPyConnection
) -> None:
    """One row per session, at the earliest timestamp of its traces."""
    paths = take_all(con, mappings, sample, "langfuse/traces*.jsonl")
    starts: dict[str, str] = {}
    for one in (json.loads(line) for path in paths for line in path.read_text().splitlines()):
        if "sessionId" in one:
            starts[one["sessionId"]] = min(one["timestamp"], starts.get(one["sessionId"], "9"))
    found = rows(con, "SELECT session_id, strftime(started_at::TIMESTAMPTZ, '%Y-%m-%dT%H:%M:%S.%gZ') FROM sessions")
    assert dict(found) == starts
    assert len(found) == len(starts)


def test_spend_logs_subtract_cached_tokens_and_read_words_as_flags(
    sample: Path, mappings: tuple[SourceMapping, ...], con: duckdb.DuckDBPyConnection
) -> None:
    """The input classes add up to prompt_tokens; only the word True is a cache hit; the default user is nobody."""
    paths = take_all(con, mappings, sample, "litellm/*.csv")
    logged = [row for path in paths for row in csv.DictReader(path.open(newline=""))]
    sums = rows(
        con,
        """SELECT sum(tokens_in_uncached::BIGINT + tokens_cache_read::BIGINT + tokens_cache_write_5m::BIGINT
                      + tokens_cache_write_1h::BIGINT), sum(tokens_out::BIGINT),
             count(*) FILTER (response_cache_hit = 'true'), count(*) FILTER (status <> 'ok'), count(person_id)
           FROM calls""",
    )
    assert sums == [
        (
            sum(int(row["prompt_tokens"]) for row in logged),
            sum(int(row["completion_tokens"]) for row in logged),
            sum(row["cache_hit"] == "True" for row in logged),
            sum(row["status"] == "failure" for row in logged),
            sum(row["user"] != "default_user_id" for row in logged),
        )
    ]
    named = {row["session_id"] for row in logged} - {""}
    assert rows(con, "SELECT count(*), count(DISTINCT session_id) FROM sessions") == [(len(named), len(named))]


def test_a_duration_the_gateway_does_not_report_stays_unknown(
    sample: Path, mappings: tuple[SourceMapping, ...], con: duckdb.DuckDBPyConnection
) -> None:
    """Milliseconds become seconds, and an empty field stays empty."""
    paths = take_all(con, mappings, sample, "litellm/*.csv")
    logged = [row for path in paths for row in csv.DictReader(path.open(newline=""))]
    reported = {row["request_id"]: row["request_duration_ms"] for row in logged}
    found = dict(rows(con, "SELECT call_id, latency_s FROM calls"))
    assert {name: value and float(value) for name, value in found.items()} == {
        name: int(text) / 1000 if text else None for name, text in reported.items()
    }
    assert None in found.values()


def test_offered_suggestions_are_no_use(
    sample: Path, mappings: tuple[SourceMapping, ...], con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """A day of generations alone is not active; a prompt, an acceptance or a chat makes it so."""
    line = json.loads(next(sample.glob("copilot/*.ndjson")).read_text().splitlines()[0])
    quiet = {**line, "used_chat": False, "used_agent": False, "totals_by_ide": []}
    counts = ("user_initiated_interaction_count", "code_acceptance_activity_count", "code_generation_activity_count")
    days = [{**quiet, **dict.fromkeys(counts, 0), **one} for one in ({counts[2]: 7}, {counts[0]: 1}, {counts[1]: 1})]
    days.append({**days[0], "used_chat": True})
    (tmp_path / "copilot-usage.ndjson").write_text("".join(json.dumps(day) + "\n" for day in days))
    take(con, mappings, tmp_path, "copilot-usage.ndjson")
    active = rows(con, "SELECT active, telemetry_level FROM usage_daily ORDER BY _line")
    assert active == [("false", "server_only"), *[("true", "server_only")] * 3]


def test_the_price_map_and_the_book_name_the_same_models(
    sample: Path, mappings: tuple[SourceMapping, ...], con: duckdb.DuckDBPyConnection
) -> None:
    """The map's prices hold since ever, the book's from their day; the example entry is no model."""
    take_all(con, mappings, sample, "prices/*")
    out = "SELECT valid_from, price::DECIMAL(24,12) FROM prices WHERE token_class = 'out'"
    gpt = f"{out} AND model = 'gpt-4.1' AND tier_rule = '"
    assert rows(con, f"{gpt}priority'") == [("1970-01-01", Decimal("0.000014"))]
    assert rows(con, f"{gpt}standard' ORDER BY valid_from") == [
        ("1970-01-01", Decimal("0.000008")),
        ("2026-10-01", Decimal("0.000008")),
    ]
    assert rows(con, "SELECT count(*) FROM prices WHERE model = 'sample_spec'") == [(0,)]


def test_incidents_take_their_start_and_cause_from_custom_fields(
    sample: Path, mappings: tuple[SourceMapping, ...], con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Merged is a duplicate, a false alarm is cancelled, acknowledged is still open."""
    one = json.loads(next(sample.glob("ops/pagerduty*.json")).read_text())["incidents"][0]
    plain = {**one, "status": "resolved", "resolve_reason": None, "custom_fields": []}
    noted = [{"name": "impact_start", "value": "2026-10-02T10:00:00Z"}, {"name": "caused_by_deployment", "value": "d"}]
    incidents = [
        {**plain, "id": "A", "custom_fields": noted},
        {**plain, "id": "B", "resolve_reason": {"type": "merge_resolve_reason"}},
        {**plain, "id": "C", "custom_fields": [{"name": "outcome", "value": "false_alarm"}]},
        {**plain, "id": "D", "status": "acknowledged", "resolved_at": None},
    ]
    (tmp_path / "incidents.json").write_text(json.dumps({"incidents": incidents}))
    take(con, mappings, tmp_path, "incidents.json")
    found = rows(con, "SELECT incident_id, state, caused_by_deployment_id, impact_start_at FROM incidents ORDER BY 1")
    assert [row[:3] for row in found] == [
        ("A", "resolved", "d"),
        ("B", "duplicate", None),
        ("C", "cancelled", None),
        ("D", "open", None),
    ]
    assert str(found[0][3]).startswith("2026-10-02 10:00:00")


def test_incidents_say_what_harm_they_did(
    sample: Path, mappings: tuple[SourceMapping, ...], con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Kind of harm and law or policy stand in custom fields; where nobody says, it was an outage."""
    one = json.loads(next(sample.glob("ops/pagerduty*.json")).read_text())["incidents"][0]
    noted = [{"name": "harm_category", "value": "Compliance"}, {"name": "regime", "value": "GDPR"}]
    incidents = [{**one, "id": "A", "custom_fields": noted}, {**one, "id": "B", "custom_fields": []}]
    (tmp_path / "incidents.json").write_text(json.dumps({"incidents": incidents}))
    take(con, mappings, tmp_path, "incidents.json")
    found = rows(con, "SELECT incident_id, category, regime FROM incidents ORDER BY 1")
    assert found == [("A", "compliance", "GDPR"), ("B", "outage", None)]


def test_a_rate_limit_is_told_by_its_http_status(
    mappings: tuple[SourceMapping, ...], con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """A refused call is a child of its request with no tokens: known to be none, not unknown."""
    short = {("openai", date(2026, 10, 2)): (0, 1 << 62)}
    root = Call("1", "t", "request", "handle-message", NOON, NOON + 900)
    answer = Call("2", "t", "model", "answer", NOON + 5, NOON + 800, parent_id="1", provider="openai", model="gpt-4.1")
    held = Session("s", None, None, "drafting", "web", "production", False, NOON, (root, answer))
    session = throttled(Chance(1, "limits"), held, short)
    lines = [json.dumps(observation(session, call, Tariff(list_prices()))) + "\n" for call in session.calls]
    (tmp_path / "observations.jsonl").write_text("".join(lines))
    take(con, mappings, tmp_path, "observations.jsonl")
    told = "kind, parent_call_id, session_id, status, error_type, http_status, tokens_in_uncached, tokens_out"
    refused = rows(con, f"SELECT {told} FROM calls WHERE call_id NOT IN ('1', '2')")
    assert set(refused) == {("model", "1", "s", "error", "RateLimitError", "429", "0", "0")}
    assert 1 <= len(refused) <= 3


def test_the_directory_gives_people_and_their_logins(
    sample: Path, mappings: tuple[SourceMapping, ...], con: duckdb.DuckDBPyConnection
) -> None:
    """One row per job; one alias per login, whatever the number of jobs."""
    (path,) = take_all(con, mappings, sample, "hr/*.csv")
    listed = list(csv.DictReader(path.open(newline="")))
    logins = {row["github_login"]: row["email"] for row in listed if row["github_login"]}
    assert rows(con, "SELECT count(*) FROM people") == [(len(listed),)]
    assert dict(rows(con, "SELECT alias_id, person_id FROM identities")) == logins
    machines = sum(row["account_type"] == "service" for row in listed)
    assert rows(con, "SELECT count(*) FROM people WHERE is_service_account = 'true'") == [(machines,)]


def test_real_seats_are_taken(
    realdata: Path, mappings: tuple[SourceMapping, ...], con: duckdb.DuckDBPyConnection
) -> None:
    """Nine seats, all open, from the day they were created."""
    _, raw = take(con, mappings, realdata, "copilot-metrics/organization_seats_response_sample.json")
    assert (raw.records_in, raw.malformed) == (9, 0)
    plans = "SELECT valid_from, plan, count(*), count(valid_to) FROM entitlements GROUP BY ALL ORDER BY ALL"
    assert rows(con, plans) == [
        ("2026-01-03", "business", 5, 0),
        ("2026-01-03", "enterprise", 3, 0),
        ("2026-04-28", "enterprise", 1, 0),
    ]


def test_real_focus_costs_add_up(
    realdata: Path, mappings: tuple[SourceMapping, ...], con: duckdb.DuckDBPyConnection
) -> None:
    """The published sums of billed and effective cost; the word NULL is no value."""
    take(con, mappings, realdata, "focus-sample/focus_sample.csv")
    (found,) = rows(
        con,
        """SELECT count(*), sum(billed_cost::DECIMAL(28,14)), sum(effective_cost::DECIMAL(28,14)),
             count(*) FILTER (charge_class = 'NULL' OR tags = 'NULL'), count(DISTINCT line_id) FROM cost_ledger""",
    )
    assert found[0] == found[4] == 1000
    assert found[1] == pytest.approx(Decimal("20.52022672899003"), abs=Decimal("1e-9"))
    assert found[2] == pytest.approx(Decimal("14.97651418586"), abs=Decimal("1e-9"))
    assert found[3] == 0


def test_the_real_price_map_has_one_price_per_class(
    realdata: Path, mappings: tuple[SourceMapping, ...], con: duckdb.DuckDBPyConnection
) -> None:
    """gpt-4o at 2.5e-06 in, 1e-05 out, 1.25e-06 from the cache; no model has two prices of one class and tier."""
    take(con, mappings, realdata, "litellm-prices/model_prices_and_context_window.json")
    gpt = "SELECT token_class, price::DECIMAL(24,12) FROM prices WHERE provider = 'openai' AND model = 'gpt-4o'"
    assert dict(rows(con, f"{gpt} AND tier_rule = 'standard'")) == {
        "in_uncached": Decimal("0.0000025"),
        "out": Decimal("0.00001"),
        "cache_read": Decimal("0.00000125"),
    }
    key = "provider, model, token_class, tier_rule"
    assert rows(con, f"SELECT {key} FROM prices GROUP BY {key} HAVING count(*) > 1") == []
    assert rows(con, "SELECT count(*) FROM prices WHERE model LIKE '%sample_spec%'") == [(0,)]
