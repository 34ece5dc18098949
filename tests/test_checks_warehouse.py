"""A small healthy warehouse; each test breaks one thing and expects exactly that check to say so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import duckdb
import pytest

from pipeline.checks import NO_ROWS, CheckResult, run_checks
from pipeline.tables import ddl, load_tables

AS_OF = date(2026, 3, 31)
NOW = datetime(2026, 4, 1, 6, tzinfo=UTC)
RUN = "7"

# 90 days, 2026-01-01 to 2026-03-31. Every id that stands for a person holds the word CANARY.
FILL = """
CREATE TEMP TABLE days AS
  SELECT CAST(day AS DATE) AS day FROM range(DATE '2026-01-01', DATE '2026-04-01', INTERVAL 1 DAY) AS d(day);
CREATE TEMP TABLE thirty AS SELECT i FROM range(30) AS r(i);
INSERT INTO core.people BY NAME
  SELECT 'CANARY' || i AS person_id, DATE '2025-01-01' AS valid_from, 'sales' AS department FROM range(20) AS r(i);
INSERT INTO core.identities BY NAME
  SELECT 'CANARY-login' || i AS alias_id, 'CANARY' || i AS person_id FROM range(20) AS r(i);
INSERT INTO core.usage_daily BY NAME
  SELECT 'CANARY' || CASE WHEN i < 10 THEN '-login' ELSE '' END || i AS person_id, 'copilot' AS product,
    'chat' AS feature, day AS date, TRUE AS active FROM days, range(20) AS r(i);
INSERT INTO core.sessions BY NAME
  SELECT 's' || strftime(day, '%j') || '-' || i AS session_id, 'CANARY' || (i % 20) AS person_id,
    CAST(strftime(day, '%Y-%m-%d') || ' 23:30:00+00' AS TIMESTAMPTZ) AS started_at FROM days, thirty;
INSERT INTO core.calls BY NAME
  SELECT 'r' || session_id AS call_id, 't' || session_id AS trace_id, session_id, 'request' AS kind, started_at,
    started_at + INTERVAL 2 SECOND AS ended_at, 'ok' AS status FROM core.sessions
  UNION ALL
  SELECT 'm' || session_id, 't' || session_id, session_id, 'model', started_at, started_at + INTERVAL 1 SECOND, 'ok'
  FROM core.sessions;
UPDATE core.calls SET parent_call_id = 'r' || session_id, provider = 'openai',
  model = CASE WHEN call_id LIKE '%-29' THEN 'small' ELSE 'large' END WHERE kind = 'model';
INSERT INTO core.prices BY NAME
  SELECT 'openai' AS provider, model, 'out' AS token_class, 'standard' AS tier_rule, DATE '2025-01-01' AS valid_from,
    0.1 AS price, 'USD' AS currency FROM (VALUES ('large'), ('small')) AS v(model);
INSERT INTO core.scores BY NAME
  SELECT 'g' || call_id AS score_id, 'call' AS target_type, call_id AS target_id, 'grounded' AS metric, 1.0 AS value,
    'grounded' AS label, started_at AS created_at FROM core.calls WHERE kind = 'model';
INSERT INTO core.feedback BY NAME
  SELECT 'f' || session_id AS feedback_id, person_id, 'csat' AS kind, 4.0 AS score, 5.0 AS scale_max,
    started_at AS responded_at FROM core.sessions;
INSERT INTO core.deployments BY NAME
  SELECT 'd' || i AS deployment_id, 'chat' AS service, TIMESTAMPTZ '2026-03-20 10:00:00+00' AS started_at,
    TIMESTAMPTZ '2026-03-20 11:00:00+00' AS finished_at FROM thirty;
INSERT INTO core.incidents BY NAME
  SELECT 'i' || i AS incident_id, 'chat' AS service, TIMESTAMPTZ '2026-03-20 12:00:00+00' AS impact_start_at,
    'resolved' AS state, 'd' || i AS caused_by_deployment_id FROM thirty;
