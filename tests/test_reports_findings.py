"""What a page concludes: status of an edition, titles, and what it says when the data has run dry."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_reports_edition import AS_OF, edition, unknown
from test_reports_pages import parsed

from pipeline.reports import EditionData, formats, lineage, render, words
from pipeline.reports.kpis import kpi_page
from pipeline.reports.rows import Edition, kpi_row
from pipeline.reports.values import began, index
from pipeline.reports.views import edition_status, finding, programme, role_page, status
from pipeline.reports.worse import worse


@pytest.fixture(scope="module")
def data() -> EditionData:
    """One made edition for all tests of this module."""
    return edition()


def indexed(data: EditionData) -> Edition:
    """The edition as pages see it."""
    return Edition(data, index(data.values, AS_OF))


def changed(data: EditionData, kpi: str, since: date, **change: Any) -> EditionData:
    """The edition with the cells of a KPI replaced in every period that ends after a day."""
    values = data.values.copy()
    chosen = (values["kpi_id"] == kpi) & (values["period_end"] > since)
    for column, value in change.items():
        values[column] = values[column].astype(object)
        values.loc[chosen, column] = value
    return replace(data, values=values)


DRY = unknown("not_available", "no data in this period")


@pytest.mark.parametrize(
    ("roles", "word"),
    [
        (["final", "final"], "final"),
        (["final", "not built"], "final"),
        (["final", "provisional", "not built"], "provisional"),
        (["provisional", "incomplete", "final"], "incomplete"),
        (["not built", "not built"], "not built"),
        ([], "not built"),
    ],
)
def test_status_of_an_edition_is_the_worst_of_its_roles(roles: list[str], word: str) -> None:
    """Roles that are not built count only when all are."""
    assert words.edition_status([words.STATUSES[role] for role in roles]).word == word


def test_status_of_an_edition_never_contradicts_its_roles(data: EditionData, tmp_path: Path) -> None:
    """A failed check that warns about one KPI makes provisional what owns it, and so the edition; all pages agree."""
    assert [check["severity"] for check in data.checks if not check["passed"]] == ["warn"]
    found = indexed(data)
    assert edition_status(found).word == "provisional"
    assert status(found, data.catalog.owned_by("ai_operations_engineer")).word == "provisional"
    render(replace(data, edition={**data.edition, "status": "incomplete"}), tmp_path)
    assert json.loads((tmp_path / "data" / "edition.json").read_text(encoding="utf-8"))["status"] == "provisional"
    for name in ("index.html", "run.html"):
        shown = re.search(r"<b>Status</b>.*?</svg>(\w+)", (tmp_path / name).read_text(encoding="utf-8"))
        assert shown and shown[1] == "provisional"


def test_index_answers_at_a_glance(data: EditionData, tmp_path: Path) -> None:
    """Edition, period, how far the data reaches, a title that counts targets, and for each role what backs its line."""
    render(data, tmp_path)
    said = " ".join("".join(parsed(tmp_path / "index.html").text).split())
    assert "edition 7" in said
    judged = (
        r"\d of the \d+ targets that can be judged (is|are) met, \d missed \(.+\) and \d open; \d of 13 KPIs have no"
    )
    assert re.search(judged, said)
    assert "Data through 20 Nov 2026" in said
    assert re.search(r"Period 28 days to 20 Nov 2026,.* October 2026", said)
    assert "Corrections 2" in said
    assert "Checks failed 1 of 2" in said
    assert "Next due with the data of 21 Nov 2026" in said
    assert said.count("n = ") >= len(data.catalog.reported_roles())


def test_a_check_that_had_nothing_to_judge_has_not_passed(data: EditionData, tmp_path: Path) -> None:
    """Of three checks one failed, one passed, and one is neither: it is counted with neither of them."""
    idle = {**data.checks[0], "passed": True, "observed": "no rows", "expected": "not applicable; with data: some"}
    render(replace(data, checks=[*data.checks, idle]), tmp_path)
    said = " ".join("".join(parsed(tmp_path / "index.html").text).split())
    assert "Checks failed 1 of 2" in said
    run = " ".join("".join(parsed(tmp_path / "run.html").text).split())
    assert "1 check passed" in run and "1 check had nothing to judge" in run


def test_targets_of_kpis_without_a_value_are_not_counted_as_judged(data: EditionData) -> None:
    """No KPI with a target has a value, one without has: then no target can be judged, and none counts as missed."""
    dry = data
    for kpi, metric in data.catalog.metrics.items():
        dry = changed(dry, kpi, date.min, **DRY) if metric.target else dry
    assert programme(indexed(dry)) == "11 of 13 KPIs have no current value; none of the 11 targets can be judged"


def test_a_role_whose_data_has_run_dry_is_incomplete_and_says_since_when(data: EditionData) -> None:
    """Old values are no current ones, yet they are not nothing: the last one stands with its day, interval and n."""
    dry = indexed(changed(data, "p95_latency", date(2026, 3, 1), **DRY))
    page = role_page(dry, "data_infrastructure_architect")
    assert page.status.word == "incomplete"
    assert page.finding == "95th percentile latency: no current value; last measured: 28 Feb 2026"
    assert re.search(
        r"no data in this period; last known .*\u202fs \(95 % interval .*, n = \d+\), 28 Feb 2026",
        page.headlines[0].text,
    )
    assert page.owned[0].prior_period.startswith("28 days to ")
    assert page.owned[0].value.state == "missing"


def test_a_monthly_kpi_without_a_source_gives_its_reason(data: EditionData) -> None:
    """An engine that knows no source hands on a single 28-day row; its reason is shown all the same."""
    values = data.values[(data.values["kpi_id"] != "hours_saved") | (data.values["grain"] == "28d")]
    bare = changed(
        replace(data, values=values), "hours_saved", date.min, **unknown("not_available", "no export fills this yet")
    )
    assert role_page(indexed(bare), "chief_ai_officer").owned[0].value.why == "no export fills this yet"


def test_the_title_of_an_edition_begins_with_what_is_missing_when_most_is(data: EditionData) -> None:
    """Thirteen KPIs; one left with a value must not read as a triumph."""
    owned = list(data.catalog.metrics)
    few = data
    for kpi in owned:
        few = few if kpi == "adoption_rate" else changed(few, kpi, date.min, **DRY)
    assert programme(indexed(few)) == (
        "12 of 13 KPIs have no current value; the one target that can be judged, of adoption rate, is met"
    )
    none = changed(few, "adoption_rate", date.min, **DRY)
    assert programme(indexed(none)) == "Nothing can be said yet: no KPI has a current value"


def test_an_inconclusive_value_is_not_called_missed(data: EditionData) -> None:
    """The title says which target it was held against."""
    open_one = changed(data, "p95_latency", date.min, verdict="inconclusive")
    said = finding(indexed(open_one), ["p95_latency"])
    assert said.replace("\u202f", " ").endswith("s is inconclusive against its target of at most 4 s")


def test_checks_of_the_whole_edition_take_one_line_of_a_banner(data: EditionData) -> None:
    """They name no KPI; the banner says how many there are and about what, and the run page has the rest."""
    failed = {**data.checks[1], "kpis": []}
    many = replace(data, checks=[{**failed, "subject": name} for name in ("files", "focus", "files")])
    page = role_page(indexed(many), "genai_engineer")
    assert "3 checks of the edition as a whole failed (files and focus)." in page.banner
    assert len(page.checks) == 3
    assert page.status.word == "final"


def said_on(path: Path) -> str:
    """The text of a page, with plain spaces."""
    return " ".join("".join(parsed(path).text).split())


def test_kpis_whose_owner_has_no_page_stand_on_the_index(data: EditionData, tmp_path: Path) -> None:
    """Change failure rate belongs to the MLOps engineer and CSAT to the AI product manager; neither has a page."""
    render(data, tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    part = page.split('id="unpaged"')[1].split("</section>")[0]
    assert re.findall(r'<a href="([^"]+)">([^<]+)</a>', part) == [
        ("roi_metrics_analyst.html#watch", "Satisfaction with AI against without"),
        ("roi_metrics_analyst.html#watch", "Change failure rate"),
    ]
    assert "Owned by: MLOps Engineer" in part
    assert "Owned by: AI Product Manager" in part
    assert "Change failure rate is not available: no source: deployments have not arrived." in part
    assert "1 of 13 KPIs have no current value" in said_on(tmp_path / "index.html")


def test_the_status_of_an_edition_minds_kpis_whose_owner_has_no_page(data: EditionData) -> None:
    """With every other doubt gone, thin answers of the AI product manager's KPI leave the edition provisional."""
    values = data.values.assign(
        status=data.values["status"].where(data.values["status"] != "insufficient_data", "computed")
    )
    sure = replace(data, values=values, checks=[], catalog=_without(data, "change_failure_rate", "mttr"))
    assert edition_status(indexed(sure)).word == "final"
    thin = changed(sure, "csat_delta", date.min, status="insufficient_data")
    assert edition_status(indexed(thin)).word == "provisional"


