"""Public exports, written by others, come in with the counts and sums their publishers give."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path

import duckdb
import pytest

from pipeline.sources.bytes_check import inspect_bytes, inspect_complete
from pipeline.sources.mapping import SourceMapping, load_mappings
from pipeline.sources.readers import RawFile, read_raw
from pipeline.sources.recognise import Recognition, recognise
from pipeline.sources.stage import stage
from pipeline.tables import load_tables


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database with a pseudonym that is none of a real key."""
    with duckdb.connect(config={"memory_limit": "2GB"}) as connection:
        connection.execute("SET TimeZone = 'America/New_York'; CREATE TEMP MACRO pseudonym(x) AS md5('test' || x)")
        yield connection


@cache
def package_mappings() -> tuple[SourceMapping, ...]:
    """The mappings of the package, read once."""
    return load_mappings()


def recognised(con: duckdb.DuckDBPyConnection, realdata: Path, name: str) -> Recognition:
    """What a file of the real data is taken for, its bytes being good."""
    assert inspect_bytes(realdata / name) is None
    return recognise(realdata / name, name, package_mappings(), con=con)


def take(con: duckdb.DuckDBPyConnection, realdata: Path, name: str, *, source: str) -> RawFile:
    """Read and stage one file: each table of its source becomes `<table>`, cast, and every value must cast."""
    mapping = recognised(con, realdata, name).mapping
    assert mapping is not None
    assert mapping.source == source
    assert inspect_complete(realdata / name, mapping=mapping) is None
    raw = read_raw(con, realdata / name, name=name, mapping=mapping)
    for table in mapping.tables:
        stage(con, mapping, table, staged="staged")
        columns = ", ".join(f'"{one.name}"::{one.sql_type} AS "{one.name}"' for one in load_tables()[table].columns)
        con.execute(f"CREATE TABLE IF NOT EXISTS {table} AS SELECT {columns} FROM staged LIMIT 0")
        con.execute(f"INSERT INTO {table} SELECT {columns} FROM staged")
    return raw


def one(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[object, ...]:
    """The only row of a query."""
    (row,) = con.execute(sql).fetchall()
    return tuple(row)


def everything(con: duckdb.DuckDBPyConnection, table: str) -> str:
    """Every value of a table as one text."""
    return "\n".join(row[0] for row in con.execute(f"SELECT {table}::VARCHAR FROM {table}").fetchall())


def distinct_keys(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """How many keys the rows of a table have."""
    key = ", ".join(f'"{name}"' for name in load_tables()[table].key)
    return int(str(one(con, f"SELECT count(DISTINCT ({key})) FROM {table}")[0]))


def test_llmperf_reproduces_a_published_run(con: duckdb.DuckDBPyConnection, realdata: Path) -> None:
    """bedrock_70b: p95 end to end 7.833533104001617 s over the 101 requests that did not fail, errors 49 of 150."""
    take(con, realdata, "llmperf-latency/individual/bedrock_70b.json", source="llmperf")
    found = one(
        con,
        """SELECT count(*), count(*) FILTER (WHERE status = 'error'), quantile_cont(latency_s, 0.95),
             count(latency_s) FILTER (WHERE status = 'error'), any_value(provider), any_value(model) FROM calls""",
    )
    assert found == (150, 49, 7.833533104001617, 0, "bedrock", "bedrock_70b")
    assert one(con, "SELECT sum(good), sum(valid), count(*) FROM availability") == (101, 150, 150)


def test_llmperf_holds_every_request(con: duckdb.DuckDBPyConnection, realdata: Path) -> None:
    """19 runs, 2 845 requests, each with a key of its own; no generated text is staged."""
    files = sorted((realdata / "llmperf-latency" / "individual").glob("*.json"))
    for path in files:
        take(con, realdata, path.relative_to(realdata).as_posix(), source="llmperf")
    assert len(files) == 19
    assert one(con, "SELECT count(*) FROM calls") == (2845,)
    assert distinct_keys(con, "calls") == distinct_keys(con, "availability") == 2845
    texts = [column.name for column in load_tables()["calls"].columns if column.type == "text"]
    longest = " , ".join(f'max(length("{name}"))' for name in texts)
    assert max(int(str(value or 0)) for value in one(con, f"SELECT {longest} FROM calls")) < 30


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("llmperf-latency/summary/groq_70b.json", "llmperf_summary"),
        ("copilot-metrics/organization-28-day-report.json", "copilot_organization_report"),
        ("trec-eval/out.test.a", "trec_eval_output"),
    ],
)
def test_published_results_are_ignored_with_a_reason(
    con: duckdb.DuckDBPyConnection, realdata: Path, name: str, source: str
) -> None:
    """They are there to compare with, or would count people twice."""
    mapping = recognised(con, realdata, name).mapping
    assert mapping is not None
    assert (mapping.source, bool(mapping.ignore)) == (source, True)


