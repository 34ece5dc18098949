"""Hostile texts in every field of every export, through the real nightly run, onto every page and into every download.

`make proof-hostile` runs this: the whole sample, all fixtures and a file of payloads for every source, and every page.
`make test` leaves it out, for it takes minutes; its pages with payloads are those of tests/test_reports_browser.py.
"""

from __future__ import annotations

import csv
import gzip
import io
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser_room import LACKS, PAPER, PHONE, Chromium, chromium, cut_off
from hostile_columns import Column, cells, columns, readable, text_columns
from hostile_room import ADDRESS, FIXTURES, PAYLOADS, Spoiler, codes, notes_of_payloads, one_of_each, spoil
from project import Project

from pipeline.reports.shown import KEPT, shown
from pipeline.sources.mapping import load_mappings
from pipeline.tables import Column as TableColumn

LOG = logging.getLogger("hostile")
pytestmark = pytest.mark.skipif("ROI_PROOF_HOSTILE" not in os.environ, reason="minutes long: make proof-hostile")
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
LINKS = """[...document.querySelectorAll('a[href*="x.invalid"], svg a, img, iframe, main script:not([data-for])')]"""
needs_chromium = pytest.mark.skipif(bool(LACKS), reason=LACKS)


@dataclass(frozen=True)
class Night:
    """The published project, and every hostile text that went into its exports."""

    project: Project
    spoiler: Spoiler
    recognised: set[str]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """The sample and all fixtures with hostile texts, and for each source a file of nothing but payloads."""
    project = Project.new(tmp_path_factory.mktemp("hostile") / "project")
    project.roi("sample")
    exports = project.root / "exports"
    mappings = load_mappings()
    spoiler = Spoiler(codes(mappings))
    sample = project.root / "data" / "exports" / "sample"
    spoil(_files(sample), sample, exports, spoiler)
    for folder in FIXTURES:
        spoil(_files(folder), folder, exports / folder.name, spoiler)
    for mapping in mappings:
        one_of_each(mapping, exports / "each")
    notes_of_payloads(exports / "notes-hostile", spoiler)
    project.roi("nightly", "--exports", exports, exit_code=3)
    found = project.rows("exports", "SELECT DISTINCT source FROM ledger.files WHERE status = 'loaded'")
    return Night(project, spoiler, {source for (source,) in found})


def _files(folder: Path) -> list[Path]:
    """The exports of a folder, without the rows they are held to."""
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("rows.json")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    """A Chromium with tripwires."""
    with chromium() as opened:
        yield opened


def test_the_exports_are_hostile_and_still_taken(night: Night) -> None:
    """Every payload went in, and so did words of 10 000 characters; rows of many sources were loaded."""
    made = night.spoiler.made.values()
    assert all(any(payload in text for text in made) for payload in PAYLOADS)
    assert sum(len(text) > 10_000 for text in made) > 20
    assert len(night.recognised) > 40
    LOG.info("%d hostile texts, %d sources loaded", len(night.spoiler.made), len(night.recognised))


@needs_chromium
def test_long_texts_stay_within_a_phone(night: Night, browser: Chromium) -> None:
    """The page with the longest texts at 320 pixels; its picture is kept where `ROI_PROOF_PICTURES` names a folder."""
    page = browser.open(night.project.reports.resolve() / "kpi" / "adoption_rate.html")
    assert cut_off(page, PHONE) == []
    folder = os.environ.get("ROI_PROOF_PICTURES")
    if folder:
        page.screenshot(path=f"{folder}/hostile-320.png", full_page=True)