def _without(data: EditionData, *kpis: str) -> Any:
    metrics = {kpi: metric for kpi, metric in data.catalog.metrics.items() if kpi not in kpis}
    return data.catalog.model_copy(update={"metrics": metrics})


MONTHS = [date(2025, month, 1) for month in range(1, 13)] + [date(2026, month, 1) for month in range(1, 11)]


def monthly(data: EditionData, known: list[float], signals: list[str]) -> EditionData:
    """The edition with one month of hours saved per value, the last of them October 2026."""
    last = data.values[
        (data.values["kpi_id"] == "hours_saved") & (data.values["grain"] == "month") & (data.values["dimension"] == "")
    ].iloc[-2:-1]
    frames = [data.values[data.values["kpi_id"] != "hours_saved"]]
    for start, value, signal in zip(MONTHS[-len(known) :], known, signals, strict=True):
        end = (start + timedelta(days=31)).replace(day=1)
        frames.append(
            last.assign(period_start=start, period_end=end, value=value, signal=signal, status="computed", reason="")
        )
    return replace(data, values=pd.concat(frames, ignore_index=True))


@pytest.mark.parametrize(
    ("known", "signals", "month"),
    [
        ([1, 2, 1, 2, 1, 9, 9, 8, 7], ["trial"] * 5 + ["outside_limits"] * 4, 7),
        ([1, 2, 1, 2, 1, 2, 1, 2, 9], ["trial"] * 8 + ["outside_limits"], None),
        ([9, 9, 9, 9, 9, 2, 2, 2, 2, 2, 2, 2], ["trial"] * 11 + ["shift"], 4),
        ([9, 9, 9, 9, 9, 2, 2, 2, 2, 2, 2, 2, 1], ["trial"] * 11 + ["shift", "shift"], 3),
        ([1, 2, 1, 2, 1, 9, -9], ["trial"] * 5 + ["outside_limits", "outside_limits"], None),
        ([1, 2, 1, 2, 1, 9, 1], ["trial"] * 5 + ["outside_limits", "none"], None),
    ],
)
def test_a_signal_says_since_when_it_has_lasted(
    data: EditionData, known: list[float], signals: list[str], month: int | None
) -> None:
    """Neighbouring signals on one side count from their first; a run of seven from its own first; one point is one.

    Twelve months to October 2026 begin in November 2025, so a shift found at the twelfth, October, began six
    months before it, in April. With one month more the shift was found in September and began in March.
    """
    found = indexed(monthly(data, known, signals))
    first = began(found.values, found.values.series("hours_saved", "month")[-1])
    assert (first.start if first else None) == (date(2026, month, 1) if month else None)


