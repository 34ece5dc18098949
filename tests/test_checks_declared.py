"""Declaring a check in YAML, how Great Expectations is used, and what a result looks like."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import great_expectations as gx
import pytest
from ruamel.yaml import YAML

from pipeline.checks import CHECKS, CheckResult, as_rows, blocking, load_checks, run_checks
from pipeline.errors import ConfigurationError
from pipeline.facts import create_views
from pipeline.warehouse.connection import create_schemas

ROOT = Path(__file__).resolve().parent.parent
WHEN = {"as_of": date(2026, 3, 31), "now": datetime(2026, 4, 1, tzinfo=UTC), "run_id": "1"}
ONE = """\
checks:
  shelf:
    layer: warehouse
    severity: block
    means: A test.
    sql: {sql}
    expectation: {expectation}
    observed: "{observed}"
    expected: "{expected}"
    subject: shelves
    items: books
    kpis: [mttr]
"""
ALONE = """
import sys
from datetime import UTC, date, datetime
import duckdb
from pipeline.checks import load_checks, run_checks

load_checks()
assert not {"great_expectations", "pandas"} & set(sys.modules)
con = duckdb.connect()
con.execute("CREATE SCHEMA ledger")
con.execute("CREATE TABLE ledger.files AS "
            "SELECT 1 AS file_hash, 'x' AS name, 's' AS source, 'loaded' AS status, 1 AS run_id")
con.execute("CREATE TABLE ledger.loads AS SELECT 1 AS load_id, 1 AS run_id, 1 AS file_hash, 'calls' AS table_name, "
            "2 AS rows_in, 1 AS loaded, 0 AS duplicate, 0 AS quarantined")
results = run_checks(con, as_of=date(2026, 3, 31), now=datetime(2026, 4, 1, tzinfo=UTC), run_id="1")
assert "great_expectations" in sys.modules
assert [result.check for result in results if not result.passed] == ["rows_accounted"]
"""
BETWEEN = "{type: expect_column_values_to_be_between, column: pages, min_value: 1, max_value: 9}"
PAGES = "SELECT * FROM (VALUES ('b', 'x', 5, 2), ('a', 'y', 5, 12), ('a', 'z', 5, 3)) AS v(subject, item, n, pages)"


@pytest.fixture
def judged(tmp_path):
    """Run one check declared in a file of its own; returns its results."""

    def judge(
        sql: str = PAGES,
        *,
        expectation: str = BETWEEN,
        observed: str = "{item} has {pages} pages",
        expected: str = "{min_value} to {max_value} pages",
    ) -> list[CheckResult]:
        path = tmp_path / "own.yaml"
        path.write_text(ONE.format(sql=sql, expectation=expectation, observed=observed, expected=expected))
        load_checks.cache_clear()
        return run_checks(duckdb.connect(), declared=path, **WHEN)

    return judge


def test_a_check_is_added_in_yaml_alone(judged):
    """One result per subject, in alphabetical order, with words filled in from the SQL and the expectation."""
    assert judged() == [
        CheckResult(
            "shelf", "warehouse", "a", "expect_column_values_to_be_between(pages)", "y has 12 pages", "1 to 9 pages",
            passed=False, severity="block", kpis=("mttr",),
        ),
        CheckResult(
            "shelf", "warehouse", "b", "expect_column_values_to_be_between(pages)", "x has 2 pages", "1 to 9 pages",
            passed=True, severity="block", kpis=("mttr",),
        ),
    ]  # fmt: skip


def test_only_the_first_failures_are_written_out(judged):
    """Five of six books are too long; three are named and two counted."""
    sql = "SELECT 'a' AS subject, 'b' || i AS item, 1 AS n, 5 + i AS pages FROM range(4, 10) AS r(i)"
    (result,) = judged(sql, expectation=BETWEEN.replace("9", "9.5"), expected="-")
    assert result.observed == "b5 has 10 pages; b6 has 11 pages; b7 has 12 pages; and 2 more books"


def test_a_value_that_is_not_known_fails(judged):
    """Great Expectations passes over empty values; a check must not pass because its number is missing."""
    (result,) = judged("SELECT 'a' AS subject, 'x' AS item, 5 AS n, CAST(NULL AS DOUBLE) AS pages")
    assert (result.passed, result.observed) == (False, "x: pages not known")
    (result,) = judged("SELECT 'a' AS subject, 'x' AS item, 5 AS n, CAST('nan' AS DOUBLE) AS pages")
    assert (result.passed, result.observed) == (False, "x: pages not known")


def test_nothing_to_rest_on_is_not_applicable(judged):
    """n = 0 is no rows, whatever the judged number is."""
    (result,) = judged("SELECT 'a' AS subject, 'x' AS item, 0 AS n, 99 AS pages")
    assert (result.passed, result.observed) == (True, "no rows")
    assert result.expected == "not applicable; with data: 1 to 9 pages"


def test_an_expectation_over_words_works_as_well(judged):
    """Columns of text are judged like numbers; checks do not mix up each other's rows."""
    sql = "SELECT * FROM (VALUES ('a', 'x', 1, 'red'), ('b', 'y', 1, 'blue')) AS v(subject, item, n, colour)"
    results = judged(
        sql,
        expectation="{type: expect_column_values_to_be_in_set, column: colour, value_set: [red]}",
        observed="{colour}",
        expected="one of {value_set}",
    )
    assert [(result.subject, result.passed, result.observed) for result in results] == [
        ("a", True, "red"),
        ("b", False, "blue"),
    ]


