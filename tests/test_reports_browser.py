"""The pages in a real Chromium: no request leaves, nothing fails, nothing runs, nothing is cut off, everything prints.

Over a made edition, or with `$ROI_PAGES` over the published one: then axe-core sees every page, not one of each kind.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browser_room import (
    LACKS,
    PAPER,
    PHONE,
    SCHEMES,
    UPRIGHT,
    WIDTH,
    ZOOMED,
    Chromium,
    axe,
    chromium,
    cut_off,
    families,
    kinds,
)
from roi_room import catalog_of, inputs
from test_reports_edition import edition

from pipeline.reports import render
from pipeline.roi.assemble import evaluate

pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(LACKS), reason=LACKS)]
LOG = logging.getLogger("pages")
IS_PUBLISHED = "ROI_PAGES" in os.environ
UNSEEN = """selector => [...document.querySelectorAll(selector)].filter(one => {
  const place = one.getBoundingClientRect();
  return !(one.checkVisibility() && place.width && place.height);
}).map(one => one.outerHTML.slice(0, 90)).slice(0, 3)"""

READ = "[...document.querySelectorAll('h1, ul, dl, table')].map(one => [one.id, one.innerText, one.textContent])"


@dataclass(frozen=True)
class Sight:
    """What was found wrong with a page in one colour scheme."""

    page: str
    scheme: str
    outside: list[str]
    console: list[str]
    ran: list[Any]
    cut_off: list[Any]
    axe: list[tuple[str, str, int]] | None  # None where axe-core did not look
    out_of_reach: int
    text: list[Any]  # as READ has it; of the light scheme alone


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made edition as pages, or the pages in `$ROI_PAGES`."""
    if IS_PUBLISHED:
        return Path(os.environ["ROI_PAGES"]).resolve()
    out = tmp_path_factory.mktemp("site")
    render(edition(roi=evaluate(catalog_of(), inputs(), draws=100)), out)
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    """A Chromium that writes down its console and its requests."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def sights(browser: Chromium, site: Path) -> list[Sight]:
    """Every page in both schemes, family by family."""
    looked_into = set(site.rglob("*.html")) if IS_PUBLISHED else set(kinds(site))
    found: list[Sight] = []
    for family, paths in families(site).items():
        seen = [_look(browser, site, path, scheme, path in looked_into) for path in paths for scheme in SCHEMES]
        found += seen
        LOG.info("%s", _told(family, seen))
    LOG.info("%s", _told("all", found))
    return found


def _look(browser: Chromium, site: Path, path: Path, scheme: str, with_axe: bool) -> Sight:
    """What is wrong with a page: opened dark where axe-core looks into it, else turned dark while it is open."""
    page = browser.open(path, scheme=scheme) if scheme == "light" or with_axe else browser.turn_dark()
    text = page.evaluate(READ) if scheme == "light" else []
    violations = axe(page) if with_axe else None
    widths = (WIDTH, 1024, ZOOMED, PHONE) if scheme == "light" else (PHONE,)
    cut = [fault for width in widths for fault in cut_off(page, width)]
    reach = "[...document.querySelectorAll('.scroll')].filter(one => one.scrollWidth > one.clientWidth && one.tabIndex)"
    return Sight(
        page=path.relative_to(site).as_posix(),
        scheme=scheme,
        outside=browser.outside(site),
        console=list(browser.console),
        ran=page.evaluate("[...hits, ...(window.hit ? [window.hit] : []), ...document.querySelectorAll('svg a, img')]"),
        cut_off=cut,
        axe=violations,
        out_of_reach=page.evaluate(reach + ".length"),
        text=text,
    )


def _told(family: str, seen: list[Sight]) -> str:
    looked_into = [one for one in seen if one.axe is not None]
    return (
        f"{family:12} axe: {sum(len(one.axe or []) for one in looked_into)} violations on "
        f"{len({one.page for one in looked_into})} pages x {len(SCHEMES)} schemes; "
        f"{sum(len(one.outside) for one in seen)} requests outside, "
        f"{sum(len(one.console) for one in seen)} messages in the console, "
        f"{sum(len(one.cut_off) for one in seen)} cut off on {len({one.page for one in seen})} pages"
    )


def _faults(sights: list[Sight], name: str) -> dict[tuple[str, str], Any]:
    return {(one.page, one.scheme): getattr(one, name) for one in sights if getattr(one, name)}


@pytest.mark.parametrize("fault", ["outside", "console", "ran"])
def test_no_request_leaves_no_error_is_logged_and_no_payload_runs(sights: list[Sight], fault: str) -> None:
    """Every page, in both schemes: only files of the edition are asked for; hostile names set nothing off."""
    assert _faults(sights, fault) == {}


def test_the_matrix_of_roles_fits_a_desk(browser: Chromium, site: Path) -> None:
    """At 1280 pixels no role is cut off: the table is no wider than its box."""
    page = browser.open(site / "raci.html", scheme="light")
    page.set_viewport_size({"width": WIDTH, "height": 900})
    assert page.evaluate("(box => box.scrollWidth <= box.clientWidth)(document.querySelector('.raci').parentElement)")


def test_axe_finds_nothing(sights: list[Sight]) -> None:
    """WCAG 2.2 AA and best practice, by axe-core, in both schemes; over a made edition one page of each kind."""
    assert _faults(sights, "axe") == {}
    assert {one.scheme for one in sights if one.axe is not None} == set(SCHEMES)


def test_nothing_is_cut_off_or_scrolls_sideways(sights: list[Sight]) -> None:
    """A window of 1280, 1024 and 320 pixels, and one zoomed to 200 %: tables stack or scroll inside their own box."""
    assert _faults(sights, "cut_off") == {}


def test_a_box_that_scrolls_is_reached_by_keyboard(sights: list[Sight]) -> None:
    """At 320 pixels every table that is wider than its box can be scrolled without a mouse."""
    assert _faults(sights, "out_of_reach") == {}


def test_the_table_of_all_kpis_is_filtered(browser: Chromium, site: Path) -> None:
    """From file://, by owner: only rows of that owner stay, and the count says how many."""
    page = browser.open(site / "index.html")
    rows = "[...document.querySelectorAll('#kpis tbody tr')].filter(row => row.checkVisibility())"
    whole = page.evaluate(f"{rows}.length")
    page.select_option("select[name=owner]", index=2)
    owner = page.input_value("select[name=owner]")
    owners = page.evaluate(f"{rows}.map(row => row.dataset.owner)")
    assert set(owners) == {owner}
    assert 0 < len(owners) < whole
    assert page.text_content("#shown") == f"{len(owners)} of {whole} KPIs"


