"""The pages in a real Chromium: no request leaves, nothing fails, nothing scrolls sideways, everything prints."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from roi_room import catalog_of, inputs
from test_reports_edition import edition

from pipeline.reports import render
from pipeline.roi.assemble import evaluate

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium with chromedriver on this machine"),
]
SWITCHES = [
    "headless",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made edition as pages, or the pages in `$ROI_PAGES`."""
    if "ROI_PAGES" in os.environ:
        return Path(os.environ["ROI_PAGES"]).resolve()
    out = tmp_path_factory.mktemp("site")
    render(edition(roi=evaluate(catalog_of(), inputs(), draws=100)), out)
    return out


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium that writes down its console and its requests."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in [*SWITCHES, f"user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def _open(browser: Any, path: Path, *, width: int = 1280, scheme: str = "light", scripts: bool = True) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": [feature]})
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(path.as_uri())


def _requests(browser: Any) -> list[str]:
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]


def _drawn(browser: Any) -> bool:
    from selenium.webdriver.support.ui import WebDriverWait

    script = (
        "return document.readyState === 'complete' && "
        "[...document.querySelectorAll('.plot')].every(box => box.querySelector('.main-svg'))"
    )
    return bool(WebDriverWait(browser, 20).until(lambda found: found.execute_script(script)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_request_leaves_and_no_error_is_logged(browser: Any, site: Path, scheme: str) -> None:
    """Every page, in both schemes: charts are drawn, all requests are files of the edition, the console is empty."""
    for path in sorted(site.rglob("*.html")):
        _open(browser, path, scheme=scheme)
        assert _drawn(browser), path.name
        outside = [url for url in _requests(browser) if not url.startswith((site.as_uri(), "data:", "blob:"))]
        assert outside == [], path.name
        assert browser.get_log("browser") == [], path.name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Any, site: Path, scheme: str) -> None:
    """Every page against WCAG 2.2 AA, by axe-core; its script is named in `$ROI_AXE`, for nothing is fetched."""
    if "ROI_AXE" not in os.environ:
        pytest.skip("no axe-core: set ROI_AXE to its axe.min.js")
    script = Path(os.environ["ROI_AXE"]).read_text(encoding="utf-8")
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    run = "const done = arguments[1]; axe.run(document, {runOnly: arguments[0]}).then(done)"
    found = {}
    for path in sorted(site.rglob("*.html")):
        _open(browser, path, scheme=scheme)
        assert _drawn(browser)
        browser.execute_cdp_cmd("Runtime.evaluate", {"expression": script})
        told = browser.execute_async_script(run, tags)["violations"]
        if told:
            found[path.name] = [(one["id"], one["nodes"][0]["html"][:160], len(one["nodes"])) for one in told]
    assert not found


def test_the_table_of_all_kpis_is_filtered(browser: Any, site: Path) -> None:
    """From file://, by owner: only rows of that owner stay, and the count says how many."""
    _open(browser, site / "index.html")
    shown = "return [...document.querySelectorAll('#kpis tbody tr')].filter(row => row.checkVisibility())"
    whole = browser.execute_script(f"{shown}.length")
    choose = (
        "const owner = document.querySelector('select[name=owner]'); owner.selectedIndex = 2;"
        "owner.dispatchEvent(new Event('change', {bubbles: true})); return owner.value"
    )
    owner = browser.execute_script(choose)
    owners = browser.execute_script(f"{shown}.map(row => row.dataset.owner)")
    assert set(owners) == {owner}
    assert 0 < len(owners) < whole
    assert browser.execute_script("return document.getElementById('shown').textContent") == (
        f"{len(owners)} of {whole} KPIs"
    )


def test_nothing_scrolls_sideways_on_a_laptop(browser: Any, site: Path) -> None:
    """1280 and 1024 pixels: no page is wider than its window."""
    for path in sorted(site.rglob("*.html")):
        for width in (1280, 1024):
            _open(browser, path, width=width)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width, (path.name, width)


def test_no_payload_runs(browser: Any, site: Path) -> None:
    """The hostile names of the made edition set window.hit if any of them runs; no label holds a link."""
    for path in sorted(site.rglob("*.html")):
        _open(browser, path)
        assert browser.execute_script("return window.hit") is None, path.name
        assert browser.execute_script("return document.querySelectorAll('svg a, img').length") == 0, path.name


def test_nothing_scrolls_sideways_at_320_pixels(browser: Any, site: Path) -> None:
    """Tables stack or scroll inside their own box; a box that scrolls can be reached by keyboard."""
    for path in sorted(site.rglob("*.html")):
        _open(browser, path, width=320)
        wide = browser.execute_script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0, path.name
        wider = "[...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth)"
        assert browser.execute_script(f"return {wider}.every(box => box.tabIndex === 0)"), path.name


def test_numbers_are_visible_with_scripts_off(browser: Any, site: Path) -> None:
    """Every scorecard reads as with scripts, the table of a chart opens by itself, no empty plot takes up room."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    for path in sorted(site.rglob("*.html")):
        read = []
        for scripts in (True, False):
            _open(browser, path, scripts=scripts)
            read.append([card.text for card in browser.find_elements(By.ID, "scorecard")])
        assert read[0] == read[1], path.name
        assert all(re.search(r"\d", text) for text in read[1]), path.name
    _open(browser, site / "genai_engineer.html", scripts=False)
    try:
        assert re.search(r"\$0\.0\d", browser.find_element(By.ID, "scorecard").text)
        summary = browser.find_element(By.CSS_SELECTOR, ".chart details > summary")
        summary.send_keys(Keys.ENTER)
        assert browser.find_element(By.CSS_SELECTOR, ".chart details td").is_displayed()
        assert browser.find_element(By.CSS_SELECTOR, ".plot").size["height"] == 0
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_print_shows_what_is_closed_on_screen(browser: Any, site: Path) -> None:
    """On paper a closed definition takes up room, and column heads repeat on each page."""
    _open(browser, site / "genai_engineer.html")
    height = (
        "const found = document.querySelector('.definition dl');"
        "return found.checkVisibility() && found.getBoundingClientRect().height"
    )
    assert not browser.execute_script(height)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.execute_script(height) > 50
    head = "return getComputedStyle(document.querySelector('.cards thead')).display"
    assert browser.execute_script(head) == "table-header-group"
    printed = browser.execute_cdp_cmd("Page.printToPDF", {})["data"]
    assert base64.b64decode(printed).startswith(b"%PDF")


def test_a_memo_is_one_page_of_a4(browser: Any, site: Path) -> None:
    """Upright, whatever is known or unknown: whoever decides holds one sheet."""
    found = sorted((site / "memos").iterdir())
    assert found
    for path in found:
        _open(browser, path)
        pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
        assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1, path.name
        ((width, height),) = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
        millimetres = [round(float(points) / 72 * 25.4) for points in (width, height)]
        assert millimetres == [210, 297], path.name


def test_print_leaves_long_tables_of_charts_closed(browser: Any, site: Path) -> None:
    """Four hundred days would be twenty sheets; the chart is printed, and the downloads have the table."""
    _open(browser, site / "genai_engineer.html")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    rows = "return document.querySelectorAll('.chart details.long tr').length"
    assert browser.execute_script(rows) > 300
    seen = "return [...document.querySelectorAll('.chart details.long td')].some(cell => cell.checkVisibility())"
    assert not browser.execute_script(seen)


def test_axis_labels_keep_clear_of_the_legend_at_320_pixels(browser: Any, site: Path) -> None:
    """The legend stands above the plot, so that turned labels of the time axis have room below it."""
    _open(browser, site / "ai_operations_engineer.html", width=320)
    assert _drawn(browser)
    below = (
        "return [...document.querySelectorAll('.plot')].every(box => {"
        "const legend = box.querySelector('.legend').getBoundingClientRect();"
        "const ticks = [...box.querySelectorAll('.xtick text')].map(tick => tick.getBoundingClientRect())"
        ".filter(place => place.height).map(place => place.top);"
        "return ticks.length > 1 && Math.min(...ticks) >= legend.bottom})"
    )
    assert browser.execute_script(below)