@needs_chromium
def test_nothing_runs_and_nothing_is_a_link(night: Night, browser: Chromium) -> None:
    """No tripwire, no message, no request, no element made of a text; each page is whole at 320 pixels and on paper."""
    site, seen = night.project.reports.resolve(), ""
    for path in sorted(site.rglob("*.html")):
        page = browser.open(path)
        assert page.evaluate(f"[...hits, ...{LINKS}.map(one => one.outerHTML)]") == [], path.name
        assert (browser.console, browser.outside(site)) == ([], []), path.name
        assert cut_off(page, PHONE) == [], path.name
        page.emulate_media(media="print")
        assert cut_off(page, PAPER, scrolls=False) == [], path.name
        seen += page.evaluate("document.body.textContent")
    told = [payload for payload in PAYLOADS if " ".join(shown(payload).split()) in " ".join(seen.split())]
    assert told == list(PAYLOADS), "each stands on a page as text"
    assert "W" * KEPT + "…" in seen
    LOG.info("no payload ran, linked or broke a page; %d of %d stand on pages as text", len(told), len(PAYLOADS))


def test_of_every_text_column_it_is_known_whether_it_is_published(night: Night) -> None:
    """What is published of a column stands as text; what no code that feeds pages names stands nowhere.

    Persons are pseudonyms before they are stored, and codes with anything more in them are refused: neither can be
    hostile. What else has no hostile text of its own is told apart, with the values that other columns hold as well.
    """
    warehouse = night.project.root / "data" / "warehouse" / "exports.duckdb"
    found = {one.name: one for one in columns(warehouse, night.project.reports, night.spoiler.made.values())}
    published = {name for name, one in found.items() if one.is_published}
    assert published <= readable(), "published, though no code that feeds pages names it"
    fates: dict[str, list[str]] = {}
    for name, column in text_columns().items():
        fates.setdefault(_fate(name, column, found), []).append(name)
    for fate, names in sorted(fates.items()):
        LOG.info("%d %s: %s", len(names), fate, " ".join(sorted(names)))
    for name in sorted(published):
        one = found[name]
        LOG.info(
            "%s: %d hostile, %d on pages, %d in downloads", name, one.hostile, len(one.on_pages), len(one.in_downloads)
        )
    assert sum(map(len, fates.values())) == len(text_columns())
    assert len(found) > 60
    assert len(published) > 10


def _fate(name: str, column: TableColumn, found: Mapping[str, Column]) -> str:
    """What becomes of the texts of a column."""
    if column.column_type.name == "person":
        return "hold pseudonyms"
    if column.values:
        return "hold codes of a list"
    if name in found:
        return "are published as text" if found[name].is_published else "hold hostile texts and are published nowhere"
    return (
        "hold no hostile text of their own"
        if name in readable()
        else "hold none, and nothing that feeds pages names them"
    )


def test_every_payload_comes_back_from_the_downloads(night: Night) -> None:
    """Each payload stands in a cell of a CSV or a text of a JSON file as it came, less blanks around it."""
    joined = "\n".join(cells(night.project.reports))
    assert [payload for payload in PAYLOADS if payload.strip() not in joined] == []


def test_pages_hold_texts_as_texts(night: Night) -> None:
    """Without a browser too: no byte of a page is a hostile tag, an override of direction or a control character."""
    for path in sorted(night.project.reports.rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        for payload in ("<script>hits", "<img src=x", "<svg onload", "<b onclick", "<a href=" + '"' + ADDRESS):
            assert payload not in text, path.name
        assert not set("\u202e\u2067\x1b") & set(text), path.name
        assert "W" * 201 not in text, path.name


def test_no_cell_of_a_download_is_a_formula(night: Night) -> None:
    """A spreadsheet runs what begins with = + - @, tab or return: such texts stand behind an apostrophe."""
    hostile = 0
    for path in sorted(night.project.reports.rglob("*.csv*")):
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for row in csv.reader(io.StringIO(raw.decode("utf-8"))):
            bad = [cell for cell in row if cell.startswith(FORMULAS) and not _is_number(cell)]
            assert bad == [], path.name
            hostile += sum(cell.startswith("'") and cell[1:2] in FORMULAS for cell in row)
    assert hostile > 0


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
