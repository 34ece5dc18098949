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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser_room import LACKS, PAPER, PHONE, Chromium, chromium, cut_off
from hostile_room import ADDRESS, FIXTURES, PAYLOADS, Spoiler, codes, one_of_each, spoil
from project import Project

from pipeline.reports.shown import shown
from pipeline.sources.mapping import load_mappings

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
    told = [payload for payload in PAYLOADS if shown(payload).strip() in seen]
    assert len(told) >= 5, "pages show hardly any of them as text"
    LOG.info("no payload ran, linked or broke a page; %d of %d stand on pages as text", len(told), len(PAYLOADS))


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