def test_an_expectation_over_the_whole_column_fails_all_of_it(judged):
    """A mean belongs to no single row: (2 + 12 + 3) / 3 = 5.67 is above 5, so every subject fails."""
    results = judged(expectation="{type: expect_column_mean_to_be_between, column: pages, max_value: 5}", expected="-")
    assert [(result.subject, result.passed) for result in results] == [("a", False), ("b", False)]
    results = judged(expectation="{type: expect_column_mean_to_be_between, column: pages, max_value: 6}", expected="-")
    assert [(result.subject, result.passed) for result in results] == [("a", True), ("b", True)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expectation": "{type: expect_wonders, column: pages}", "expected": "-"}, "knows no expect_wonders"),
        ({"expectation": BETWEEN.replace("max_value: 9", "max: 9"), "expected": "-"}, "arguments of .* are wrong"),
        ({"expectation": BETWEEN.replace("pages", "words")}, "its SQL gives no column words"),
        ({"sql": PAGES.replace("pages)", "pages)) ")}, "check shelf: its SQL does not run"),
        ({"sql": "SELECT 'a' AS subject, 'x' AS item, 1 AS n, CAST('CANARY' AS INTEGER) AS pages"}, "ConversionExcep"),
        ({"sql": "SELECT 'a' AS subject, 'x' AS item, 1 AS n, 'CANARY' AS pages"}, "could not judge"),
        ({"observed": "{title}"}, "`observed` names what cannot be shown"),
        ({"expected": "{most} pages"}, r"own\.yaml:9  Q003  shelf.expected names 'most'"),
        ({"expectation": "{type: expect_table_row_count_to_equal, value: 3}"}, r"own\.yaml:7  Q002 .*column it judges"),
    ],
)
def test_a_wrong_declaration_says_what_is_wrong(judged, change, message):
    """Every fault names the check; no value of the data is shown."""
    with pytest.raises(ConfigurationError, match=message) as raised:
        judged(**change)
    assert "CANARY" not in str(raised.value)