-- 30 model calls a day at 0.10 USD: 31 * 3 = 93 in January and March, 28 * 3 = 84 in February
INSERT INTO core.cost_ledger BY NAME
  SELECT 'bill' || month(m) AS line_id, m AS period_start, m + INTERVAL 1 MONTH AS period_end,
    'Usage' AS charge_category, 'OpenAI' AS service_provider, 'API' AS service_name,
    dayofmonth(last_day(m)) * 3.0 AS billed_cost,
    'USD' AS currency
  FROM range(TIMESTAMPTZ '2026-01-01 00:00:00+00', TIMESTAMPTZ '2026-04-01 00:00:00+00', INTERVAL 1 MONTH) AS r(m);
"""
# The provider counts the same 30 requests a day
FILL += """
INSERT INTO core.usage_buckets BY NAME
  SELECT 'b' || strftime(day, '%j') AS bucket_id, 'openai' AS reported_by, 'openai' AS provider, 30 AS requests,
    CAST(day AS TIMESTAMPTZ) AS bucket_start, CAST(day + 1 AS TIMESTAMPTZ) AS bucket_end FROM days;
"""
PRICED = """CREATE VIEW facts.priced_calls AS
  SELECT CAST(started_at AT TIME ZONE 'UTC' AS DATE) AS day, call_id, provider, c.model,
    CASE WHEN kind = 'request' THEN 0.0 WHEN p.model IS NOT NULL THEN p.price END AS cost_usd,
    CASE WHEN kind = 'model' AND p.model IS NULL THEN 1 ELSE 0 END AS unpriced_calls
  FROM core.calls AS c LEFT JOIN core.prices AS p USING (provider, model)"""
LEDGER = """
CREATE TABLE ledger.files(file_hash VARCHAR, name VARCHAR, bytes BIGINT, source VARCHAR, status VARCHAR, reason VARCHAR,
  records_in BIGINT, run_id BIGINT, mappings_hash VARCHAR);
CREATE TABLE ledger.loads(load_id BIGINT, run_id BIGINT, file_hash VARCHAR, table_name VARCHAR, rows_in BIGINT,
  loaded BIGINT, duplicate BIGINT, quarantined BIGINT);
CREATE TABLE ledger.likely(file_hash VARCHAR, source VARCHAR);
CREATE TABLE ledger.limits(source VARCHAR, quarantine_limit DOUBLE, held_from BIGINT);
CREATE TABLE ledger.superseded(file_hash VARCHAR, by_hash VARCHAR, by_name VARCHAR);
"""
APPLICABLE = {
    "rows_accounted", "rows_held", "quarantine_limit", "quarantine_rate", "refused_files", "empty_files", "unique_keys",
    "daily_volume", "source_freshness", "session_of_calls", "target_of_scores", "directory_of_usage",
    "deployment_of_incidents", "unpriced_calls", "unknown_latency", "call_errors", "score_range", "invoice_gap",
    "requests_logged",
}  # fmt: skip


SETTINGS = "SET TimeZone = 'UTC'; SET threads = 1"


def empty_warehouse() -> duckdb.DuckDBPyConnection:
    """The schemas and tables of a warehouse, without a row."""
    con = duckdb.connect()
    con.execute(SETTINGS)
    for schema in ("core", "history", "ledger", "facts"):
        con.execute(f"CREATE SCHEMA {schema}")
    for table in load_tables().values():
        con.execute(ddl(table, "core"))
        con.execute(ddl(table, "history"))
    con.execute(LEDGER)
    con.execute(PRICED)
    return con


@pytest.fixture(scope="module")
def healthy() -> duckdb.DuckDBPyConnection:
    """A warehouse in which every check passes: one file and one load per table, all of run 7."""
    con = empty_warehouse()
    con.execute(FILL)
    for number, name in enumerate(load_tables(), start=1):
        con.execute(f"UPDATE core.{name} SET _file = ?, _load_id = ?", [f"hash of {name}", number])
        con.execute(
            "INSERT INTO ledger.loads SELECT ?, 7, ?, ?, count(*), count(*), 0, 0 "
            f"FROM core.{name} HAVING count(*) > 0",
            [number, f"hash of {name}", name],
        )
    con.execute(
        "INSERT INTO ledger.files SELECT file_hash, table_name || '.csv', 1, table_name || '_export', 'loaded', '', "
        "rows_in, 7, '' FROM ledger.loads"
    )
    return con


@pytest.fixture
def con(healthy: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same for each test: what it changes is taken back."""
    healthy.execute("BEGIN")
    yield healthy
    healthy.execute("ROLLBACK")
    healthy.execute(SETTINGS)


