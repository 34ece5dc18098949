"""The pages of an edition: what stands on them, what never can, and that the same data gives the same bytes."""

from __future__ import annotations

import hashlib
import html
import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from test_reports_edition import AS_OF, END, HOSTILE, edition, unknown

from pipeline.reports import EditionData, ReportError, formats, render
from pipeline.reports.lint import lint
from pipeline.reports.model import Figure
from pipeline.reports.rows import Edition
from pipeline.reports.values import POINTS_SHOWN, index, shown
from pipeline.reports.views import role_page, status


class _Text(HTMLParser):
    """Collects visible text, tags with attributes, and the JSON of charts."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.scripts, self.tags, self._script = [], [], [], False  # type: ignore[var-annotated]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._script = False

    def handle_data(self, data: str) -> None:
        (self.scripts if self._script else self.text).append(data)


def parsed(path: Path) -> _Text:
    """A page read by an independent parser."""
    found = _Text()
    found.feed(path.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def data() -> EditionData:
    """One made edition for all tests of this module."""
    return edition()


@pytest.fixture(scope="module")
def site(data: EditionData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The edition as pages."""
    out = tmp_path_factory.mktemp("site")
    render(data, out)
    return out


def test_every_page_and_file_is_there(data: EditionData, site: Path) -> None:
    """Nine roles, index, run page, registers, a page with two downloads per KPI, assets and downloads; nothing else."""
    roles = {f"{role}.html" for role in data.catalog.reported_roles()}
    assert len(roles) == 9
    assets = {"assets/plotly-basic.min.js", "assets/charts.js", "assets/filter.js", "assets/style.css"}
    values = {f"data/kpi_values.{kind}" for kind in ("csv.gz", "parquet")}
    kpis = {f"kpi/{kpi}.{kind}" for kpi in data.catalog.metrics for kind in ("html", "csv", "json")}
    names = (
        "corrections.csv.gz",
        "manifest.json",
        "edition.json",
        "loads.csv",
        "notes.csv.gz",
        "checks.csv",
        "restatements.csv",
        "quarantine.csv",
    )
    rest = {f"data/{name}" for name in names}
    found = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    registers = {f"{name}.html" for name in ("index", "run", "raci", "corrections", "archive", "digest")}
    assert found == roles | assets | values | kpis | rest | registers | {"digest.eml"}


def test_the_same_data_gives_the_same_bytes(data: EditionData, tmp_path: Path, site: Path) -> None:
    """Also when the values come in another order."""
    shuffled = replace(data, values=data.values.sample(frac=1, random_state=3))
    written = render(shuffled, tmp_path)
    for path in written:
        assert path.read_bytes() == (site / path.relative_to(tmp_path)).read_bytes(), path.name


def test_every_number_of_a_chart_stands_in_the_page_as_text(data: EditionData, site: Path) -> None:
    """With scripts off nothing is lost: each value of the cadence grain, with its interval and n."""
    values = index(data.values, AS_OF)
    for kpi, metric in data.catalog.metrics.items():
        if metric.owner not in data.catalog.reported_roles():
            continue
        said = "".join(parsed(site / f"{metric.owner}.html").text)
        rows = shown(values, kpi, metric)
        assert len(rows) >= 12
        for row in rows:
            assert formats.figure(row).text in said
            assert formats.interval(row).text in said
            assert formats.count(row.n).text in said


def test_charts_draw_the_numbers_of_the_table(data: EditionData, site: Path) -> None:
    """The line of a chart has one point per value, None where there is none."""
    specs = [json.loads(text) for text in parsed(site / "ai_operations_engineer.html").scripts if text.startswith("{")]
    line = next(trace for trace in specs[1]["data"] if "customdata" in trace)
    series = index(data.values, AS_OF).series("availability", "day")[-POINTS_SHOWN["day"] :]
    assert line["x"] == [row.start.isoformat() for row in series]
    assert [y is None for y in line["y"]] == [row.value is None for row in series]
    assert any(row.value is None for row in series)
    for drawn, row in zip(line["y"], series, strict=True):
        assert drawn == pytest.approx(row.value, rel=1e-5) if row.value is not None else drawn is None


