"""The nightly run on the sample organisation, through the command line: right answers, planted trouble, increments."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml
from attack_room import few_behind, few_left, read, traces
from oracle_return import Return
from project import ROOT, Project
from return_drawn import drawings
from return_drawn import drawn as drawn_of_return
from return_expected import differences, expected
from return_page import pieces, tokens
from scorecard_ask import asked
from scorecard_chart import spark
from scorecard_expected import Sheet, drawn, other_words, worded
from scorecard_expected import differences as other_figures
from scorecard_expected import expected as scorecard
from scorecard_page import figures, places
from scorecard_rest import Frame, of_the_edition
from scorecard_text import count, interval
from test_roi_tree import recomputed
from typer.testing import CliRunner

from pipeline.catalog import load
from pipeline.catalog.load import load_catalog
from pipeline.catalog.model import Percentile
from pipeline.catalog.people import is_withheld, tells_of_people
from pipeline.cli import app
from pipeline.facts import facts_of_deeds
from pipeline.statistics.histogram import ALPHA

LAST_DAY = "2026-10-31"
PAGES = {f"{role}.html" for role in load_catalog(ROOT / "metrics_catalog.yaml").reported_roles()}
PERCENTILES = {
    kpi for kpi, metric in load_catalog(ROOT / "metrics_catalog.yaml").metrics.items() if isinstance(metric, Percentile)
}


@dataclass(frozen=True)
class Nights:
    """Three nights: all but the last day's traffic, that day's three files, and nothing new."""

    project: Project
    truth: dict[str, Any]
    first: dict[str, Any]
    second: dict[str, Any]
    third: dict[str, Any]
    second_pages: dict[str, str]
    third_pages: dict[str, str]


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """Run the three nights once for the module."""
    project = Project.new(tmp_path_factory.mktemp("sample") / "project")
    project.roi("sample")
    exports, aside = project.root / "data" / "exports" / "sample", project.root / "aside"
    late = sorted(path for path in exports.rglob(f"*{LAST_DAY}*") if path.parent.name in ("langfuse", "litellm"))
    assert len(late) == 3
    aside.mkdir()
    for path in late:
        shutil.move(path, aside / path.name)
    first = project.json("nightly", exit_code=3)
    for path in late:
        shutil.move(aside / path.name, path)
    second = project.json("nightly", exit_code=3)
    second_pages = project.digests()
    third = project.json("nightly")
    truth = json.loads((exports / "truth.json").read_text(encoding="utf-8"))
    return Nights(project, truth, first, second, third, second_pages, project.digests())


def _differences(expected: dict[str, Any], found: dict[str, str]) -> list[str]:
    """What of a value is not as the truth has it."""
    wrong = []
    if expected["value"] is None:
        return [] if found["value"] == "" else [f"value {found['value']}, expected none"]
    bound = ALPHA if expected["kpi_id"] in PERCENTILES else 1e-12
    if found["value"] == "" or abs(float(found["value"]) - expected["value"]) > bound * abs(expected["value"]):
        wrong.append(f"value {found['value']}, expected {expected['value']}")
    for name in ("numerator", "denominator"):
        if expected[name] is not None and (not found[name] or Decimal(found[name]) != Decimal(expected[name])):
            wrong.append(f"{name} {found[name]}, expected {expected[name]}")
    if found["n"] != str(expected["n"]):
        wrong.append(f"n {found['n']}, expected {expected['n']}")
    if "status" in expected and found["status"] != expected["status"]:
        wrong.append(f"status {found['status']}, expected {expected['status']}")
    return wrong


METRICS = load_catalog(ROOT / "metrics_catalog.yaml").metrics


def _is_withheld(expected: dict[str, Any], found: dict[str, str]) -> bool:
    """Whether a value is withheld lest a small group be worked out; closed totals at the cadence always are told.

    Of what people did those are closed months; on a Sunday it may be few.

    tests/test_suppression.py says what may be told; the truth knows only of groups that are small themselves.
    """
    metric = METRICS[expected["kpi_id"]]
    is_headline = expected["dimension"] == "" and expected["grain"] == metric.grain and "status" not in expected
    is_whole = metric.people or expected["grain"] in ("month", "quarter")
    return tells_of_people(metric, facts_of_deeds()) and not (is_headline and is_whole) and found["value"] == ""


NOT_IN_TRUTH = {
    "programme_roi", "net_benefit", "payback_months", "cost_savings", "evidence_backed_benefit_share",
    "bill_reconciliation_gap", "compliance_incidents", "request_throughput", "retrieval_relevance_at_k",
    "prompt_iteration_days", "cache_hit_rate", "deployment_frequency", "nps_delta", "refusal_correctness",
}  # fmt: skip
"""KPIs the made-up organisation has no right answers for; tests/test_oracles_*.py hold them to another computation."""


@pytest.mark.parametrize("kpi", sorted(set(METRICS) - NOT_IN_TRUTH))
def test_every_right_answer_is_given(nights: Nights, kpi: str) -> None:
    """Counts and money to the last digit, percentiles within 1 %, whichever night the rows came in."""
    values, keys = (
        nights.project.values(),
        ("kpi_id", "grain", "period_start", "period_end", "dimension", "dimension_value"),
    )
    answers = [one for one in [*nights.truth["values"], *nights.truth["more"]] if one["kpi_id"] == kpi]
    assert len(answers) > 3
    wrong = {}
    for one in answers:
        key = tuple(one[name] for name in keys)
        if key not in values:
            wrong[key] = [] if one["value"] is None else ["not published"]
        else:
            wrong[key] = [] if _is_withheld(one, values[key]) else _differences(one, values[key])
    assert not {key: what for key, what in wrong.items() if what}


def test_what_is_withheld_leaves_no_trace(nights: Nights) -> None:
    """No number, signal, point or title of it on a page, in a drawing, download or mail; a planted one is seen."""
    told = read(nights.project.reports)
    assert len(told.hidden) > 100
    assert list(traces(told)) == []
    some = next(key for key, row in told.rows.items() if key not in told.hidden and key[1] == "quarter" and row["n"])
    places = {place for place, _ in traces(replace(told, hidden=told.hidden | {some}))}
    assert {"kpi_values.csv.gz", "kpi_values.parquet"} <= places


def test_what_is_withheld_cannot_be_explained(nights: Nights) -> None:
    """The rows of a suppressed group are not counted out to whoever asks for the explanation."""
    withheld = [key for key, row in nights.project.values().items() if key[0] == "adoption_rate" and key[1] == "month"
                and key[4] == "department" and row["status"] == "not_available" and row["n"] == ""]  # fmt: skip
    assert withheld
    told = nights.project.json(
        "explain", "adoption_rate", "--period", withheld[0][2][:7], "--by", f"department={withheld[0][5]}"
    )
    assert told["published"]["reason"] == "suppressed: fewer than 5 people, or kept back to protect such a group"
    assert told["from_rows"] == {}


def test_no_told_group_of_people_is_small(nights: Nights) -> None:
    """Every n of a KPI about people is 0, or five and more, and so are both groups where two are compared."""
    for key, row in read(nights.project.reports).rows.items():
        people = [int(row["n"])] if row["n"] and METRICS[key[0]].people else []
        if key[0] in ("csat_delta", "nps_delta") and row["n"]:
            people += [int(row["denominator"]), int(row["n"]) - int(row["denominator"])]
        assert not any(0 < many < 5 for many in people), key


def test_nothing_is_told_that_few_people_did(nights: Nights) -> None:
    """Neither in total nor by a slice, nor is it left to what is withheld, or of a slice by others within it.

    Were all told, it would be.
    """
    told = read(nights.project.reports)
    ask = partial(nights.project.rows, "sample")
    assert list(few_behind(ask, told)) == []
    assert list(few_left(ask, told)) == []
    everything = replace(told, hidden=frozenset())
    assert len(list(islice(few_behind(ask, everything), 1001))) == 1001
    assert len(list(islice(few_left(ask, everything), 101))) == 101


def test_every_value_has_what_backs_it(nights: Nights) -> None:
    """Unit, owner, n and definition on each; an interval unless the KPI is exact; no value without a reason."""
    for key, row in nights.project.values().items():
        assert row["unit"] and row["owner"] and row["definition_hash"] and row["edition"] == "2", key
        assert row["status"] in {"computed", "immature", "insufficient_data", "not_available"}, key
        assert (row["value"] == "") == (row["status"] == "not_available"), key
        if row["status"] == "computed":
            assert row["n"] not in ("", "0"), key
            told = row["interval_high"] or row["interval_low"]
            assert row["interval_method"] == "exact" or told or int(row["n"]) < 10, (
                key
            )  # few and alike: nothing to judge by


@pytest.mark.parametrize("status", ["loaded", "duplicate", "quarantined"])
def test_planted_trouble_is_found_counted_and_named(nights: Nights, status: str) -> None:
    """Each planted file has the fate, the counts and the reasons that were planted."""
    planted = [one for one in nights.truth["planted"] if one["status"] == status]
    assert planted
    for one in planted:
        _assert_planted(nights.project, one)


def _assert_planted(project: Project, one: dict[str, Any]) -> None:
    ((file_hash, duplicate_of, status, reason),) = project.rows(
        "sample",
        "SELECT file_hash, duplicate_of, f.status, f.reason FROM ledger.arrivals AS a JOIN ledger.files AS f "
        f"USING (file_hash) WHERE a.name = '{one['file']}'",
    )
    assert duplicate_of == one.get("duplicate_of"), one
    assert status == ("loaded" if duplicate_of else one["status"]), one
    if one["status"] == "quarantined":
        assert all(words in reason for words in one["reasons"]), (one, reason)
        return
    if duplicate_of:
        return
    loads = project.rows(
        "sample",
        f"SELECT table_name, rows_in, loaded, duplicate, quarantined FROM ledger.loads WHERE file_hash = '{file_hash}'",
    )
    counts = ("rows_in", "loaded", "duplicate", "quarantined")
    expected = {name: tuple(told[key] for key in counts) for name, told in one["tables"].items()}
    unreadable = one.get("unreadable", {"rows": 0, "reasons": []})
    if unreadable["rows"]:
        expected[""] = (unreadable["rows"], 0, 0, unreadable["rows"])
    assert {name: tuple(rest) for name, *rest in loads} == expected, one
    of_file = f"WHERE file_hash = '{file_hash}'"
    said = [row[0] for row in project.rows("sample", f"SELECT reason FROM ledger.quarantine {of_file}")]
    wanted = [words for told in one["tables"].values() for words in told["reasons"]] + unreadable["reasons"]
    assert len(said) == len(wanted), (one, said)
    assert not [words for words in wanted if not any(words in reason for reason in said)], (one, said)
    warned = " ".join(row[0] for row in project.rows("sample", f"SELECT warning FROM ledger.warnings {of_file}"))
    assert all(words in warned for words in one.get("warnings", [])), (one, warned)


def test_nothing_else_is_lost(nights: Nights) -> None:
    """Only planted files are quarantined from, and per file what came in is loaded, duplicate or quarantined."""
    planted = {one["file"] for one in nights.truth["planted"]}
    hit = "SELECT DISTINCT f.name FROM ledger.quarantine JOIN ledger.files AS f USING (file_hash)"
    assert {name for (name,) in nights.project.rows("sample", hit)} <= planted
    exports = nights.project.root / "data" / "exports" / "sample"
    files = [path for path in exports.rglob("*") if path.is_file() and path.name != "truth.json"]
    loads = (nights.project.reports / "data" / "loads.csv").read_text(encoding="utf-8").splitlines()
    assert len(loads) - 1 == len(files) > 200
    sums = nights.project.rows(
        "sample", "SELECT count(*) FROM ledger.loads WHERE rows_in <> loaded + duplicate + quarantined"
    )
    assert sums == [(0,)]


FED_BY_A_DAY_OF_CALLS = (
    "session_costs", "requests", "tool_calls", "verified_tasks", "started_tasks", "reportable_sessions",
    "audited_sessions", "cacheable_calls", "provider_calls", "measured_use_cases", "evaluated_answers",
    "screened_outputs",
)  # fmt: skip


def test_one_more_day_rebuilds_that_day_alone(nights: Nights) -> None:
    """Three files of one day touch the facts they feed, on that day and no other."""
    assert nights.second["files"] == {"loaded": 3, "duplicate": 0, "quarantined": 0, "ignored": 0}
    rebuilt = {
        state["fact"]: (state["days"], state["first_day"], state["last_day"]) for state in nights.second["states"]
    }
    assert rebuilt == dict.fromkeys(FED_BY_A_DAY_OF_CALLS, (1, LAST_DAY, LAST_DAY))
    assert Counter(state["days"] > 300 for state in nights.first["states"])[True] >= 9


def test_values_that_change_are_shown_as_restated(nights: Nights) -> None:
    """The week and month that were already told read differently once the last day is in, and the run says so."""
    assert nights.second["restated"] > 0
    day = f"-{LAST_DAY}"
    files = [f"langfuse/observations{day}.jsonl", f"langfuse/traces{day}.jsonl", f"litellm/spend-logs{day}.csv"]
    why = [one for (one,) in nights.project.rows("sample", "SELECT DISTINCT why FROM kpi.restatements")]
    assert why, "each names the files that brought it about, with their rows"
    assert all(any(name in one for name in files) and "rows)" in one for one in why if "new rows in" in one)
    models = "new rows from langfuse_observations, langfuse_traces, litellm_spend_logs"  # worked out by the return
    assert {one for one in why if "new rows in" not in one} <= {models}
    assert any("new rows in" in one for one in why)


def test_a_night_without_news_does_no_work(nights: Nights) -> None:
    """No file loaded, no state built, no new edition, every page the same to the byte."""
    assert (nights.third["files"], nights.third["states"]) == ({}, [])
    assert not nights.third["new_edition"] and not nights.third["pages_drawn"]
    assert nights.third["edition"] == nights.second["edition"] == 2
    assert nights.third_pages == nights.second_pages


def test_every_page_is_there(nights: Nights) -> None:
    """An index, one page per role, the analyst's page, and the data."""
    assert {"index.html", "run.html", *PAGES} <= set(nights.third_pages)
    assert {"data/kpi_values.csv.gz", "data/kpi_values.parquet", "data/edition.json", "data/loads.csv",
            "data/manifest.json", "raci.html", "corrections.html", "archive.html",
            } <= set(nights.third_pages)  # fmt: skip
    kpis = load_catalog(ROOT / "metrics_catalog.yaml").metrics
    assert {f"kpi/{kpi}.{kind}" for kpi in kpis for kind in ("html", "csv", "json")} <= set(nights.third_pages)


