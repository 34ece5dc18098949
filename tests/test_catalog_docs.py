"""The page about the catalogue, whose SQL is run, and the fingerprints of what a KPI means."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.catalog.docs import markdown
from pipeline.catalog.hashes import PROSE, catalog_hash, definition_hash
from pipeline.catalog.load import load_catalog
from pipeline.catalog.model import Catalog
from pipeline.engine.explain import rows_sql

ROOT = Path(__file__).resolve().parent.parent
COMMON = {
    "owner": "head", "question": "Why?", "direction": "up", "cadence": "weekly", "min_n": 5, "leaves_out": "Tests.",
    "pitfall": "None.",
}  # fmt: skip
METRICS: dict[str, dict[str, Any]] = {
    "rate": {
        "kind": "ratio", "name": "Rate", "fact": "calls", "unit": "ratio", "interval": "clustered",
        "cluster": "session",
        "numerator": "count(*) where status = 'error'", "denominator": "count(*)", "dimensions": ["tool", "team"],
        "unknown": "count(*) where status is null",
        "target": {"at_least": 0.9, "since": "2026-01-01", "source": "A plan"}, "references": ["A book"],
    },
    "share": {
        "kind": "snapshot", "name": "Share", "fact": "roster", "unit": "ratio", "interval": "exact", "people": True,
        "numerator": "sum(is_trained)", "denominator": "count(*)", "matures_after_days": 7,
    },
    "saved": {
        "kind": "total", "name": "Saved", "fact": "tasks", "unit": "h", "interval": "exact", "total": "sum(hours)",
    },
    "median": {
        "kind": "percentile", "name": "Median", "fact": "calls", "unit": "s", "interval": "order_statistics",
        "value": "latency_s", "percentile": 0.5,
    },
    "delta": {
        "kind": "difference", "name": "Delta", "fact": "answers", "unit": "points", "interval": "newcombe",
        "value": "is_top2", "arm": "variant", "treated": "ai", "control": "it's old", "first_per": "person",
    },
    "spell": {
        "kind": "survival_median", "name": "Spell", "fact": "incidents", "unit": "h", "interval": "greenwood",
        "start": "began", "end": "ended",
    },
}  # fmt: skip


def catalog_of(**changes: dict[str, Any]) -> Catalog:
    """The small catalogue, with keys of single KPIs changed; a key changed to None is left out."""
    metrics = {
        name: {key: value for key, value in {**COMMON, **metric, **changes.get(name, {})}.items() if value is not None}
        for name, metric in METRICS.items()
    }
    role = {"title": "Head <b>of</b> AI", "layer": "strategic", "tier": 1, "question": "Is it worth it?"}
    watcher = {"title": "Watcher", "layer": "strategic", "tier": 2, "question": "And?", "subscribes": ["rate"]}
    return Catalog.model_validate({"version": 1, "roles": {"head": role, "eye": watcher}, "metrics": metrics})


@pytest.fixture
def facts() -> duckdb.DuckDBPyConnection:
    """Facts with a few rows in the week of 5 January 2026 and one row after it."""
    connection = duckdb.connect()
    connection.execute("create schema facts")
    for name, columns, rows in [
        ("calls", "day, status, latency_s",
         "('2026-01-05', 'ok', 1.0), ('2026-01-06', 'error', 2.0), ('2026-01-11', 'ok', 9.0), "
         "('2026-01-12', 'error', 99.0)"),
        ("roster", "day, is_trained",
         "('2026-01-05', 0), ('2026-01-08', 1), ('2026-01-08', 1), ('2026-01-08', 0), ('2026-01-12', 0)"),
        ("tasks", "day, hours", "('2026-01-05', 1.5), ('2026-01-06', -0.25), ('2026-01-12', 8.0)"),
        ("answers", "day, person, variant, is_top2, first_order",
         "('2026-01-05', 'a', 'ai', 1, 1), ('2026-01-06', 'a', 'ai', 0, 2), ('2026-01-05', 'b', 'ai', 1, 1), "
         "('2026-01-05', 'c', 'it''s old', 1, 1), ('2026-01-05', 'd', 'it''s old', 0, 1)"),
        ("incidents", "day, began, ended",
         "('2026-01-05', timestamptz '2026-01-05 00:00:00+00', timestamptz '2026-01-05 02:00:00+00'), "
         "('2026-01-12', timestamptz '2026-01-12 00:00:00+00', timestamptz '2026-01-12 09:00:00+00')"),
    ]:  # fmt: skip
        sql = f"create table facts.{name} as select * replace (day::date as day) from (values {rows}) as t({columns})"
        connection.execute(sql)
    return connection


@pytest.mark.parametrize(
    ("kpi_id", "expected"),
    [
        ("rate", 1 / 3),
        ("share", 2 / 3),
        ("saved", 1.5 - 0.25),
        ("median", 2.0),
        ("delta", 100 * (2 / 2 - 1 / 2)),
        ("spell", 2.0),
    ],
)
def test_the_sql_on_the_page_runs_and_is_right(facts: duckdb.DuckDBPyConnection, kpi_id: str, expected: float) -> None:
    """The SQL of every kind gives the value worked out by hand for the week of 5 January."""
    sql = rows_sql(catalog_of().metrics[kpi_id])
    for name, day in ((":period_start", "2026-01-05"), (":period_end", "2026-01-12")):
        sql = sql.replace(name, f"date '{day}'")
    found = facts.execute(sql.replace(":data_end", "timestamptz '2026-01-12 00:00:00+00'"))
    value = dict(zip([column[0] for column in found.description], found.fetchall()[0], strict=True))["value"]
    assert float(value) == pytest.approx(expected)


def section(page: str, kpi_id: str) -> str:
    """The part of the page about one KPI."""
    return page.split(f'<a id="{kpi_id}"></a>')[1].split("<a id=", maxsplit=1)[0]


def test_a_section_says_everything() -> None:
    """Owner, formula, unit, direction, target, cadence, dimensions, interval and prose stand in the section."""
    assert section(markdown(catalog_of(), sql=lambda _: "SELECT 1"), "rate").strip() == (
        "## Rate (`rate`)\n\n"
        "Why?\n\n"
        "**Formula**: `count(*) where status = 'error' ÷ count(*)`\n\n"
        "```sql\nSELECT 1\n```\n\n"
        "- **Owner**: Head \\<b\\>of\\</b\\> AI\n"
        "- **Also read by**: Watcher\n"
        "- **Unit**: ratio; higher is better\n"
        "- **Target**: at least 0.9, since 2026-01-01; source: A plan\n"
        "- **Cadence**: judged weekly\n"
        "- **Dimensions**: `tool`, `team`\n"
        "- **Interval**: by cluster `session`\n"
        "- **Enough data**: from n = 5\n"
        "- **Not available**: while the number of rows where `status is null` is above zero\n"
        "- **What is left out**: Tests.\n"
        "- **Pitfall**: None.\n"
        "- **References**: A book"
    )


@pytest.mark.parametrize(
    ("kpi_id", "phrase"),
    [
        ("share", "on the last day with data"),
        ("share", "closed 7 days after its end"),
        ("share", "groups of fewer than 5 people are not shown"),
        ("saved", "**Formula**: `sum(hours)`"),
        ("saved", "**Target**: none"),
        ("median", "50% quantile of latency_s"),
        ("delta", "share of is_top2 where variant = ai minus where variant = it's old"),
        ("spell", "open ones censored"),
    ],
)
def test_sections_of_every_kind(kpi_id: str, phrase: str) -> None:
    """What is special about a kind or a key stands in the section."""
    assert phrase in section(markdown(catalog_of()), kpi_id)


def test_prose_cannot_become_markup() -> None:
    """Names and prose are shown as they stand, in headings and in the table."""
    page = markdown(catalog_of(rate={"name": "A | <script>x</script> [y](z)", "pitfall": "*so* `it` & &lt; is $5"}))
    assert "A \\| \\<script\\>x\\</script\\> \\[y\\](z)" in page
    assert "<script>" not in page
    assert "\\*so\\* \\`it\\` & \\&lt; is \\$5" in page


def test_the_page_of_the_project_has_every_kpi() -> None:
    """Each KPI of the project has one section, in catalogue order."""
    catalog = load_catalog(ROOT / "metrics_catalog.yaml")
    anchors = [part.split('"')[0] for part in markdown(catalog).split('<a id="')[1:]]
    assert anchors == list(catalog.metrics)


def test_page_and_hashes_are_the_same_for_every_hash_seed() -> None:
    """Two interpreters with other hash seeds write the same bytes."""
    code = (
        "from pathlib import Path\n"
        "from pipeline.catalog.load import load_catalog\n"
        "from pipeline.catalog.docs import markdown\n"
        "from pipeline.catalog.hashes import catalog_hash, definition_hash\n"
        "c = load_catalog(Path('metrics_catalog.yaml'))\n"
        "print(markdown(c), catalog_hash(c), [definition_hash(m) for m in c.metrics.values()])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 1000


def hash_of(**change: Any) -> str:
    """Definition hash of the ratio with some keys changed."""
    return definition_hash(catalog_of(rate=change).metrics["rate"])


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Other"}, {"question": "Other?"}, {"owner": "eye"}, {"target": None}, {"pitfall": "Other."},
        {"leaves_out": "Other."}, {"references": ["Other"]}, {"dimensions": ["team", "tool"]}, {"people": False},
        {"matures_after_days": 0}, {"numerator": " count( * )  where (status='error')"},
    ],
)  # fmt: skip
def test_prose_owner_target_and_spelling_keep_the_hash(change: dict[str, Any]) -> None:
    """What changes no number changes no definition hash."""
    assert hash_of(**change) == hash_of()


@pytest.mark.parametrize(
    "change",
    [
        {"fact": "tools"}, {"numerator": "count(*) where status = 'timeout'"}, {"denominator": "sum(n)"},
        {"unknown": None}, {"unit": "USD/session"}, {"direction": "down"}, {"cadence": "daily"},
        {"dimensions": ["tool"]},
        {"people": True}, {"min_n": 6}, {"matures_after_days": 1}, {"interval": "exact"}, {"cluster": "person"},
    ],
)  # fmt: skip
def test_a_changed_meaning_changes_the_hash(change: dict[str, Any]) -> None:
    """Whatever could change a number, a status or a signal changes the definition hash."""
    assert hash_of(**change) != hash_of()


def test_the_hash_is_that_of_the_meaning_as_canonical_json() -> None:
    """The hashed text, written out: sorted keys, no defaults, no prose, measures in one spelling, dimensions sorted."""
    text = (
        '{"cadence":"weekly","cluster":"session","denominator":"count(*)","dimensions":["team","tool"],'
        '"direction":"up","fact":"calls","interval":"clustered","kind":"ratio","min_n":5,'
        '"numerator":"count(*) where status = \'error\'","unit":"ratio","unknown":"count(*) where status is null"}'
    )
    assert hash_of() == hashlib.sha256(text.encode()).hexdigest()[:12]
    assert hash_of() == "83f40c18ec18"
    assert {"name", "owner", "question", "target", "earlier_targets", "leaves_out", "pitfall", "references", "aim",
            "examples", "headline", "cumulative"} == PROSE  # fmt: skip


def test_a_text_that_is_no_measure_has_a_hash_too() -> None:
    """The hash of a record whose expression is broken is that of its text, so it can be compared as well."""
    assert hash_of(numerator="sums(a)") != hash_of(numerator="sums(b)")


@pytest.mark.parametrize(
    "change",
    [{"pitfall": "Other."}, {"owner": "eye"}, {"min_n": 6}, {"dimensions": ["team", "tool"]}, {"target": None}],
)
def test_the_catalogue_hash_sees_everything(change: dict[str, Any]) -> None:
    """Whatever a reader could see changes the hash of the catalogue."""
    assert catalog_hash(catalog_of(rate=change)) != catalog_hash(catalog_of())


def test_the_catalogue_hash_ignores_how_the_file_is_laid_out(tmp_path: Path) -> None:
    """Comments, blank lines and line ends are no part of the catalogue."""
    text = (ROOT / "metrics_catalog.yaml").read_text(encoding="utf-8")
    path = tmp_path / "metrics_catalog.yaml"
    path.write_bytes(("# a note\r\n\r\n" + text.replace("\n", "\r\n")).encode())
    assert catalog_hash(load_catalog(path)) == catalog_hash(load_catalog(ROOT / "metrics_catalog.yaml"))
    assert len(catalog_hash(load_catalog(path))) == 12


def test_what_a_row_is_stands_beside_the_formula():
    """The rule of each fact comes from outside; a fact of which nobody says it has no line."""
    text = markdown(catalog_of(), {"calls": "One call of a tool; <b>retries</b> count."})
    section = text.split("(`rate`)")[1].split("## ")[0]
    assert r"**One row of `calls` is**: One call of a tool; \<b\>retries\</b\> count." in section
    assert "**One row of" not in text.split("(`share`)")[1].split("## ")[0]
    assert "**One row of" not in markdown(catalog_of())


def test_no_question_of_a_role_speaks_of_a_currency() -> None:
    """Amounts say theirs; a question in euros stood above a page in dollars."""
    asked = [one.question for one in load_catalog(ROOT / "metrics_catalog.yaml").roles.values()]
    assert len(asked) >= 14
    assert not [one for one in asked if re.search(r"\b(euros?|dollars?|pounds?|francs?|USD|EUR)\b|[$€£]", one)]