def test_hostile_text_is_shown_and_never_run(site: Path) -> None:
    """Payloads in dimension values and file names are text: no tag, no script, no template is made of them."""
    for path in site.rglob("*.html"):
        found = parsed(path)
        assert "onerror" not in {name for _, attrs in found.tags for name in attrs}
        assert not any(tag == "img" for tag, _ in found.tags)
        sources = [attrs.get("src") for tag, attrs in found.tags if tag == "script" and "data-for" not in attrs]
        root = "" if path.parent == site else "../"
        assert set(sources) <= {f"{root}assets/{name}.js" for name in ("plotly-basic.min", "charts", "filter")}
    said = "".join(parsed(site / "genai_engineer.html").text)
    assert all(payload in said for payload in HOSTILE)


def test_text_for_plotly_cannot_become_a_link(data: EditionData, tmp_path: Path) -> None:
    """Plotly draws <a href> in labels as a live link, so its text is escaped before it gets there."""
    metrics = dict(data.catalog.metrics)
    name = "<a href='javascript:hit()'>Availability</a></script>"
    metrics["availability"] = metrics["availability"].model_copy(update={"name": name})
    render(replace(data, catalog=data.catalog.model_copy(update={"metrics": metrics})), tmp_path)
    page = (tmp_path / "ai_operations_engineer.html").read_text(encoding="utf-8")
    specs = [text for text in parsed(tmp_path / "ai_operations_engineer.html").scripts if text.startswith("{")]
    assert html.escape(name) in [trace.get("name") for trace in json.loads(specs[1])["data"]]
    assert "<a href='javascript" not in page


def test_pages_reach_only_their_own_folder(site: Path) -> None:
    """Every link and source is relative and exists; the policy forbids the rest."""
    for path in site.rglob("*.html"):
        found = parsed(path)
        policy = next(attrs["content"] for tag, attrs in found.tags if attrs.get("http-equiv"))
        assert policy and policy.startswith("default-src 'none'")
        assert "unsafe-inline" not in policy.partition("script-src")[2].split(";")[0]
        ids = {attrs["id"] for _, attrs in found.tags if "id" in attrs}
        for _, attrs in found.tags:
            target = attrs.get("href") or attrs.get("src")
            if target and target.startswith("#"):
                assert target[1:] in ids, (path.name, target)
            elif target and target != "data:,":
                file, _, anchor = target.partition("#")
                place = path.parent / file
                assert place.is_file(), (path.name, target)
                assert not anchor or f'id="{anchor}"' in place.read_text(encoding="utf-8"), (path.name, target)


def test_ids_are_unique_and_tables_are_real(site: Path) -> None:
    """Each table has a caption, each heading cell a scope."""
    for path in site.rglob("*.html"):
        tags = parsed(path).tags
        ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
        assert len(ids) == len(set(ids)), path.name
        assert sum(tag == "table" for tag, _ in tags) == sum(tag == "caption" for tag, _ in tags)
        assert all("scope" in attrs for tag, attrs in tags if tag == "th")


def test_a_role_page_is_light(site: Path) -> None:
    """At most 300 KB without the shared script."""
    assert max(path.stat().st_size for path in site.rglob("*.html")) <= 300_000


def test_downloads_are_listed_with_their_true_hash(site: Path) -> None:
    """Who downloads a file can check it against the page; the manifest, which names them all, cannot be in itself."""
    page = (site / "index.html").read_text(encoding="utf-8")
    for path in (site / "data").iterdir():
        assert path.name == "manifest.json" or hashlib.sha256(path.read_bytes()).hexdigest() in page, path.name
    for path in (site / "kpi").glob("*.html"):
        own = path.read_text(encoding="utf-8")
        for kind in (".csv", ".json"):
            assert hashlib.sha256(path.with_suffix(kind).read_bytes()).hexdigest() in own, path.name