def test_every_number_and_table_is_there_with_scripts_off(browser: Chromium, site: Path, sights: list[Sight]) -> None:
    """Each page reads as with scripts, every chart has its table, and no empty plot takes up room."""
    charts = (
        "[...document.querySelectorAll('.chart:has(.plot)')].map(one => [one.querySelectorAll('tbody tr').length,"
        "one.querySelector('.plot').offsetHeight])"
    )
    with_scripts = {one.page: one.text for one in sights if one.scheme == "light"}
    assert with_scripts.keys() == {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    for name, text in with_scripts.items():
        page = browser.open(site / name, scripts=False)
        told = page.evaluate(READ)
        assert told == text, name
        assert all(re.search(r"\d", seen) for where, seen, _ in told if where == "scorecard"), name
        assert all(rows > 0 and height == 0 for rows, height in page.evaluate(charts)), name


def test_a_scorecard_is_read_and_a_table_opened_with_scripts_off(browser: Chromium, site: Path) -> None:
    """The value stands there, and the table of a chart opens by keyboard."""
    page = browser.open(site / "genai_engineer.html", scripts=False)
    assert re.search(r"\$0\.0\d", page.inner_text("#scorecard"))
    page.locator(".chart details > summary").first.press("Enter")
    assert page.locator(".chart details td").first.is_visible()


def test_everything_is_on_paper(browser: Chromium, site: Path) -> None:
    """Every definition is open, every cell of every table has its place, column heads repeat, nothing is cut off."""
    paths = sorted(site.rglob("*.html")) if IS_PUBLISHED else kinds(site)
    cells = 0
    for path in paths:
        page = browser.open(path, width=PAPER)
        page.emulate_media(media="print")
        assert page.evaluate(UNSEEN, "details > :not(summary), tbody tr, th:not(:empty), td:not(:empty)") == [], (
            path.name
        )
        heads = "[...document.querySelectorAll('thead')].map(one => getComputedStyle(one).display)"
        assert set(page.evaluate(heads)) <= {"table-header-group"}, path.name
        width = UPRIGHT if path.parent.name == "memos" else PAPER
        assert cut_off(page, width, scrolls=False) == [], path.name
        cells += page.evaluate("document.querySelectorAll('td').length")
    LOG.info("%s", f"paper        {len(paths)} pages, {cells} cells of tables: none closed, none cut off")


def test_a_memo_is_one_page_of_a4(browser: Chromium, site: Path) -> None:
    """Upright, whatever is known or unknown: whoever decides holds one sheet."""
    found = sorted((site / "memos").iterdir())
    assert found
    for path in found:
        pdf = browser.open(path).pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1, path.name
        ((width, height),) = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
        millimetres = [round(float(points) / 72 * 25.4) for points in (width, height)]
        assert millimetres == [210, 297], path.name


def test_axis_labels_keep_clear_of_the_legend_at_320_pixels(browser: Chromium, site: Path) -> None:
    """The legend stands above the plot, so that turned labels of the time axis have room below it."""
    page = browser.open(site / "ai_operations_engineer.html", width=PHONE)
    assert page.evaluate(
        "[...document.querySelectorAll('.plot')].every(box => {"
        "const legend = box.querySelector('.legend').getBoundingClientRect();"
        "const ticks = [...box.querySelectorAll('.xtick text')].map(tick => tick.getBoundingClientRect())"
        ".filter(place => place.height).map(place => place.top);"
        "return ticks.length > 1 && Math.min(...ticks) >= legend.bottom})"
    )