@pytest.mark.parametrize("name", ["README.md", "tau-bench/LICENSE", "jailbreakbench/labels.csv"])
def test_files_of_no_source_are_refused(con: duckdb.DuckDBPyConnection, realdata: Path, name: str) -> None:
    """Nothing is guessed."""
    found = recognised(con, realdata, name)
    assert found.mapping is None
    assert found.reason.startswith("no source takes this file")


def test_tau_bench_counts(con: duckdb.DuckDBPyConnection, realdata: Path) -> None:
    """200 sessions of 50 tasks in 4 trials, 1 164 tool calls of which 73 failed, 48 handed to a human, Pass^1 0.420."""
    take(con, realdata, "tau-bench/gpt-4o-airline.json", source="tau_bench")
    calls = one(con, "SELECT count(*), count(*) FILTER (WHERE status = 'error'), count(tool_name) FROM calls")
    assert calls == (1164, 73, 1164)
    assert one(con, "SELECT count(*), count(first_human_reply_at), count(DISTINCT requester_id) FROM contacts") == (
        200,
        48,
        200,
    )
    assert one(con, "SELECT count(*), count(*) FILTER (WHERE outcome = 'success') FROM tasks") == (
        200,
        84,
    )  # 84/200 = 0.42
    assert [distinct_keys(con, table) for table in ("sessions", "calls", "contacts", "tasks")] == [200, 1164, 200, 200]
    late = "SELECT count(*) FROM contacts WHERE first_human_reply_at <= created_at"
    assert one(con, late) == (0,)


def test_tau_bench_texts_stay_out(con: duckdb.DuckDBPyConnection, realdata: Path) -> None:
    """No message, instruction or customer id of the simulation is in any staged table."""
    take(con, realdata, "tau-bench/gpt-4o-airline.json", source="tau_bench")
    for table in ("sessions", "calls", "contacts", "tasks"):
        dump = everything(con, table)
        assert "tau-0-0" in dump
        assert not [word for word in ("mia_li_3668", "Seattle", "policy", "@") if word in dump]


def test_copilot_users_report(con: duckdb.DuckDBPyConnection, realdata: Path) -> None:
    """107 days of people; without the two people added later their interactions sum to the organisation's."""
    take(con, realdata, "copilot-metrics/organization-users-28-day-report.json", source="copilot_users_report")
    counts = "SELECT count(*), count(DISTINCT person_id), min(date)::VARCHAR, max(date)::VARCHAR FROM usage_daily"
    assert one(con, counts) == (107, 8, "2026-03-29", "2026-04-25")
    report = realdata / "copilot-metrics" / "organization-28-day-report.json"
    days = con.execute(
        """SELECT day->>'$.day', (day->>'$.user_initiated_interaction_count')::BIGINT
           FROM (SELECT unnest(json_extract(content, '$.day_totals[*]')) AS day FROM read_text(?)) ORDER BY 1""",
        [str(report)],
    ).fetchall()
    added = "pseudonym('alicechen'), pseudonym('bobmartinez')"
    ours = dict(
        con.execute(
            f"SELECT date::VARCHAR, sum(prompts)::BIGINT FROM usage_daily WHERE person_id NOT IN ({added}) GROUP BY 1"
        ).fetchall()
    )
    assert len(days) == 28
    assert [(day, ours.get(day, 0)) for day, _ in days] == days


def test_copilot_totals_of_the_organisation(con: duckdb.DuckDBPyConnection, realdata: Path) -> None:
    """Without the two people added later: all three totals on 28 of 28 days, active people on 26, six in the month."""
    take(con, realdata, "copilot-metrics/organization-users-28-day-report.json", source="copilot_users_report")
    report = json.loads((realdata / "copilot-metrics" / "organization-28-day-report.json").read_text(encoding="utf-8"))
    days = report["day_totals"]
    ours = {
        day: tuple(sums)
        for day, *sums in con.execute(
            """SELECT date::VARCHAR, sum(prompts), sum(generations), sum(acceptances), count(DISTINCT person_id)
               FROM usage_daily WHERE person_id NOT IN (pseudonym('alicechen'), pseudonym('bobmartinez')) GROUP BY 1"""
        ).fetchall()
    }
    names = [f"{name}_count" for name in ("user_initiated_interaction", "code_generation_activity",
                                          "code_acceptance_activity")]  # fmt: skip
    totals = [ours.get(day["day"], (0, 0, 0, 0))[:3] == tuple(day[name] for name in names) for day in days]
    active = [ours.get(day["day"], (0, 0, 0, 0))[3] == day["daily_active_users"] for day in days]
    assert (len(days), sum(totals), sum(active)) == (28, 28, 26)
    people = "SELECT count(DISTINCT person_id) FROM usage_daily"
    added = "WHERE person_id NOT IN (pseudonym('alicechen'), pseudonym('bobmartinez'))"
    assert one(con, f"{people} {added}") == (max(days, key=lambda day: day["day"])["monthly_active_users"],) == (6,)