def test_no_causal_word_and_the_difference_says_so(site: Path) -> None:
    """csat_delta compares groups that were not randomised; no page claims an effect."""
    for path in site.glob("*.html"):
        said = "".join(parsed(path).text).lower()
        assert not re.search(r"\b(because of|led to|caused by ai|uplift|thanks to|due to)\b", said), path.name
    said = "".join(parsed(site / "change_adoption_specialist.html").text)
    assert "Not causal: the groups were not randomised." in said


def test_banner_only_when_something_is_wrong(data: EditionData, site: Path, tmp_path: Path) -> None:
    """A clean edition has no banner; each kind of trouble has its line."""
    said = (site / "ai_operations_engineer.html").read_text(encoding="utf-8")
    assert "Check failed on incidents: expected 0, observed 4 without." in said
    assert "Stale: incident_log (110 days behind)." in said
    clean = [source | {"quarantined": 0, "data_through": AS_OF} for source in data.sources]
    render(replace(data, checks=[], restatements=[], sources=clean), tmp_path)
    assert not any('class="banner"' in path.read_text(encoding="utf-8") for path in tmp_path.glob("*.html"))


def test_a_reference_source_is_never_stale(site: Path) -> None:
    """A price list of January may rightly be the newest one."""
    assert "price_list 1 Jan 2026 <strong" not in (site / "genai_engineer.html").read_text(encoding="utf-8")


def test_the_chief_ai_officer_reads_one_line_of_every_other_role(data: EditionData, site: Path) -> None:
    """Eight others, each linked."""
    others = (site / "chief_ai_officer.html").read_text(encoding="utf-8").split('id="others"')[1].split("</section>")[0]
    linked = set(re.findall(r'<a href="(\w+)\.html">', others))
    assert linked == set(data.catalog.reported_roles()) - {"chief_ai_officer"}


def _changed(data: EditionData, kpi: str, **change: Any) -> EditionData:
    """The edition with cells of all overall rows of a KPI replaced."""
    values = data.values.copy()
    chosen = (values["kpi_id"] == kpi) & (values["dimension"] == "")
    for column, value in change.items():
        values[column] = values[column].astype(object)
        values.loc[chosen, column] = value
    return replace(data, values=values)


@pytest.mark.parametrize(
    ("change", "lacks"),
    [
        ({"n": None}, "n"),
        ({"interval_low": None, "interval_high": None}, "interval or exact"),
        ({"definition_hash": ""}, "definition hash"),
        (unknown("not_available", "x") | {"definition_hash": None}, "definition hash"),
    ],
)
def test_lint_refuses_a_number_that_is_not_backed(
    data: EditionData, change: dict[str, Any], lacks: str, tmp_path: Path
) -> None:
    """Each missing thing is named with page and KPI, and nothing is written."""
    with pytest.raises(ReportError, match=f"data_infrastructure_architect.html: p95_latency  R001  has no {lacks};"):
        render(_changed(data, "p95_latency", **change), tmp_path / "out")
    assert not (tmp_path / "out").exists()


NOT_SAID = Figure("", "missing")


@pytest.mark.parametrize(
    ("part", "lacks"),
    [
        ({"formula": " "}, "definition"),
        ({"question": ""}, "question"),
        ({"hash": ""}, "definition hash"),
        ({"unit": " "}, "unit"),
        ({"target_source": " "}, "target source"),
        ({"command": ""}, "lineage link"),
    ],
)
def test_lint_refuses_a_definition_with_a_hole(data: EditionData, part: dict[str, str], lacks: str) -> None:
    """The catalogue forbids most of these holes as well; the page checks once more what it is about to show."""
    page = role_page(Edition(data, index(data.values, AS_OF)), "genai_engineer")
    row = page.owned[0]
    hollow = replace(row, definition=replace(row.definition, **part))
    with pytest.raises(ReportError, match=f"token_cost_per_session  R001  has no {lacks};"):
        lint([replace(page, owned=(hollow,))])