def test_a_lasting_signal_names_its_beginning_and_a_single_point_its_own_month(data: EditionData) -> None:
    """A value may have fallen a little since the month before while its change for the better lasts since July."""
    lasting = indexed(monthly(data, [1, 2, 1, 2, 1, 9, 9, 8, 7], ["trial"] * 5 + ["outside_limits"] * 4))
    assert "Real change for the better since July 2026: October 2026 is higher than usual" in lasting.headline(
        "hours_saved"
    )
    assert kpi_row(lasting, "hours_saved").signal_period == "October 2026, higher than usual since July 2026"
    single = indexed(monthly(data, [1, 2, 1, 2, 1, 2, 1, 2, 9], ["trial"] * 8 + ["outside_limits"]))
    assert "Real change for the better: October 2026 is higher than usual" in single.headline("hours_saved")


@pytest.mark.parametrize(
    ("last", "signal", "word", "rule"),
    [
        (9, "outside_limits", "above the upper limit", "above the mean + 2.66 mean moving ranges"),
        (-9, "outside_limits", "below the lower limit", "below the mean − 2.66 mean moving ranges"),
        (3, "near_limit", "near the upper limit", "two of three points close to the upper limit"),
        (0, "near_limit", "near the lower limit", "two of three points close to the lower limit"),
    ],
)
def test_a_signal_of_a_limit_says_of_which(data: EditionData, last: float, signal: str, word: str, rule: str) -> None:
    """Above or below the mean it was judged by, in scorecard, chart, sentence and what got worse; up is better here."""
    held = indexed(monthly(data, [1, 2, 1, 2, 1, 2, 1, 2, last], ["trial"] * 8 + [signal]))
    row, page = kpi_row(held, "hours_saved"), kpi_page(held, "hours_saved")
    assert (row.signal.word, row.signal.explains) == (word, rule)
    assert page.charts[0].rows[0].signal == word
    assert f"than usual ({rule})." in held.headline("hours_saved")
    fell = [one.what for one in worse(held, ["hours_saved"]).items]
    assert fell == ([] if last > 2 else [f"lower than usual October 2026, {formats.amount(last, 'h')} ({word})"])


