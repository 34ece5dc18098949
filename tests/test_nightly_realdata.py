"""The nightly run on exports written by others gives the numbers their publishers give."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from project import Project

from pipeline.statistics.histogram import ALPHA


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, realdata: Path) -> tuple[Project, dict[str, Any]]:
    """One run on everything that lies there, through source mappings alone."""
    project = Project.new(tmp_path_factory.mktemp("real") / "project")
    return project, project.json("nightly", "--exports", realdata, exit_code=3)


def _of_run(project: Project, kpi: str, dimension: str) -> dict[str, dict[str, str]]:
    """The values of the one day of load tests, per slice."""
    return {
        key[5]: row for key, row in project.values().items()
        if key[0] == kpi and key[1] == "day" and key[2] == "2023-12-27" and key[4] == dimension
    }  # fmt: skip


def test_latencies_and_errors_of_all_19_load_tests(run: tuple[Project, dict[str, Any]], realdata: Path) -> None:
    """p95 within the stated bound of each published summary, error rate to the last digit."""
    project, _ = run
    latency, served = _of_run(project, "p95_latency", "model"), _of_run(project, "availability", "service")
    summaries = sorted((realdata / "llmperf-latency" / "summary").glob("*.json"))
    assert len(summaries) == 19
    for path in summaries:
        published = json.loads(path.read_text(encoding="utf-8"))
        p95 = published["results_end_to_end_latency_s_quantiles_p95"]
        assert float(latency[path.stem]["value"]) == pytest.approx(p95, rel=ALPHA), path.stem
        assert 1 - float(served[path.stem]["value"]) == pytest.approx(published["results_error_rate"], abs=1e-12), (
            path.stem
        )
        assert (
            int(served[path.stem]["n"]) - Decimal(served[path.stem]["numerator"]) == published["results_number_errors"]
        )


def test_explain_gives_the_exact_percentile(run: tuple[Project, dict[str, Any]], realdata: Path) -> None:
    """7.833533104001617 s for bedrock_70b, read from the one file that has its rows."""
    project, _ = run
    told = project.json("explain", "p95_latency", "--by", "model=bedrock_70b", "--exports", realdata)
    assert told["from_rows"] == {"value": 7.833533104001617, "n": 101, "unknown": 49}
    assert [file["file"] for file in told["files"]] == ["llmperf-latency/individual/bedrock_70b.json"]
    assert "within 1%" in told["bound"]
    printed = project.roi("explain", "p95_latency", "--by", "model=bedrock_70b", "--exports", realdata).stdout
    assert re.search(r"rows: value +7\.83\u202fs \(exactly 7\.833533104001617\)\n", printed)


def test_agent_sessions(run: tuple[Project, dict[str, Any]]) -> None:
    """1 164 tool calls with 73 errors; 200 sessions of which 48 were handed to a person."""
    project, _ = run
    (tools,) = (
        row
        for key, row in project.values().items()
        if key[:3] == ("tool_error_rate", "day", "2024-06-17") and not key[4]
    )
    assert (Decimal(tools["numerator"]), Decimal(tools["denominator"])) == (73, 1164)
    handed = "SELECT count(*), count(*) FILTER (WHERE first_human_reply_at IS NOT NULL) FROM core.contacts"
    assert project.rows("realdata", handed) == [(200, 48)]
    assert project.rows("realdata", "SELECT count(*) FROM core.sessions") == [(200,)]


def test_billing_and_invoice_totals(run: tuple[Project, dict[str, Any]]) -> None:
    """123 rows of 710.5143 gross and 0 net; the FOCUS sample sums to the published digits, and exactly to fewer."""
    project, _ = run
    totals = {
        (source, column): (rows, total)
        for source, column, rows, total in project.rows(
            "realdata",
            "SELECT f.source, column_name, rows, total FROM ledger.totals JOIN ledger.files AS f USING (file_hash)",
        )
    }
    rows, gross = totals["github_billing", "list_cost"]
    assert (rows, round(gross, 4)) == (123, Decimal("710.5143"))
    assert totals["github_billing", "billed_cost"] == (123, 0)
    assert totals["focus", "billed_cost"] == (1000, Decimal("20.52022672899"))
    assert totals["focus", "effective_cost"] == (1000, Decimal("14.97651418586"))
    billed = project.rows(
        "realdata",
        "SELECT billed_cost::DOUBLE FROM core.cost_ledger JOIN ledger.files AS f ON f.file_hash = _file "
        "WHERE f.source = 'focus' ORDER BY _line",
    )
    assert (
        sum(cost for (cost,) in billed) == 20.52022672899003
    )  # the publisher's number is a sum of floats in file order


def test_prices_judgements_and_retrieval(run: tuple[Project, dict[str, Any]]) -> None:
    """gpt-4o at 2.5e-06 in, 1e-05 out and 1.25e-06 cached; 3 681 judgements; 1 500 ranked results."""
    project, _ = run
    prices = project.rows(
        "realdata",
        "SELECT token_class, price FROM core.prices "
        "WHERE provider = 'openai' AND model = 'gpt-4o' AND tier_rule = 'standard'",
    )
    expected = {"in_uncached": Decimal("2.5e-06"), "out": Decimal("1e-05"), "cache_read": Decimal("1.25e-06")}
    assert expected.items() <= dict(prices).items()
    counts = "SELECT (SELECT count(*) FROM core.relevance_judgements), (SELECT count(*) FROM core.retrieval_results)"
    assert project.rows("realdata", counts) == [(3681, 1500)]


def prices_of(document: Path) -> int:
    """How many token prices the map has, its models named with or without their provider counted once."""
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    for key, entry in sorted(json.loads(document.read_text(encoding="utf-8")).items(), key=lambda one: len(one[0])):
        if key != "sample_spec" and (provider := entry.get("litellm_provider")) is not None:
            entries[provider, key.removeprefix(f"{provider}/")] = entry
    priced = re.compile(r"(input|output)_cost_per_token|(cache_read|cache_creation)_input_token_cost(_above_1hr)?")
    length_and_tier = re.compile(r"(_above_\d+k_tokens)?(_priority|_flex|_batches)?")
    found = 0
    for entry in entries.values():
        for name, price in entry.items():
            base = priced.match(name)
            if base and price is not None and length_and_tier.fullmatch(name[base.end() :]):
                found += not name.startswith("cache_read_input_token_cost_above_1hr")
    return found


def test_files_nobody_can_read_are_refused_and_kept_out(run: tuple[Project, dict[str, Any]], realdata: Path) -> None:
    """Every file that was not taken is named with its reason, and every row is accounted for."""
    project, summary = run
    rows = summary["rows"]
    assert rows["rows_in"] == rows["loaded"] + rows["duplicate"] + rows["quarantined"]
    prices = prices_of(realdata / "litellm-prices" / "model_prices_and_context_window.json")
    assert prices > 9861, "prices of standard calls alone"
    assert rows["loaded"] == 9 + 107 + 1000 + 123 + prices + 2 * 2845 + 3 * 200 + 1164 + 3681 + 1500
    refused = project.rows("realdata", "SELECT reason FROM ledger.files WHERE status = 'quarantined'")
    assert len(refused) == summary["files"]["quarantined"] > 0
    assert all(reason.startswith("no source takes this file") for (reason,) in refused)
