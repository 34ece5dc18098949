"""Pages in a real Chromium: opened, held to what every page owes its reader, and measured."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

from pipeline.printing import BROWSERS

PROGRAM = next((path for name in BROWSERS if (path := shutil.which(name))), None)
LACKS = (
    "no Chromium on this machine"
    if PROGRAM is None
    else "" if find_spec("axe_playwright_python") else "playwright is not installed"
)  # fmt: skip
"""Why no page can be opened here; empty when one can."""
SWITCHES = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--host-resolver-rules=MAP * ~NOTFOUND")
"""No name is resolved, so that a page which asks for something outside is seen to ask and gets nothing."""
SCHEMES = ("light", "dark")
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
WIDTH, HEIGHT = 1280, 900
PHONE, ZOOMED = 320, WIDTH // 2
"""At 200 % a window of 1280 pixels is 640 wide to the page."""
PAPER, UPRIGHT = 1031, 702
"""A4 landscape and upright between margins of 12 mm, at 96 pixels per inch."""
TRIPWIRE = """
window.hits = [];
for (const name of ["alert", "confirm", "prompt", "open"]) window[name] = (...words) => { hits.push([name, ...words]) };
addEventListener("securitypolicyviolation", event => hits.push(["policy", event.blockedURI]));
"""
DRAWN = (
    "document.readyState === 'complete' && "
    "[...document.querySelectorAll('.plot')].every(box => box.querySelector('.main-svg'))"
)
FITTED = (
    "[...document.querySelectorAll('.plot')].every(box => "
    "box.querySelector('.main-svg').getBoundingClientRect().width <= box.clientWidth + 1)"
)
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CUT_OFF = """scrollable => {
  const wide = document.documentElement.clientWidth, found = [];
  const scrolls = node => scrollable && node && (node.matches(".scroll") || scrolls(node.parentElement));
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode, box = text.parentElement;
    if (!text.data.trim() || !box.checkVisibility() || box.closest(".unseen, .skip, svg, script")) continue;
    if (box.closest("thead") && getComputedStyle(box.closest("thead")).clipPath !== "none") continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const place = range.getBoundingClientRect();
    const clips = ["hidden", "clip"].includes(getComputedStyle(box).overflowX) && box.scrollWidth > box.clientWidth + 1;
    if (!place.width || (!clips && (scrolls(box) || (place.left > -1 && place.right < wide + 1)))) continue;
    found.push([text.data.trim().slice(0, 60), Math.round(place.left), Math.round(place.right)]);
  }
  return found.slice(0, 5);
}"""
"""Text that ends beyond the window, or that its own box cuts, where nothing can be scrolled to see it."""


@dataclass
class Chromium:
    """One browser with a page for each way of looking, used again from page to page."""

    browser: Browser
    _pages: dict[tuple[Any, ...], Page] = field(default_factory=dict)
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, path: Path, *, width: int = WIDTH, scheme: str = "light", scripts: bool = True) -> Page:
        """Open a file and wait until its charts are drawn; `console` and `requests` begin anew."""
        page = self._pages.get((scheme, scripts)) or self._new(scheme, scripts=scripts)
        page.emulate_media(media="null", color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": HEIGHT})
        self.console.clear()
        self.requests.clear()
        page.goto(path.as_uri())
        if scripts:
            assert wait_until(page, DRAWN, seconds=20), f"{path.name}: charts are not drawn"
        return page

    def turn_dark(self) -> Page:
        """The page that was opened last in the light scheme, when the machine turns dark while somebody reads it."""
        page = self._pages["light", True]
        page.emulate_media(media="null", color_scheme="dark")
        assert wait_until(page, DRAWN, seconds=20), "charts are not drawn again"
        return page

    def outside(self, site: Path) -> list[str]:
        """What the page asked for that is no file of the edition."""
        return [url for url in self.requests if not url.startswith((site.as_uri(), "data:", "blob:"))]

    def fresh(self, **ways: Any) -> BrowserContext:
        """A context that has loaded nothing yet."""
        return self.browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, **ways)

    def _new(self, scheme: str, *, scripts: bool) -> Page:
        page = self.fresh(java_script_enabled=scripts).new_page()
        page.add_init_script(TRIPWIRE)
        page.on("console", lambda told: self.console.append(told.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.on("dialog", lambda dialog: (self.console.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.requests.append(request.url))
        page.context.on("page", lambda other: self.console.append(f"window: {other.url}"))
        self._pages[scheme, scripts] = page
        return page


@contextmanager
def chromium() -> Iterator[Chromium]:
    """The Chromium of this machine, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=PROGRAM, args=list(SWITCHES))
        yield Chromium(browser)
        browser.close()


def wait_until(page: Page, condition: str, *, seconds: int) -> bool:
    """Wait for a condition, in the page itself; Playwright's own waiting evaluates strings, which the pages forbid."""
    asked = f"""async () => {{
      const end = performance.now() + {seconds * 1000}, holds = () => {condition};
      while (!holds() && performance.now() < end) await new Promise(requestAnimationFrame);
      return holds();
    }}"""
    return bool(page.evaluate(asked))


def axe(page: Page) -> list[tuple[str, str, int]]:
    """What axe-core finds against WCAG 2.2 AA and best practice: rule, first place, number of places."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    how = {"runOnly": list(RULES), "resultTypes": ["violations"], "preload": False, "elementRef": False}
    told = page.evaluate("async how => (await axe.run(document, how)).violations", how)
    return [(one["id"], one["nodes"][0]["html"][:160], len(one["nodes"])) for one in told]


def cut_off(page: Page, width: int, *, scrolls: bool = True) -> list[Any]:
    """How far the page is wider than a window of `width` pixels, and the text that nobody can see there.

    On paper nothing `scrolls`.
    """
    page.set_viewport_size({"width": width, "height": HEIGHT})
    wait_until(page, f"({SIDEWAYS}) <= 0 && {FITTED}", seconds=3)  # charts follow a window after a moment
    wide = page.evaluate(SIDEWAYS)
    return ([f"{wide} px wider than {width} px"] if wide > 0 else []) + page.evaluate(CUT_OFF, scrolls)


def kinds(site: Path) -> list[Path]:
    """A page of every kind, and the three biggest: what is looked at when there is no time for all."""
    every = sorted(site.rglob("*.html"))
    first = {_kind(path, site): path for path in reversed(every)}
    return sorted({*first.values(), *sorted(every, key=lambda path: path.stat().st_size)[-3:]})


def families(site: Path) -> dict[str, list[Path]]:
    """All pages by kind."""
    found: dict[str, list[Path]] = {}
    for path in sorted(site.rglob("*.html")):
        found.setdefault(_kind(path, site), []).append(path)
    return found


def _kind(path: Path, site: Path) -> str:
    """The folder of a page; beside the index, its role page or its own name."""
    if path.parent != site:
        return path.parent.name
    return "roles" if 'id="score"' in path.read_text(encoding="utf-8") else path.stem
