"""The pages of the newest edition: staged beside the published ones, drawn again, and whose they are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from pipeline.catalog.model import Catalog
from pipeline.kept_pages import keep
from pipeline.settings import Settings
from pipeline.warehouse.connection import warehouse
from pipeline.warehouse.publish import publish_folder

Progress = Callable[[str], None]


def draw_pages(settings: Settings, catalog: Catalog, progress: Progress = lambda _: None) -> None:
    """Draw the pages of the newest published edition again and publish them."""
    stage_pages(settings, catalog, settings.warehouse, progress)
    publish_folder(settings.staged_reports, settings.reports)
    drawn = drawn_edition(settings.reports)
    if drawn is not None:
        keep(settings.reports, settings.kept_pages, drawn[1], is_new=False)


def stage_pages(settings: Settings, catalog: Catalog, source: Path, progress: Progress) -> list[str]:
    """Draw the pages of the newest edition in the database `source`, ready to be published.

    Returns the KPIs of which they say that they have no current value.
    """
    from pipeline.edition import collect
    from pipeline.reports import render
    from pipeline.reports.rows import without_value

    progress("Drawing pages")
    shutil.rmtree(settings.staged_reports, ignore_errors=True)
    settings.staged_reports.mkdir(parents=True)
    with warehouse(source, read_only=True, threads=settings.threads, rebuild=settings.rebuilding) as con:
        data = collect(con, catalog, warehouse=settings.name, beside=settings.root.parent)
    render(data, settings.staged_reports)
    readme = settings.reports / "README.md"
    if readme.exists():
        shutil.copyfile(readme, settings.staged_reports / "README.md")
    return without_value(data)


def shown_instead(settings: Settings) -> str:
    """The other warehouse whose pages stand in reports/; empty when there is none."""
    drawn = drawn_edition(settings.reports)
    return drawn[0] if drawn is not None and drawn[0] != settings.name else ""


def drawn_edition(reports: Path) -> tuple[str, int, str] | None:
    """Warehouse, edition and hash of the page maker of the pages that stand there; None when there are none."""
    try:
        edition = json.loads((reports / "data" / "edition.json").read_text(encoding="utf-8"))
        return edition["warehouse"], edition["number"], edition["versions"]["pages"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