@pytest.mark.parametrize(
    ("line", "by", "message"),
    [
        ("    severity: block", "    severity: loud", r"own\.yaml:4  Q002  checks.shelf.severity: Input should be"),
        ("    means: A test.", "    sense: A test.", r"own\.yaml:5  Q002  checks.shelf.sense: Extra inputs"),
        ("    means: A test.", "    means: A test.\n    needs: [core.cals]", r"own\.yaml:6  Q004 .* names 'core.cals'"),
        ("checks:", "checks: [", r"own\.yaml:\d+  Q001  this is not YAML"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(tmp_path, line, by, message):
    """Typing errors are found before anything runs."""
    path = tmp_path / "own.yaml"
    text = ONE.format(sql=PAGES, expectation=BETWEEN, observed="-", expected="-")
    path.write_text(text.replace(line, by, 1))
    with pytest.raises(ConfigurationError, match=message):
        load_checks(path)


def test_a_missing_file_is_told(tmp_path):
    """The name of the file is in the message."""
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml cannot be read"):
        load_checks(tmp_path / "nowhere.yaml")


def test_great_expectations_judges_each_layer_with_one_checkpoint(monkeypatch):
    """Two checkpoints run, and every check that has rows is one expectation of them."""
    con = duckdb.connect()
    create_schemas(con)
    con.execute("INSERT INTO ledger.files VALUES ('h', 'p.csv', 1, 'hr', 'loaded', '', 1, 1, '', NULL)")
    con.execute("INSERT INTO ledger.loads VALUES (1, 1, 'h', 'people', 1, 1, 0, 0, 0)")
    con.execute(
        "INSERT INTO core.people BY NAME SELECT 'CANARY' AS person_id, DATE '2026-01-01' AS valid_from, 1 AS _load_id"
    )
    seen = []
    run = gx.Checkpoint.run

    def spy(self, *, batch_parameters, run_id):
        result = run(self, batch_parameters=batch_parameters, run_id=run_id)
        (suite,) = result.run_results.values()
        checks = {one.expectation_config.meta["check"] for one in suite.results}
        seen.append((self.name, checks, batch_parameters["dataframe"], run_id))
        return result

    monkeypatch.setattr(gx.Checkpoint, "run", spy)
    assert all(result.passed for result in run_checks(con, **WHEN))
    assert [(name, checks) for name, checks, _, _ in seen] == [
        (
            "batch",
            {"rows_accounted", "rows_held", "empty_files"},
        ),
        ("warehouse", {"unique_keys", "quarantine_limit", "quarantine_rate", "refused_files"}),
    ]
    for _, _, frame, run_id in seen:
        assert "CANARY" not in frame.to_csv()
        assert run_id.run_time == WHEN["now"], "no wall clock in what Great Expectations keeps"


def test_the_warehouse_and_the_facts_as_they_are_can_be_checked():
    """The SQL of the declared checks binds to the real ledger, tables and views, and leaves nothing behind."""
    con = duckdb.connect()
    create_schemas(con)
    create_views(con)
    before = con.execute("SELECT table_name FROM duckdb_tables() ORDER BY ALL").fetchall()
    results = run_checks(con, **WHEN)
    assert {result.check for result in results} == set(load_checks().checks)
    assert not [result for result in results if "absent" in result.observed]
    assert con.execute("SELECT table_name FROM duckdb_tables() ORDER BY ALL").fetchall() == before


def test_checks_name_kpis_of_the_catalogue():
    """A check that names KPIs names those there are; the others get theirs from the tables they look at."""
    catalogue = YAML(typ="safe").load((ROOT / "metrics_catalog.yaml").read_text(encoding="utf-8"))["metrics"]
    assert {kpi for check in load_checks().checks.values() for kpi in check.kpis or ()} <= set(catalogue)


def test_nothing_is_printed_written_or_imported_early(tmp_path):
    """Great Expectations is silent, leaves no file in the home or working folder, and loads only when checks run."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_the_log_level_of_the_library_is_given_back():
    """Silence lasts as long as the checks run."""
    import logging

    logger = logging.getLogger("great_expectations")
    logger.setLevel(logging.INFO)
    test_the_warehouse_and_the_facts_as_they_are_can_be_checked()
    assert logger.level == logging.INFO
    logger.setLevel(logging.NOTSET)


def test_only_failed_blocking_results_block():
    """Warnings are shown, passed blocks are fine; rows for the page carry every field."""
    bad = CheckResult("c", "batch", "s", "e", "o", "x", passed=False, severity="block", kpis=("mttr",))
    warning = CheckResult("w", "batch", "s", "e", "o", "x", passed=False, severity="warn", kpis=())
    good = CheckResult("g", "warehouse", "s", "e", "o", "x", passed=True, severity="block", kpis=())
    assert blocking([warning, bad, good]) == [bad]
    assert as_rows([bad]) == [
        {
            "check": "c", "layer": "batch", "subject": "s", "expectation": "e", "observed": "o", "expected": "x",
            "passed": False, "severity": "block", "kpis": ["mttr"],
        }
    ]  # fmt: skip


def test_each_declared_check_says_why_it_is_there():
    """The shipped declaration is well formed, and the batch layer comes first."""
    checks = load_checks(CHECKS).checks
    assert all(check.means.endswith(".") for check in checks.values())
    layers = [check.layer for check in checks.values()]
    assert layers == sorted(layers)
