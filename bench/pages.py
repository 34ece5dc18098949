"""`python -m bench.pages`: what pages weigh, how soon they show something, how long an edition takes to draw."""

from __future__ import annotations

import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bench.measure import ROOT

KB, MB = 1_000, 1_000_000
LOADS = 5
SCRIPT = "assets/plotly-basic.min.js"


@dataclass(frozen=True)
class Figure:
    """A measured figure and what it may be at most."""

    name: str
    value: float
    most: float
    unit: str

    @property
    def holds(self) -> bool:
        """Whether the figure keeps to its bar."""
        return self.value <= self.most

    def __str__(self) -> str:
        told = "ok" if self.holds else "TOO MUCH"
        return f"{self.name:58} {self.value:8.2f} {self.unit:2} at most {self.most:g} {self.unit}: {told}"


def weights(pages: Path) -> list[Figure]:
    """What an edition weighs: its heaviest role page and page, the mail in both forms, the chart script, all files."""
    roles = _roles(pages)
    heaviest = max(roles, key=_size)
    any_page = max(pages.rglob("*.html"), key=_size)
    every = [path for path in pages.rglob("*") if path.is_file()]
    return [
        Figure(f"heaviest of {len(roles)} role pages, {heaviest.name}", _size(heaviest) / KB, 300, "KB"),
        Figure(f"heaviest page, {any_page.relative_to(pages)}", _size(any_page) / KB, 300, "KB"),
        Figure("digest.html", _size(pages / "digest.html") / KB, 100, "KB"),
        Figure("digest.eml", _size(pages / "digest.eml") / KB, 100, "KB"),
        Figure("shared chart script", _size(pages / SCRIPT) / MB, 1.3, "MB"),
        Figure(f"whole edition, {len(every)} files", sum(map(_size, every)) / MB, 15, "MB"),
    ]


def first_paints(pages: Path, program: str) -> Iterator[Figure]:
    """Seconds until a role page shows something: the median of cold loads from disk, each in a context of its own."""
    from playwright.sync_api import sync_playwright

    asked = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for path in _roles(pages):
            seconds = []
            for _ in range(LOADS):
                context = browser.new_context(viewport={"width": 1280, "height": 900})
                page = context.new_page()
                page.goto(path.as_uri())
                seconds.append(float(page.evaluate(asked)) / 1000)
                context.close()
            yield Figure(f"first paint of {path.name}", statistics.median(seconds), 0.5, "s")
        browser.close()


def drawn(warehouse: Path, out: Path) -> tuple[float, float]:
    """Draw the newest edition of a warehouse into a folder; returns seconds, and seconds of processor."""
    from pipeline.catalog.load import load_catalog
    from pipeline.edition import collect
    from pipeline.reports import render
    from pipeline.warehouse.connection import warehouse as opened

    catalog = load_catalog(ROOT / "metrics_catalog.yaml")
    begun, worked = time.perf_counter(), time.process_time()
    with opened(warehouse, read_only=True, threads=os.cpu_count() or 1) as con:
        data = collect(con, catalog, warehouse=warehouse.stem)
    render(data, out)
    return time.perf_counter() - begun, time.process_time() - worked


def digest(folder: Path) -> str:
    """One hash over the names and the bytes of all files in a folder."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return total.hexdigest()


def drawing(warehouse: Path) -> tuple[Figure, bool]:
    """Draw the edition twice: the seconds of the first time, and whether the second gave the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        once, twice = Path(folder) / "once", Path(folder) / "twice"
        seconds, worked = drawn(warehouse, once)
        drawn(warehouse, twice)
        name = f"drawing the whole edition ({worked:.1f} s of processor)"
        return Figure(name, seconds, 10, "s"), digest(once) == digest(twice)


def _roles(pages: Path) -> list[Path]:
    return [path for path in sorted(pages.glob("*.html")) if 'id="score"' in path.read_text(encoding="utf-8")]


def _size(path: Path) -> int:
    return path.stat().st_size


def pages(
    *,
    pages: Annotated[Path, typer.Option(help="The published pages.")] = ROOT / "reports",
    warehouse: Annotated[Path, typer.Option(help="What they are drawn from.")] = ROOT / "data/warehouse/sample.duckdb",
) -> None:
    """Print weights, first paints and the time of drawing, each with its bar; exit 1 when one is passed."""
    found = weights(pages.resolve())
    typer.echo("\n".join(map(str, found)))
    seconds, is_same = drawing(warehouse.resolve())
    typer.echo(f"{seconds}\n{'drawn twice':58} {'the same bytes' if is_same else 'OTHER BYTES'}")
    found += [seconds, *_painted(pages.resolve())]
    if not is_same or not all(figure.holds for figure in found):
        raise typer.Exit(1)


def _painted(pages: Path) -> Iterator[Figure]:
    from pipeline.errors import RoiError
    from pipeline.printing import browser

    try:
        program = browser()
    except RoiError:
        typer.echo("first paint: not measured, for there is no Chromium on this machine")
        return
    for figure in first_paints(pages, str(program)):
        typer.echo(str(figure))
        yield figure


if __name__ == "__main__":
    typer.run(pages)