def check(con: duckdb.DuckDBPyConnection) -> list[CheckResult]:
    """All results; no person may show in any of them."""
    results = run_checks(con, as_of=AS_OF, now=NOW, run_id=RUN, feeds={"feedback": ["csat_delta"]})
    assert "CANARY" not in repr(results)
    return results


def failures(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], str]:
    """What was observed where a check failed, by check and subject."""
    return {(result.check, result.subject): result.observed for result in check(con) if not result.passed}


def forget(con: duckdb.DuckDBPyConnection, table: str, where: str) -> None:
    """Remove rows as if they had never been exported: the ledger does not know them either."""
    gone = len(con.execute(f"DELETE FROM core.{table} WHERE {where} RETURNING 1").fetchall())
    assert gone
    con.execute(
        "UPDATE ledger.loads SET rows_in = rows_in - ?, loaded = loaded - ? WHERE table_name = ?", [gone, gone, table]
    )


def quarantine(con: duckdb.DuckDBPyConnection, table: str, rows: int, of: int) -> None:
    """Let `rows` of the `of` rows read for a table be quarantined, as the ledger tells it."""
    con.execute(
        "UPDATE ledger.loads SET rows_in = ?, quarantined = ?, duplicate = ? - loaded WHERE table_name = ?",
        [of, rows, of - rows, table],
    )


def test_a_healthy_warehouse_passes_every_check(con):
    """Nothing fails, and every check found something to judge."""
    results = check(con)
    assert [result for result in results if not result.passed] == []
    assert {result.check for result in results if not result.observed.startswith(NO_ROWS)} == APPLICABLE
    judged = {(result.check, result.subject): result for result in results}
    assert (
        judged["session_of_calls", "calls.session_id"].observed == "5,400 of 5,400 calls name a known session (100.0%)"
    )
    assert judged["invoice_gap", "model usage"].observed == "all 3 months as expected"


def test_an_empty_warehouse_is_not_applicable_rather_than_good():
    """Without rows every result says so in words."""
    for result in check(empty_warehouse()):
        assert result.observed.startswith(NO_ROWS), result
        assert result.expected.startswith("not applicable"), result


def test_a_row_that_is_not_accounted_for_blocks(con):
    """rows_in = loaded + duplicate + quarantined; here one row was read and went nowhere."""
    con.execute("UPDATE ledger.loads SET rows_in = rows_in + 1 WHERE table_name = 'tasks' OR table_name = 'people'")
    assert failures(con) == {
        ("rows_accounted", "people_export"): "people.csv into people: 21 read, 20 loaded + 0 duplicate + 0 quarantined"
    }


def test_a_row_the_ledger_counts_and_no_table_holds_blocks(con):
    """The ledger agrees with itself but not with the tables."""
    con.execute("UPDATE ledger.loads SET rows_in = 21, loaded = 21 WHERE table_name = 'people'")
    assert failures(con) == {("rows_held", "people_export"): "people.csv into people: 21 loaded, 20 held"}


def test_a_row_replaced_by_a_newer_version_is_still_held(con):
    """What a restatement moved to history was loaded all the same."""
    con.execute("INSERT INTO history.people SELECT * FROM core.people WHERE person_id = 'CANARY3'")
    con.execute("DELETE FROM core.people WHERE person_id = 'CANARY3'")
    assert ("rows_held", "people_export") not in failures(con)