def test_llmperf_percentiles_of_all_runs(con: duckdb.DuckDBPyConnection, realdata: Path) -> None:
    """p50, p95 and p99 of time to first token and end to end, and errors, of each of the 19 published summaries."""
    summaries = sorted((realdata / "llmperf-latency" / "summary").glob("*.json"))
    for path in summaries:
        take(con, realdata, f"llmperf-latency/individual/{path.name}", source="llmperf")
    assert len(summaries) == 19
    for path in summaries:
        published = json.loads(path.read_text(encoding="utf-8"))
        for column, name in (("ttft_ms / 1000", "ttft_s"), ("latency_s", "end_to_end_latency_s")):
            for percent in (50, 95, 99):
                sql = f"SELECT quantile_cont({column}, 0.{percent}) FROM calls WHERE model = '{path.stem}'"
                wanted = published[f"results_{name}_quantiles_p{percent}"]
                assert one(con, sql)[0] == pytest.approx(wanted, rel=1e-12), (path.stem, name, percent)
        failed = f"SELECT count(*) FROM calls WHERE model = '{path.stem}' AND status = 'error'"
        assert one(con, failed) == (published["results_number_errors"],)


def test_copilot_days_of_use_on_purpose(con: duckdb.DuckDBPyConnection, realdata: Path) -> None:
    """107 person-days less the one of generations alone; 17 of them show in chat, agent or command line only."""
    take(con, realdata, "copilot-metrics/organization-users-28-day-report.json", source="copilot_users_report")
    unseen = "count(*) FILTER (prompts::INT = 0 AND acceptances::INT = 0)"
    active = f"SELECT count(*), {unseen} FROM usage_daily WHERE active = 'true'"
    assert one(con, active) == (107 - 1, 17)
    idle = "SELECT prompts::INT, acceptances::INT, generations::INT > 0 FROM usage_daily WHERE active = 'false'"
    assert one(con, idle) == (0, 0, True)


def test_the_price_map_raises_no_warning_about_its_models(realdata: Path) -> None:
    """Its keys are data."""
    (path,) = (realdata / "litellm-prices").glob("*.json")
    found = recognise(path, "model_prices_and_context_window.json", load_mappings())
    assert found.mapping is not None
    assert (found.mapping.source, found.warnings) == ("litellm_price_map", ())


def test_github_billing(con: duckdb.DuckDBPyConnection, realdata: Path) -> None:
    """123 lines of three SKUs (93, 25 and 5), gross 710.5143, net 0, each with an id of its own."""
    raw = take(con, realdata, "copilot-metrics/billing-credit-usage.real.csv", source="github_billing")
    assert raw == RawFile(records_in=123, malformed=0)
    gross, net = one(con, "SELECT sum(list_cost), sum(billed_cost) FROM cost_ledger")
    assert (round(Decimal(str(gross)), 4), net) == (Decimal("710.5143"), 0)
    assert distinct_keys(con, "cost_ledger") == 123
    counts = con.execute("SELECT count(*) FROM cost_ledger GROUP BY sku_meter ORDER BY 1 DESC").fetchall()
    assert counts == [(93,), (25,), (5,)]
    dump = everything(con, "cost_ledger")
    assert "copilot" in dump
    assert "person-" not in dump


def test_focus_sample(con: duckdb.DuckDBPyConnection, realdata: Path) -> None:
    """1 000 lines, billed 20.52022672899 and effective 14.97651418586; the words NULL are no values."""
    take(con, realdata, "focus-sample/focus_sample.csv", source="focus")
    billed, effective = one(con, "SELECT sum(billed_cost), sum(effective_cost) FROM cost_ledger")
    assert (round(Decimal(str(billed)), 11), round(Decimal(str(effective)), 11)) == (
        Decimal("20.52022672899"), Decimal("14.97651418586"),
    )  # fmt: skip
    assert one(con, "SELECT count(*), count(*) FILTER (WHERE charge_class = 'NULL') FROM cost_ledger") == (1000, 0)


def test_trec_run_and_judgements(con: duckdb.DuckDBPyConnection, realdata: Path) -> None:
    """1 500 rows of three queries and 3 681 judgements; P_5 of the published output is 0.2667, that is 4 of 15."""
    take(con, realdata, "trec-eval/results.test", source="trec_run")
    take(con, realdata, "trec-eval/qrels.test", source="trec_qrels")
    assert one(con, "SELECT count(*), count(DISTINCT query_id), any_value(run_id) FROM retrieval_results") == (
        1500, 3, "STANDARD",
    )  # fmt: skip
    assert one(con, "SELECT count(*), any_value(judgement_version) FROM relevance_judgements") == (3681, "qrels")
    relevant = one(
        con,
        """SELECT count(*) FILTER (WHERE grade > 0) FROM (
             SELECT * FROM retrieval_results
             QUALIFY row_number() OVER (PARTITION BY query_id ORDER BY score DESC, doc_id DESC) <= 5)
           LEFT JOIN relevance_judgements USING (query_id, doc_id)""",
    )
    assert relevant == (4,)
