"""Pages over the whole catalogue and over time: who answers for what, what was corrected, which editions there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from pipeline.commands import Commands
from pipeline.reports import formats, rows
from pipeline.reports.cells import text
from pipeline.reports.model import Correction, Figure, KpiRow, Mark, Record
from pipeline.reports.rows import Edition

CORRECTIONS_LISTED = 500
EDITIONS_LISTED = 400


@dataclass(frozen=True)
class RaciRow:
    """One role: A where it is accountable, I where it is informed, empty elsewhere."""

    title: str
    href: str
    cells: tuple[str, ...]
    accountable: int
    informed: int


@dataclass(frozen=True)
class Raci:
    """Roles down, KPIs across; every text is ready to print."""

    title: str
    kpis: tuple[tuple[str, str], ...]
    """Name and page of each KPI."""
    rows: tuple[RaciRow, ...]
    empty_roles: tuple[str, ...]
    unwatched: tuple[str, ...]
    """KPIs of which nobody but the owner is informed."""


def raci(edition: Edition) -> Raci:
    """The whole matrix, from the catalogue."""
    catalog = edition.catalog
    kpis = list(catalog.metrics)
    found = tuple(_raci_row(edition, role, kpis) for role in catalog.roles)
    empty = tuple(row.title for row in found if not row.accountable)
    watched = {kpi for role in catalog.roles.values() for kpi in role.subscribes}
    unwatched = tuple(catalog.metrics[kpi].name for kpi in kpis if kpi not in watched)
    title = f"{formats.counted(len(kpis), 'KPI')}, each with one accountable role"
    title += f"; {formats.counted(len(empty), 'role')} of {len(found)} without a KPI" if empty else ""
    names = tuple((catalog.metrics[kpi].name, rows.kpi_href(kpi)) for kpi in kpis)
    return Raci(title, names, found, empty, unwatched)


def _raci_row(edition: Edition, role_id: str, kpis: list[str]) -> RaciRow:
    role, catalog = edition.catalog.roles[role_id], edition.catalog
    cells = tuple(
        "A" if catalog.metrics[kpi].owner == role_id else "I" if kpi in role.subscribes else "" for kpi in kpis
    )
    href = f"{role_id}.html" if role_id in catalog.reported_roles() else ""
    return RaciRow(role.title, href, cells, cells.count("A"), cells.count("I"))


@dataclass(frozen=True)
class KpiLine:
    """One KPI in the table of all; `status` and `signal` are words that can be filtered by."""

    name: str
    href: str
    owner: str
    value: Figure
    period: str
    verdict: Mark
    signal: Mark
    status: str


def kpi_lines(edition: Edition) -> tuple[KpiLine, ...]:
    """Every KPI in the order of the catalogue."""
    return tuple(_kpi_line(rows.kpi_row(edition, kpi)) for kpi in edition.catalog.metrics)


def _kpi_line(row: KpiRow) -> KpiLine:
    name = row.definition.name
    return KpiLine(name, row.href, row.owner, row.value, row.period, row.verdict, row.signal, row.status)


def choices(lines: Iterable[KpiLine]) -> dict[str, list[str]]:
    """What the table of all KPIs can be filtered by: each word that stands in it, in the order it comes in."""
    held = list(lines)
    return {
        "owner": list(dict.fromkeys(one.owner for one in held)),
        "status": sorted({one.status for one in held}),
        "verdict": sorted({one.verdict.word for one in held}),
        "signal": sorted({one.signal.word for one in held}),
    }


@dataclass(frozen=True)
class Corrections:
    """Every total that an edition restated, the newest first, as far as a page holds them."""

    title: str
    rows: tuple[Correction, ...]
    left_off: int


def all_corrections(edition: Edition) -> Corrections:
    """The register of corrections; entries are added and never taken away."""
    held = [row for row in edition.data.history if row["kpi_id"] in edition.catalog.metrics]
    shown = tuple(rows.correction(edition, row) for row in held[:CORRECTIONS_LISTED])
    editions = len({int(row["edition"]) for row in held})
    if not held:
        return Corrections("No published total was ever corrected", (), 0)
    title = f"{formats.counted(len(held), 'published total')} corrected by {formats.counted(editions, 'edition')}"
    return Corrections(title, shown, len(held) - len(shown))


@dataclass(frozen=True)
class Archived:
    """One edition of the archive."""

    number: str
    data_through: str
    catalog: str
    inputs: str
    restated: str
    command: str


def archive(edition: Edition) -> tuple[Archived, ...]:
    """Every edition, the newest first."""
    return tuple(_archived(row, edition.commands) for row in edition.data.editions[:EDITIONS_LISTED])


def _archived(row: Record, commands: Commands) -> Archived:
    number = int(row["number"])
    words = f"edition diff {number - 1} {number}" if number > 1 else f"edition show {number}"
    return Archived(
        number=str(number),
        data_through=formats.day(date.fromisoformat(str(row["as_of"])[:10])),
        catalog=text(row["catalog_hash"])[:12],
        inputs=text(row["input_hash"])[:12],
        restated=formats.grouped(int(row["restated"])),
        command=commands.roi(words),
    )