def test_a_source_of_which_more_than_a_fifth_is_quarantined_blocks(con):
    """1,000 of 4,700 rows are 21.28 %, above both limits."""
    quarantine(con, "feedback", 1_000, of=4_700)
    assert failures(con) == {
        (
            "quarantine_limit",
            "feedback_export",
        ): "feedback.csv: 1,000 of 4,700 rows quarantined (21.28%; limit 20%) since run 7",
        ("quarantine_rate", "feedback_export"): "1,000 of 4,700 rows of run 7 quarantined (21.28%)",
    }


def test_a_fifth_quarantined_is_still_published_with_a_warning(con):
    """1,000 of 5,000 rows are exactly 20 %: allowed, but far above one in a thousand."""
    quarantine(con, "feedback", 1_000, of=5_000)
    assert failures(con) == {
        ("quarantine_rate", "feedback_export"): "1,000 of 5,000 rows of run 7 quarantined (20.00%)"
    }


@pytest.mark.parametrize(("limit", "shown"), [(0.3, None), (0.4, None), (0.25, "25%"), (0.125, "12.5%")])
def test_the_limit_is_that_of_the_mapping(con, limit, shown):
    """810 of 2,700 rows are 30 %: allowed where the mapping allows 30 % or more, too many where it allows less."""
    con.execute("INSERT INTO ledger.limits VALUES ('feedback_export', ?, 20), ('other', 0, 20)", [limit])
    quarantine(con, "feedback", 810, of=2_700)
    said = f"feedback.csv: 810 of 2,700 rows quarantined (30.00%; limit {shown}) since run 7"
    assert failures(con).get(("quarantine_limit", "feedback_export")) == (said if shown else None)


@pytest.mark.parametrize(("bad", "rows", "is_told"), [(6, 20, False), (19, 40, False), (20, 40, True), (15, 15, True)])
def test_a_few_bad_rows_of_a_small_file_are_just_those(con, bad, rows, is_told):
    """Fewer than twenty never hold a file back, whatever their share, unless all of its rows are bad."""
    con.execute("INSERT INTO ledger.limits VALUES ('feedback_export', 0.2, 20)")
    quarantine(con, "feedback", bad, of=rows)
    assert (("quarantine_limit", "feedback_export") in failures(con)) == is_told


def test_lines_of_a_readable_file_that_are_no_records_count_as_quarantined(con):
    """Three broken lines beside 2,700 good ones: 3 / 2,703 = 0.11 %."""
    con.execute("INSERT INTO ledger.loads VALUES (99, 7, 'hash of feedback', '', 3, 0, 0, 3)")
    assert failures(con) == {("quarantine_rate", "feedback_export"): "3 of 2,703 rows of run 7 quarantined (0.11%)"}


def test_unreadable_lines_of_a_file_held_back_whole_count_with_it(con):
    """16 rows of a table and 2 lines that are no records are 18 rows, as in the ledger and the list of quarantine."""
    con.execute(
        "INSERT INTO ledger.files VALUES ('h', 'b.csv', 1, 'feedback_export', 'quarantined', 'held back', 0, 8, '')"
    )
    con.execute("INSERT INTO ledger.loads VALUES (98, 8, 'h', '', 2, 0, 0, 2), (99, 8, 'h', 'feedback', 16, 0, 0, 16)")
    found = failures(con)
    limit, rate = found["quarantine_limit", "feedback_export"], found["quarantine_rate", "feedback_export"]
    assert limit == "b.csv: 18 of 18 rows quarantined (100.00%, held back whole; limit 20%) since run 8"
    assert rate == "18 of 18 rows of run 8 quarantined (100.00%)"


def test_a_refused_file_is_counted_as_a_file_and_not_as_rows(con):
    """A file refused as a whole does not push its source over the row limits."""
    con.execute(
        "INSERT INTO ledger.files VALUES ('h', 'b.csv', 1, 'feedback_export', 'quarantined', 'incomplete', 0, 7, '')"
    )
    con.execute("INSERT INTO ledger.loads VALUES (99, 7, 'h', '', 9000, 0, 0, 9000)")
    results = {(result.check, result.subject): result for result in check(con)}
    refused = results["refused_files", "feedback_export"]
    assert [key for key, result in results.items() if not result.passed] == [("refused_files", "feedback_export")]
    assert (refused.observed, refused.kpis) == ("files refused: 1 of 2 (b.csv)", ("csat_delta",))