@pytest.mark.parametrize(
    ("part", "lacks"),
    [
        ({"owner": ""}, "owner"),
        ({"n": NOT_SAID}, "n"),
        ({"interval": NOT_SAID}, "interval or exact"),
        ({"period": ""}, "as-of"),
        ({"href": ""}, "lineage link"),
    ],
)
def test_lint_refuses_a_line_with_a_hole(data: EditionData, part: dict[str, Any], lacks: str) -> None:
    """Each thing a number is shown with is asked for on its own."""
    page = role_page(Edition(data, index(data.values, AS_OF)), "genai_engineer")
    hollow = replace(page.owned[0], **part)
    with pytest.raises(ReportError, match=f"token_cost_per_session  R001  has no {lacks};"):
        lint([replace(page, owned=(hollow,))])


def test_lint_lets_a_whole_page_pass(data: EditionData) -> None:
    """The same page without a hole raises nothing."""
    lint([role_page(Edition(data, index(data.values, AS_OF)), "genai_engineer")])


def test_a_kpi_without_any_value_says_so(data: EditionData, tmp_path: Path) -> None:
    """An engine that hands on nothing about a KPI leaves a line with a reason, not a hole."""
    render(replace(data, values=data.values[data.values["kpi_id"] != "hours_saved"]), tmp_path)
    said = "".join(parsed(tmp_path / "chief_ai_officer.html").text)
    assert "Nothing can be said yet: no number of this role is available" in said
    assert "nothing was computed for this KPI" in said
    assert "not built" in said


def test_headlines_use_the_newest_closed_period(data: EditionData) -> None:
    """Open months and young cohorts are not headlined; a gap in the newest closed one is not papered over."""
    made = Edition(data, index(data.values, AS_OF))
    deflection, hours = made.current("deflection_rate"), made.current("hours_saved")
    assert deflection and deflection.end <= END - timedelta(days=7)
    assert hours and (hours.grain, hours.start.month) == ("month", 10)
    missing = _changed(data, "hours_saved", **unknown("not_available", "zero denominator"))
    now = Edition(missing, index(missing.values, AS_OF)).current("hours_saved")
    assert now and now.value is None and now.start.month == 10


def test_run_page_accounts_for_every_row(data: EditionData, site: Path) -> None:
    """rows_in = loaded + duplicate + quarantined, in words and numbers, with the next command."""
    said = " ".join("".join(parsed(site / "run.html").text).split())
    total = formats.grouped(120_450 + 4_800)
    parts = [formats.grouped(number) for number in (120_450 - 12 - 3 + 4_800 - 3, 6, 12)]
    assert f"{total} = {' + '.join(parts)}".replace(formats.THIN, " ") in said.replace(formats.THIN, " ")
    assert ".venv/bin/roi sources probe EXPORTS/odd/truncated.csv" in said
    assert "does not add up" not in said
    needy, whole = said.index("odd/truncated.csv"), said.index(f"odd/{HOSTILE[1]}.csv")
    assert needy < whole


def test_run_page_adds_what_a_mapping_leaves_out(data: EditionData, site: Path, tmp_path: Path) -> None:
    """With the 1 200 rows of a `where` all rows read; per source and table of how many; what is unknown is not 0."""
    said = " ".join("".join(parsed(site / "run.html").text).split()).replace(formats.THIN, " ")
    read = formats.grouped(120_450 + 4_800 + 1_200).replace(formats.THIN, " ")
    assert f"With the 1 200 that the where of a mapping leaves out, {read} rows were read." in said
    assert re.search(r"helpdesk_tickets ?contacts ?1 200 ?6 000 ?20\.?0? %", said)
    unknown = [{**data.loads[0], "left_out": None}, *data.loads[1:]]
    render(replace(data, loads=unknown, left_out=[]), tmp_path)
    said = " ".join("".join(parsed(tmp_path / "run.html").text).split())
    assert "how many were left out of 1 file loaded before that was counted is not available" in said
    assert "Left out by" not in said


