"""`python -m bench.screenshots`: pictures for the README, of a narrow screen and of paper, from the sample's pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.measure import ROOT
from pipeline.printing import browser

SHOTS = (
    ("chief_ai_officer.html", {"color_scheme": "light"}, 1100, 660, "chief-ai-officer.png"),
    ("kpi/token_cost_per_session.html", {"color_scheme": "dark"}, 1100, 840, "kpi.png"),
    ("chief_ai_officer.html", {"color_scheme": "light"}, 320, 1200, "narrow.png"),
    ("chief_ai_officer.html", {"media": "print"}, 718, 1015, "paper.png"),
)
"""Page, what it is shown on, width and height in pixels, picture; A4 less its margins is 718 by 1015."""
MOST_BYTES = 200_000


def screenshots(
    *,
    pages: Annotated[Path, typer.Option(help="The published pages.")] = ROOT / "reports",
    out: Annotated[Path, typer.Option(help="Where the pictures go.")] = ROOT / "docs" / "images",
) -> None:
    """Take the pictures; exit 1 when one is heavier than 200 KB."""
    from playwright.sync_api import sync_playwright

    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=browser(), args=["--no-sandbox", "--disable-gpu", "--disable-lcd-text"]
        )
        for name, shown_on, width, height, target in SHOTS:
            page = chromium.new_page(viewport={"width": width, "height": height})
            page.emulate_media(**shown_on)
            page.goto((pages.resolve() / name).as_uri())
            page.screenshot(path=out / target, animations="disabled")
            typer.echo(f"{target}: {(out / target).stat().st_size / 1000:.0f} KB")
        chromium.close()
    if any((out / target).stat().st_size > MOST_BYTES for *_, target in SHOTS):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(screenshots)