def test_an_edition_is_light(nights: Nights) -> None:
    """All of it at most 15 MB, a page at most 300 KB, the script of the charts at most 1.3 MB."""
    sizes = {path: path.stat().st_size for path in nights.project.reports.rglob("*") if path.is_file()}
    assert sum(sizes.values()) <= 15_000_000
    assert max(size for path, size in sizes.items() if path.suffix == ".html") <= 300_000
    assert max(size for path, size in sizes.items() if path.suffix == ".js") <= 1_300_000


def test_nobody_can_be_found_in_what_is_written(nights: Nights) -> None:
    """No mail address of the directory stands in a page, a download or the warehouse."""
    directory = next((nights.project.root / "data" / "exports" / "sample" / "hr").glob("*.csv"))
    mails = {
        word for line in directory.read_text(encoding="utf-8").splitlines() for word in line.split(",") if "@" in word
    }
    assert len(mails) > 100
    written = [path for path in nights.project.reports.rglob("*") if path.is_file()]
    written += (nights.project.root / "data" / "warehouse").glob("*.duckdb")
    for path in written:
        content = path.read_bytes()
        assert not [mail for mail in mails if mail.encode() in content], path


def test_the_summary_says_what_was_done(nights: Nights) -> None:
    """Without news the run says so in one sentence, with the edition that stands."""
    said = nights.project.roi("nightly").stdout
    assert said == (
        "Nothing new: 0 files loaded, 0 states rebuilt. Edition 2 of sample stands (data through 2026-10-31). "
        "Still 2 whole files and 25 rows quarantined: reports/run.html says why.\n"
        "Next: `roi quarantine list` (what was refused, why, and how to mend it)\n"
    )