def test_a_file_nobody_recognised_is_counted_under_its_own_name(con):
    """Files without a source stand together."""
    con.execute("INSERT INTO ledger.files VALUES ('h', 'x.bin', 1, '', 'quarantined', 'not recognised', 0, 7, '')")
    assert failures(con) == {("refused_files", "unrecognised files"): "files refused: 1 of 1 (x.bin)"}


def test_a_refused_file_touches_what_rests_on_the_source_it_is_probably_of(con):
    """A file that looks like feedback is told under that source, and its KPIs are named although nothing was read."""
    con.execute("INSERT INTO ledger.files VALUES ('h', 'b.csv', 1, '', 'quarantined', 'looks like it', 0, 7, '')")
    con.execute("INSERT INTO ledger.likely VALUES ('h', 'feedback_export')")
    refused = next(one for one in check(con) if (one.check, one.subject) == ("refused_files", "feedback_export"))
    assert (refused.passed, refused.severity) == (False, "warn")
    assert (refused.observed, refused.kpis) == ("files refused: 1 of 2 (b.csv)", ("csat_delta",))


@pytest.mark.parametrize(
    ("files", "named"), [(2, "0.bin, 1.bin"), (3, "0.bin, 1.bin, 2.bin"), (5, "0.bin, 1.bin, 2.bin and 2 more")]
)
def test_refused_files_are_named(con, files, named):
    """Up to three by name, of more the number."""
    con.execute(
        "INSERT INTO ledger.files SELECT 'h' || i, i || '.bin', 1, '', 'quarantined', 'not recognised', 0, 7, '' "
        "FROM range(?) AS r(i)",
        [files],
    )
    assert failures(con) == {("refused_files", "unrecognised files"): f"files refused: {files} of {files} ({named})"}


def test_a_file_without_rows_is_named(con):
    """An empty export warns with its file name."""
    con.execute("INSERT INTO ledger.files VALUES ('h', 'today.csv', 1, 'feedback_export', 'loaded', '', 0, 7, '')")
    assert failures(con) == {("empty_files", "feedback_export"): "today.csv: 0 rows"}


def old_run(con: duckdb.DuckDBPyConnection) -> None:
    """An earlier run, of which a file was refused and 100 of 200 rows of another are quarantined."""
    con.execute(
        "INSERT INTO ledger.files VALUES ('bad', 'old.csv', 1, '', 'quarantined', 'incomplete', 0, 6, ''), "
        "('part', 'part.csv', 1, 'feedback_export', 'loaded', '', 200, 6, '')"
    )
    con.execute(
        "INSERT INTO ledger.loads VALUES (98, 6, 'bad', '', 9, 0, 0, 9), (99, 6, 'part', 'feedback', 200, 0, 100, 100)"
    )


def test_a_warning_lasts_until_its_cause_is_mended(con):
    """What an earlier run left in quarantine still warns, undiluted by later runs, but blocks no later batch."""
    old_run(con)
    assert failures(con) == {
        (
            "quarantine_limit",
            "feedback_export",
        ): "part.csv: 100 of 200 rows quarantined (50.00%; limit 20%) since run 6",
        ("quarantine_rate", "feedback_export"): "100 of 200 rows of run 6 quarantined (50.00%)",
        ("refused_files", "unrecognised files"): "files refused: 1 of 1 (old.csv)",
    }


def test_a_file_that_a_newer_one_replaced_warns_no_more(con):
    """Both files of the earlier run have come again, whole."""
    old_run(con)
    con.execute("INSERT INTO ledger.superseded VALUES ('bad', 'new', 'old.csv'), ('part', 'newer', 'part.csv')")
    assert failures(con) == {}