def test_too_few_data_is_said_before_still_open(data: EditionData) -> None:
    """An open week of three answers will not be enough when it closes; an open week of many will."""
    metric = data.catalog.metrics["adoption_rate"]
    week = indexed(data).values.series("adoption_rate", "week")[-1]
    said = [words.status(replace(week, status="immature", n=n), metric) for n in (metric.min_n - 1, metric.min_n)]
    assert said == ["too few data, still open", "still open"]


def test_the_definition_says_what_a_row_is_and_how_to_explain_the_number(data: EditionData) -> None:
    """The meaning is the fact's own; the period is written as the command takes it."""
    sample = replace(data, edition={**data.edition, "warehouse": "sample"})
    shown = kpi_row(indexed(sample), "hours_saved").definition
    assert shown.row.startswith("One task that somebody verified as done")
    assert shown.command == ".venv/bin/roi explain hours_saved --period 2026-10"
    own = replace(data, edition={**data.edition, "warehouse": "acme", "exports": "data/exports/acme co"})
    command = kpi_row(indexed(own), "p95_latency").definition.command
    assert command == ".venv/bin/roi explain p95_latency --period 28d:2026-11-20 --exports 'data/exports/acme co'"
    assert kpi_row(indexed(sample), "change_failure_rate").definition.command == ""


def test_every_page_names_its_warehouse(data: EditionData, tmp_path: Path) -> None:
    """The sample says that its organisation is made up."""
    render(replace(data, edition={**data.edition, "warehouse": "sample"}), tmp_path / "sample")
    render(data, tmp_path / "own")
    for path in (tmp_path / "sample").glob("*.html"):
        assert "Edition 7 of sample (made-up sample organisation)" in said_on(path)
    for path in (tmp_path / "own").glob("*.html"):
        assert "Edition 7 of duckdb" in said_on(path)
        assert "made-up" not in said_on(path)


def test_a_first_edition_has_nothing_to_correct_and_a_later_one_names_new_definitions(
    data: EditionData, tmp_path: Path
) -> None:
    """Nothing before the first edition could have read differently."""
    first = replace(data, edition={**data.edition, "number": 1}, restatements=[])
    render(first, tmp_path / "first")
    assert "Corrections first edition" in said_on(tmp_path / "first" / "index.html")
    assert "Nothing changed" not in said_on(tmp_path / "first" / "index.html")
    changes = [{"kpi_id": "mttr", "change": "changed"}, {"kpi_id": "gone", "change": "retired"}]
    render(replace(data, definitions=changes), tmp_path / "later")
    said = said_on(tmp_path / "later" / "index.html")
    assert "Definition changed: Time to recovery (median). Retired: gone." in said