def test_a_value_can_be_explained_from_its_rows(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    """The published number and the one from the rows agree, within 1 % for a percentile; a formula has no rows."""
    ask = in_process(nights.project, monkeypatch)
    for kpi, metric in load_catalog(ROOT / "metrics_catalog.yaml").metrics.items():
        told = ask("explain", kpi)
        if metric.kind in ("formula", "ranking"):
            assert "value" not in told["from_rows"], kpi
            continue
        if told["published"]["value"] is None:
            assert told["from_rows"].get("value") is None, kpi
            assert not is_withheld(told["published"]["reason"]) or not told["from_rows"], kpi
            continue
        bound = ALPHA if kpi in PERCENTILES else 1e-9
        assert float(told["from_rows"]["value"]) == pytest.approx(float(told["published"]["value"]), rel=bound), kpi
        assert told["files"], kpi


def test_the_planted_differences_of_the_bill_are_named_with_their_amounts(nights: Nights) -> None:
    """Nine requests against eight logged, a missed cache class, another tier: each of them, and nothing unexplained."""
    told = nights.project.json("reconcile")
    parts = {one["name"]: one for one in told["all"]["parts"]}
    planted = nights.truth["reconciliation"]
    assert [one["part"] for one in planted] == ["missing_requests", "cache_class", "service_tier"]
    for one in planted:
        (detail,) = parts[one["part"]]["details"]
        assert (detail["day"], detail["model"]) == (one["day"], one["model"])
        assert Decimal(detail["amount"]) == Decimal(one["amount_usd"])
        assert detail["places"][0].startswith(f"{one['provider']}/{one['provider']}-usage-{one['day'][:7]}.json:")
    assert parts["missing_requests"]["details"][0]["words"].startswith("9 requests at the provider, 8 logged;")
    assert (Decimal(parts["unexplained"]["amount"]), "no_price" in parts) == (0, False)
    gap = Decimal(told["all"]["invoice"]) - Decimal(told["all"]["telemetry"])
    assert sum(Decimal(one["amount"]) for one in parts.values()) == gap
    page = (nights.project.reports / "roi_metrics_analyst.html").read_text(encoding="utf-8")
    assert "Why the bill and the telemetry differ, October 2026" in page
    assert "9 requests at the provider, 8 logged" in page


def test_the_return_is_recomputed_from_what_explain_prints(nights: Nights) -> None:
    """From the JSON alone, to the digits of the published value; the planted effects have the grades they earn."""
    told = nights.project.json("explain", "programme_roi")
    assert float(recomputed(told["tree"]) or 0) == told["published"]["value"]
    lines = {
        one["line"]: one for one in json.loads((nights.project.reports / "data" / "roi.json").read_text())["lines"]
    }
    assert {name: one["grade"] for name, one in lines.items()} == {
        "contacts_settled": "C", "contacts_handled_faster": "A", "clauses_checked": "A", "answers_found": "A",
        "code_written": "B", "felt_on_code": "D", "drafts_written": "C", "people_who_stay": "",
    }  # fmt: skip
    assert lines["answers_found"]["status"] == "no effect shown"  # planted: none
    assert "risk.drafting expired" in lines["drafts_written"]["reason"]
    assert lines["felt_on_code"]["counted"] == 0


def test_every_number_of_the_return_is_recomputed(nights: Nights) -> None:
    """What the page of whoever pays prints of the return, from the printed trees by a program of its own."""
    trees = Return(*(nights.project.json("explain", kpi) for kpi in ("programme_roi", "payback_months")))
    held = json.loads((nights.project.reports / "data" / "roi.json").read_text(encoding="utf-8"))
    wanted = dict(expected(trees, {one["line"]: one["name"] for one in held["lines"]}))
    page = (nights.project.reports / "chief_ai_officer.html").read_text(encoding="utf-8")
    assert not differences(page, wanted)
    assert sum(len(tokens(text)) for text in pieces(page).values()) > 250
    marks = drawings(page)
    names = {one["line"]: one["name"] for one in held["lines"]}
    steps = [name for name in marks if name not in ("ticks", "grid", "polygon", "polyline")]
    assert marks == drawn_of_return(trees, names, steps) and len(steps) > 10
    moved = re.sub(r'(<polyline points="0\.0,\d+)', r"\g<1>7", page, count=1)
    assert drawings(moved)["polyline"] != marks["polyline"]
    wrong = page.replace(tokens(wanted["fact", "Return"])[0], "12.3\u202f%", 1)
    assert [one.partition(":")[0] for one in differences(wrong, wanted)] == ["title"]


def test_pages_say_what_a_number_is_of(nights: Nights) -> None:
    """What is not settled beside what slid, a KPI that never had a value in its title, and what a range is."""
    folder = nights.project.reports
    page = (folder / "chief_ai_officer.html").read_text(encoding="utf-8")
    (still,) = re.findall(r"Missed before as well, and farther [^<]*", page)
    assert "Chief AI Officer; its last month has all costs, and benefits only when they are settled)" in still
    assert still.count("when they are settled") == 1, "of the running totals alone"
    payback = (folder / "kpi" / "payback_months.html").read_text(encoding="utf-8")
    assert "<h1>Payback time is not available</h1>" in payback
    heads = {kpi: re.findall(r'<th scope="col" class="num">(P10 to P90|95 . interval)</th>',
                             (folder / "kpi" / f"{kpi}.html").read_text(encoding="utf-8"))
             for kpi in ("net_benefit", "availability")}  # fmt: skip
    assert {kpi: set(found) for kpi, found in heads.items()} == {
        "net_benefit": {"P10 to P90"}, "availability": {"95 % interval"},
    }  # fmt: skip


def test_every_other_number_of_the_page_is_recomputed(
    nights: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scorecards, roles, charts, drawings, breakdowns: from the rows of `roi explain`; the rest from the downloads."""
    project = nights.project
    ask = in_process(project, monkeypatch)
    catalogue = ROOT / "metrics_catalog.yaml"
    roles = yaml.safe_load(catalogue.read_text(encoding="utf-8"))["roles"]
    with (project.root / "data" / "exports" / "sample" / "notes" / "annotations.csv").open(encoding="utf-8") as file:
        notes = list(csv.DictReader(file))
    hidden = read(project.reports).hidden
    kpis = {kpi.kpi_id: kpi.without(hidden) for kpi in asked(ask, catalogue, tmp_path)}
    sheet = Sheet(kpis, roles, "chief_ai_officer", notes)
    page = (project.reports / "chief_ai_officer.html").read_text(encoding="utf-8")
    found = places(page)
    wanted = dict(scorecard(sheet)) | dict(of_the_edition(Frame(project.reports, ask, found), sheet))
    marks = dict(drawn(sheet))
    assert not other_figures(page, wanted, marks)
    assert not other_words(page, dict(worded(sheet)))
    told = [said for where, said in found.items() if where[-1] not in ("drawn", "spec")]
    assert sum(len(figures(said)) for said in told) > 1000
    assert [sum(where[-1] == kind for where in marks) for kind in ("drawn", "spec")] == [32, 5]
    saved, cached = sheet.kpis["hours_saved"], sheet.kpis["cache_hit_rate"].now
    assert saved.now is not None and cached is not None
    for said, where in (
        (interval(saved.now, "h"), "course / hours_saved / October 2026 / 95 % interval"),
        (spark(saved.year)[0].removeprefix("polyline "), "score / Hours saved (task by task) / 12 months / drawn"),
        (f"n = {count(cached.n)}", "others / 12"),
        ('"range":[', "course / pilot_to_production_rate / spec"),
    ):
        (wrong,) = other_figures(spoilt(page, said), wanted, marks)
        assert wrong.startswith(f"{where}: ")


def test_a_kpi_without_a_value_says_why(nights: Nights) -> None:
    """`roi explain` gives the reason that the page gives, and where the figures stand that are in no tree."""
    said = nights.project.roi("explain", "cost_savings").stdout
    assert "  no value    insufficient evidence: contacts_settled: provisional (deflection_rate 2026-10: " in said
    told = nights.project.roi("explain", "programme_roi").stdout
    assert "\n  discount_rate 0.08: Treasury: cost of capital (finance/assumptions-" in told
    assert "\n  weight_before_after (default) 0.5: default of the ROI model" in told


def spoilt(page: str, said: str) -> str:
    """The page with another first digit in the last place that says something."""
    at = page.index(next(filter(str.isdigit, page[(start := page.rindex(said)) :])), start)
    return f"{page[:at]}{(int(page[at]) + 1) % 10}{page[at + 1 :]}"


def in_process(project: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """`roi ... --json` without a process and a reading of the catalogue for each; empty where rows are withheld."""
    for name, value in project.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(load, "load_catalog", cache(load.load_catalog))

    def ask(*words: str | Path) -> dict[str, Any]:
        done = CliRunner().invoke(app, [*map(str, words), "--json"])
        is_withheld = "There are no rows to write" in str(done.exception)
        assert done.exit_code == 0 or is_withheld, (words, done.output, done.exception)
        return {} if is_withheld else dict(json.loads(done.stdout))

    return ask


def test_the_return_is_a_mixed_picture(nights: Nights) -> None:
    """One use case pays, one does not, one has not enough evidence; budgets are as planted, years sum to months."""
    told = json.loads((nights.project.reports / "data" / "roi.json").read_text(encoding="utf-8"))
    cases = {one["name"]: one for one in told["use_cases"] if one["brief"]}
    words = {name: one["brief"]["decision"]["word"] for name, one in cases.items()}
    assert words["customer_support"] == "scale"
    assert words["code_assistant"] == "stop"
    assert words["knowledge_search"] == "not enough evidence"
    whole = told["programme"]
    assert 0.2 < whole["pv_benefits"] / whole["pv_costs"] < 5
    planted = nights.truth["roi"]["budgets"]
    for name in words.keys() & planted.keys():
        assert Decimal(str(cases[name]["budget"]["approved"])) == Decimal(planted[name]["USD"])
    net = sum(Decimal(str(one["net"])) for one in whole["years"])
    assert [one["name"] for one in whole["years"]][-2:] == ["2025", "2026"]
    assert net == sum(Decimal(str(one["net"])) for one in whole["months"])


def test_what_if_leaves_the_edition_as_it_is(nights: Nights) -> None:
    """0.5 for 0.25 doubles hours as money but for what is taken off, and lowers the 0.8 of support; no page changes."""
    before = nights.project.digests()
    told = nights.project.json("what-if", "--set", "realisation=0.5")
    counted = {
        when: {one["line"]: float(one["counted"]) for one in told[when]["lines"]} for when in ("before", "after")
    }
    times = {line: counted["after"][line] / held for line, held in counted["before"].items() if held}
    assert 1.9 < times["code_written"] <= 2.001 and times["clauses_checked"] > 1.9
    assert times["contacts_settled"] == pytest.approx(0.5 / 0.8, rel=1e-3)
    worst = nights.project.json("what-if", "--scenario", "low")["scenario"]
    published = json.loads((nights.project.reports / "data" / "roi.json").read_text(encoding="utf-8"))
    assert float(worst["before"]) == float(worst["after"]) == published["scenarios"]["low"]
    assert published["scenarios"]["low"] < published["programme"]["net"] < published["scenarios"]["high"]
    assert nights.project.digests() == before
    refused = nights.project.roi("what-if", "--set", "realization=0.5", exit_code=2)
    assert "found 'realization'; did you mean realisation?" in refused.stderr