def test_loads_of_other_runs_are_not_accounted_for_again(con):
    """A batch check judges the batch: the broken sum of an earlier run was blocked then."""
    con.execute("INSERT INTO ledger.files VALUES ('h', 'old.csv', 1, 'feedback_export', 'loaded', '', 5, 6, '')")
    con.execute("INSERT INTO ledger.loads VALUES (99, 6, 'h', 'feedback', 5000, 1, 1, 1)")
    assert failures(con) == {}


def test_a_key_that_stands_twice_blocks(con):
    """One session twice: 2,701 rows, one key of them on two."""
    con.execute("INSERT INTO core.sessions SELECT * REPLACE (999 AS _load_id) FROM core.sessions LIMIT 1")
    assert failures(con) == {("unique_keys", "sessions"): "keys that stand on more than one of the 2,701 rows: 1"}


def test_half_an_export_is_seen_on_its_day(con):
    """Four of the usual 30 feedback rows: 0.13 times, under the band of 0.3 to 3."""
    forget(con, "feedback", "feedback_id SIMILAR TO 'fs087-([4-9]|[12][0-9])'")  # day 31 + 28 + 28 = 87 of the year
    assert failures(con) == {
        ("daily_volume", "feedback_export into feedback"): "2026-03-28: 4 rows, usually 30 (0.13 times)"
    }


def test_a_day_without_any_row_is_seen(con):
    """A missing day has no row to count, and is found all the same."""
    forget(con, "feedback", "CAST(responded_at AS DATE) = DATE '2026-03-28'")
    assert failures(con) == {
        ("daily_volume", "feedback_export into feedback"): "2026-03-28: 0 rows, usually 30 (0.00 times)"
    }


def test_quiet_weekends_are_no_alarm(con):
    """Days are held against the same weekday: a source that rests on weekends rests every weekend."""
    forget(con, "feedback", "isodow(responded_at) >= 6")
    results = {(result.check, result.subject): result for result in check(con)}
    assert [key for key, result in results.items() if not result.passed] == []
    assert results["daily_volume", "feedback_export into feedback"].observed == (
        "all 5 days as expected (2 not judged: usually fewer than 20 rows on such a day)"
    )


def test_a_young_source_is_not_judged_by_its_volume(con):
    """With less than four weeks before it there is no usual day yet."""
    forget(con, "feedback", "CAST(responded_at AS DATE) < DATE '2026-03-10'")
    results = {(result.check, result.subject): result for result in check(con)}
    volume = results["daily_volume", "feedback_export into feedback"]
    assert (volume.passed, volume.observed) == (True, "fewer than 4 weeks of history")
    assert volume.expected.startswith("not applicable")


@pytest.mark.parametrize(("newest", "fails"), [("2026-03-24", False), ("2026-03-23", True)])
def test_a_source_may_be_seven_days_old_and_no_more(con, newest, fails):
    """Time is the last data day, 31 March: 24 March is 7 days before, 23 March is 8."""
    forget(con, "usage_daily", f"date > DATE '{newest}'")
    words = "newest event 2026-03-23, 8 days before the last data day; 7 are allowed"
    assert failures(con) == ({("source_freshness", "usage_daily_export"): words} if fails else {})


def test_calls_of_unknown_sessions_are_counted(con):
    """Three of 30 calls a day name no known session: 90 % of 5,400, under 95 %."""
    con.execute("UPDATE core.calls SET session_id = 'CANARY' WHERE call_id SIMILAR TO '.*-[1-3]'")
    assert failures(con) == {
        ("session_of_calls", "calls.session_id"): "4,860 of 5,400 calls name a known session (90.0%)"
    }


def test_scores_of_unknown_targets_are_counted(con):
    """Three of 30 judgements a day are about calls nobody recorded."""
    con.execute("UPDATE core.scores SET target_id = 'CANARY' WHERE score_id SIMILAR TO '.*-[1-3]'")
    assert failures(con) == {
        ("target_of_scores", "scores of a call"): "2,430 of 2,700 scores name a known target (90.0%)"
    }