@pytest.mark.parametrize(
    ("told", "asked", "make"),
    [({"warehouse": "sample"}, "", ""), ({"warehouse": "acme"}, " --exports EXPORTS", " EXPORTS=EXPORTS"),
     ({"warehouse": "acme", "exports": "my exports"}, " --exports 'my exports'", " EXPORTS='my exports'")],
)  # fmt: skip
def test_every_command_on_the_pages_is_about_their_warehouse(
    data: EditionData, tmp_path: Path, told: dict[str, str], asked: str, make: str
) -> None:
    """Of the sample none names a folder; of another folder each does, or the word that stands for a private one."""
    render(replace(data, edition={**data.edition, **told}), tmp_path)
    pages = {path: unescape(path.read_text(encoding="utf-8")) for path in tmp_path.rglob("*.html")}
    named = re.compile(r"<code>((?:\.venv/bin/)?roi (?:explain|edition|quarantine|reconcile) [^<]*)</code>")
    found = {(path.name, command) for path, page in pages.items() for command in named.findall(page)}
    assert {"run.html", "archive.html"} < {name for name, _ in found}
    folder = asked.removeprefix(" --exports ")
    assert {command.partition(" --exports ")[2] for _, command in found} == {folder}
    assert f"run make nightly{make}." in " ".join(pages[tmp_path / "run.html"].split())
    assert ("EXPORTS stands for the folder of exports, which pages do not name." in pages[tmp_path / "run.html"]) == (
        asked == " --exports EXPORTS"
    )
    probed = {"": "", " --exports EXPORTS": "EXPORTS/"}.get(asked, "my exports/")
    path = f"{probed}odd/truncated.csv"
    assert f".venv/bin/roi sources probe {shlex.quote(path)}" in pages[tmp_path / "run.html"]


@pytest.mark.parametrize(
    ("row", "told"),
    [({"in_lines": True, "rows": 1}, "1 line"), ({"in_lines": True, "rows": 31}, "31 lines"),
     ({"in_lines": False, "rows": 1031}, "1\u202f031")],
)  # fmt: skip
def test_what_nobody_can_read_is_counted_in_lines(
    data: EditionData, tmp_path: Path, row: dict[str, object], told: str
) -> None:
    """Rows are said where they are known; the sentence beside the sum says what else is in it."""
    render(replace(data, quarantine=[{**data.quarantine[0], **row}]), tmp_path)
    page = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert f'<td class="num">{told}</td><td><code>' in page
    assert "Of a refused file whose records nobody knows the lines are counted." in page


def test_the_run_page_tells_open_files_from_mended_ones(data: EditionData, tmp_path: Path) -> None:
    """A mended file is folded away and asks for nothing; open rows are listed in a file of their own."""
    part, odd, refused = data.loads
    loads = [part, odd, {**refused, "mended_by": "odd/truncated.csv"}]
    listed = [{"file": "b.csv", "line": 7, "table": "calls", "reason": "=1+1"},
              {"file": "a.csv", "line": None, "table": "", "reason": "incomplete"}]  # fmt: skip
    made = replace(data, loads=loads, quarantined_rows=listed, edition={**data.edition, "exports": "data/exports/x"})
    render(made, tmp_path)
    said = said_on(tmp_path / "run.html")
    assert "1 file was mended: a newer one of the same name replaced it" in said
    assert "mended: replaced by a newer odd/truncated.csv (it was incomplete: no final newline)" in said
    in_part = {**part, "quarantined": 1, "status": "loaded", "mended_by": "mended/part.csv", "reason": "2 times twice"}
    assert lineage.reason(in_part) == "mended: replaced by a newer mended/part.csv; 2 times twice"
    assert "sources probe" not in said
    assert "mend the rows in the export, put it back under the same name, run make nightly" in said
    csv_text = (tmp_path / "data" / "quarantine.csv").read_text(encoding="utf-8")
    assert csv_text == "file,line,table,reason\na.csv,,,incomplete\nb.csv,7,calls,'=1+1\n"
    render(replace(made, loads=data.loads), tmp_path)
    assert ".venv/bin/roi sources probe data/exports/x/odd/truncated.csv" in said_on(tmp_path / "run.html")


def test_banners_count_only_what_is_still_open(data: EditionData) -> None:
    """Of 12 quarantined rows of one source 10 were mended; the page says 2, the ledger keeps its 12."""
    sources = [{**source, "open": 2} if source["quarantined"] == 12 else source for source in data.sources]
    page = role_page(indexed(replace(data, sources=sources)), "genai_engineer")
    traces = next(row for row in page.sources if row.name == "langfuse_observations")
    assert traces.quarantined == "12, 10 of them mended"
    whole = role_page(indexed(data), "genai_engineer").banner
    mended = role_page(indexed(replace(data, sources=sources)), "genai_engineer").banner
    assert any(line.startswith("13 of ") for line in whole)
    assert any(line.startswith("3 of ") for line in mended)