def test_run_page_says_when_the_ledger_does_not_add_up(data: EditionData, tmp_path: Path) -> None:
    """A lost row is a banner, not a footnote."""
    render(replace(data, loads=[{**data.loads[0], "loaded": 1}]), tmp_path)
    assert "does not add up" in (tmp_path / "run.html").read_text(encoding="utf-8")


def test_an_edition_without_values_still_has_its_pages(data: EditionData, tmp_path: Path) -> None:
    """The first night without a single source: every role is not built, nothing breaks, nothing is zero."""
    empty = replace(data, values=data.values.iloc[:0], sources=[], loads=[], quarantine=[], checks=[], restatements=[])
    render(empty, tmp_path)
    said = "".join(parsed(tmp_path / "index.html").text)
    assert said.count("Nothing can be said yet: no number of this role is available") == 9
    assert "Nothing can be said yet: no KPI has a current value" in said
    assert "No file has arrived." in "".join(parsed(tmp_path / "run.html").text)


def test_slices_hide_small_groups(data: EditionData, site: Path) -> None:
    """A suppressed group shows the word and the reason, and neither value nor n."""
    page = (site / "change_adoption_specialist.html").read_text(encoding="utf-8")
    hidden = re.findall(r'<tr><th scope="row">[^<]*</th><td class="num"><span class="absent suppressed">.*?</tr>', page)
    assert len(hidden) == 4
    assert all("fewer than 5 people" in row and not re.search(r"\d", row.split("fewer than 5")[1]) for row in hidden)
    assert 'title="suppressed: ' in page


def test_thin_data_may_lack_an_interval_and_says_so(data: EditionData, tmp_path: Path) -> None:
    """Too few data for an interval is no reason to publish nothing; the page says that there is none."""
    thin = {"interval_low": None, "interval_high": None, "status": "insufficient_data", "verdict": "inconclusive"}
    render(_changed(data, "p95_latency", **thin), tmp_path)
    said = "".join(parsed(tmp_path / "data_infrastructure_architect.html").text)
    assert "no interval could be computed" in said
    assert "provisional" in said


def test_a_long_run_is_marked_where_it_begins(data: EditionData, site: Path) -> None:
    """A shift of six weeks is one diamond, not six."""
    specs = [json.loads(text) for text in parsed(site / "prompt_engineering_lead.html").scripts if text.startswith("{")]
    marks = next(trace for trace in specs[0]["data"] if trace["name"] == "signal begins")
    series = index(data.values, AS_OF).series("grounded_answer_rate", "week")
    first = next(row for row in series if row.signal == "shift")
    assert sum(row.signal == "shift" for row in series) > 3
    assert marks["x"] == [first.start.isoformat()]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({}, "final"),
        ({"status": "insufficient_data"}, "provisional"),
        (unknown("not_available", "no source"), "not built"),
    ],
)
def test_status_of_a_role(data: EditionData, change: dict[str, Any], word: str) -> None:
    """The worst thing that is true of its KPIs."""
    made = _changed(data, "p95_latency", **change)
    assert status(Edition(made, index(made.values, AS_OF)), ["p95_latency"]).word == word


@pytest.mark.parametrize(("severity", "word"), [("warn", "provisional"), ("block", "incomplete")])
def test_a_failed_check_touches_the_status_of_its_kpis(data: EditionData, severity: str, word: str) -> None:
    """Only of the KPIs it names."""
    failed = {**data.checks[1], "severity": severity, "kpis": ["p95_latency"]}
    made = replace(data, checks=[failed])
    found = Edition(made, index(made.values, AS_OF))
    assert status(found, ["p95_latency"]).word == word
    assert status(found, ["tool_error_rate"]).word == "final"