@pytest.mark.parametrize(
    ("unknown", "words"), [(2, ""), (3, "less than 90%"), (5, "75.0%")], ids=["two", "too few to be told", "five"]
)
def test_users_whom_the_directory_does_not_know_are_counted(con, unknown, words):
    """Of 20 users 10 are known by an alias; 2 unknown leave 90 %, 3 leave 85 %, which tells of 3; 5 leave 75 %."""
    con.execute(
        "UPDATE core.usage_daily SET person_id = 'CANARY-x' || person_id "
        f"WHERE person_id IN (SELECT 'CANARY1' || i FROM range({unknown}) AS r(i))"
    )
    said = {("directory_of_usage", "usage_daily.person_id"): f"the directory knows {words} of the users"}
    assert failures(con) == (said if words else {})


def test_incidents_linked_to_unknown_deployments_are_counted(con):
    """Three of 30 links lead nowhere."""
    con.execute("UPDATE core.incidents SET caused_by_deployment_id = 'lost' WHERE incident_id IN ('i1', 'i2', 'i3')")
    assert failures(con) == {
        ("deployment_of_incidents", "incidents.caused_by_deployment_id"): (
            "27 of 30 linked incidents name a known deployment (90.0%)"
        )
    }


def test_a_reference_to_a_table_without_rows_is_not_applicable(con):
    """An export that never came is told by its KPI, not by a broken link."""
    con.execute("DELETE FROM core.deployments; DELETE FROM ledger.loads WHERE table_name = 'deployments'")
    con.execute("DELETE FROM ledger.files WHERE source = 'deployments_export'")
    results = {result.check: result for result in check(con)}
    assert results["deployment_of_incidents"].observed == "no rows in deployments"
    assert all(result.passed for result in results.values())


def test_a_model_without_a_price_is_named(con):
    """One call a day goes to the small model; over the last 28 days that is 28."""
    forget(con, "prices", "model = 'small'")
    assert failures(con) == {
        ("unpriced_calls", "prices of the last 28 days"): (
            "openai small: 28 of 28 calls have tokens without a price (100.0%)"
        )
    }


def test_requests_of_unknown_duration_are_counted(con):
    """Four of 30 requests a day, 112 of 840 in 28 days; model calls are not requests of users and do not count."""
    con.execute("UPDATE core.calls SET ended_at = NULL WHERE kind = 'model' OR call_id SIMILAR TO '.*-[1-4]'")
    assert failures(con) == {
        ("unknown_latency", "requests of the last 28 days"): "112 of 840 requests have no known duration (13.3%)"
    }


def test_calls_that_mostly_fail_are_counted_by_kind(con):
    """20 of 30 model calls a day fail; requests are well."""
    con.execute("UPDATE core.calls SET status = 'timeout' WHERE kind = 'model' AND call_id NOT SIMILAR TO '.*-[0-9]'")
    assert failures(con) == {
        ("call_errors", "model calls of the last 28 days"): "560 of 840 calls ended in an error or timeout (66.7%)"
    }


def test_a_score_from_another_scale_is_counted(con):
    """Grounded is 0 to 1; a 5 comes from elsewhere. Six of five points are no answer either."""
    con.execute("UPDATE core.scores SET value = 5 WHERE score_id = 'gms001-1'")
    con.execute("UPDATE core.feedback SET score = 6 WHERE feedback_id = 'fs001-1'")
    assert failures(con) == {
        ("score_range", "csat answers"): "1 of 2,700 outside 0 to the highest point",
        ("score_range", "grounded scores"): "1 of 2,700 outside 0 to 1",
    }


@pytest.mark.parametrize(("billed", "gap"), [(92.0, None), (100.0, "16.0%"), (70.0, "20.0%")])
def test_an_invoice_that_disagrees_names_the_month(con, billed, gap):
    """February's calls cost 28 * 30 * 0.10 = 84 USD; |84 - 92| / 92 = 8.7 % is within 10 %."""
    con.execute("UPDATE core.cost_ledger SET billed_cost = ? WHERE line_id = 'bill2'", [billed])
    words = f"2026-02: calls 84.00 USD, invoice {billed:.2f} USD, gap {gap}"
    assert failures(con) == ({("invoice_gap", "model usage"): words} if gap else {})


@pytest.mark.parametrize(("requests", "share"), [(31, ""), (33, "90.9%"), (28, "107.1%")])
def test_requests_that_no_log_holds_are_told_by_provider_and_month(con, requests, share):
    """840 logged in February against 868, 924 and 784 at the provider; 5 % either way is allowed."""
    con.execute("UPDATE core.usage_buckets SET requests = ? WHERE month(bucket_start) = 2", [requests])
    words = f"2026-02: 840 requests logged, {28 * requests} at the provider ({share})"
    assert failures(con) == ({("requests_logged", "openai"): words} if share else {})


def test_what_a_provider_does_not_count_is_not_judged(con):
    """A report without requests says so; a gateway's own sums are no report."""
    con.execute("UPDATE core.usage_buckets SET requests = NULL WHERE month(bucket_start) = 2")
    results = {result.check: result for result in check(con)}
    assert results["requests_logged"].observed == (
        "all 2 months as expected (1 not judged: the provider counts no requests)"
    )
    con.execute("UPDATE core.usage_buckets SET reported_by = 'litellm', requests = 1")
    results = {result.check: result for result in check(con)}
    assert (results["requests_logged"].observed, results["requests_logged"].passed) == (NO_ROWS, True)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("currency = 'EUR'", "billed in another currency as well"),
        ("billed_cost = 0", "less than 1 USD billed"),
    ],
)
def test_a_month_that_cannot_be_compared_is_left_out_with_the_reason(con, change, reason):
    """The other two months are judged."""
    con.execute(f"UPDATE core.cost_ledger SET {change} WHERE line_id = 'bill2'")
    results = {result.check: result for result in check(con)}
    assert results["invoice_gap"].observed == f"all 2 months as expected (1 not judged: {reason})"


def test_a_month_only_partly_billed_is_left_out(con):
    """A cost export that ends on 20 March is no invoice for March."""
    con.execute(
        "UPDATE core.cost_ledger SET period_end = '2026-03-20 00:00:00+00', billed_cost = 50 WHERE line_id = 'bill3'"
    )
    results = {result.check: result for result in check(con)}
    assert results["invoice_gap"].observed == (
        "all 2 months as expected (1 not judged: the invoice does not cover the month)"
    )


@pytest.mark.parametrize(
    "change", ["charge_category = 'Tax'", "service_name = 'Copilot seats'", "service_provider = 'Landlord'"]
)
def test_what_is_not_model_usage_is_no_invoice_for_calls(con, change):
    """Taxes, seats and other providers do not pay for tokens."""
    con.execute(f"UPDATE core.cost_ledger SET {change}")
    results = {result.check: result for result in check(con)}
    assert (results["invoice_gap"].observed, results["invoice_gap"].passed) == (NO_ROWS, True)


def test_without_the_view_of_priced_calls_its_checks_are_not_applicable(con):
    """A relation that is absent is named."""
    con.execute("DROP VIEW facts.priced_calls")
    results = {result.check: result for result in check(con)}
    for name in ("invoice_gap", "unpriced_calls"):
        assert results[name].observed == "no rows: facts.priced_calls is absent"
        assert results[name].expected.startswith("not applicable")


def test_neither_time_zone_nor_threads_of_the_connection_change_anything(con):
    """Days are UTC days: every event of the fixture is at 23:30 UTC, the next day in Tokyo."""
    before = check(con)
    con.execute("SET TimeZone = 'Asia/Tokyo'; SET threads = 4")
    assert check(con) == before


def test_rows_not_yet_committed_are_judged(con):
    """Checks run inside the load's transaction, so that a block can undo it; so it is in every test here."""
    con.execute("UPDATE ledger.loads SET rows_in = rows_in + 1 WHERE table_name = 'people'")
    assert [key[0] for key in failures(con)] == ["rows_accounted"]
    con.execute("ROLLBACK")
    assert failures(con) == {}
    con.execute("BEGIN")
