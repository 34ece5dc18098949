"""The page of a KPI: its course with the usual range, definition, versions, breakdown, lineage and restatements."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pipeline.catalog.model import AnyMetric
from pipeline.reports import charts, formats, lineage, rows, sentences, views
from pipeline.reports.cells import text
from pipeline.reports.model import Breakdown, Chart, Correction, Download, KpiRow, Record, SourceRow, Value
from pipeline.reports.rows import Edition
from pipeline.reports.values import closed, judged

FOLDER = "kpi"
MONTHS_SHOWN = 12
RECENT = {"day": 42, "week": 52, "month": 36, "quarter": 20}
"""How far back the second chart goes: six weeks of days, a year of weeks."""
UNKNOWN_RULE = "A value that nobody can tell is not available and never zero; a denominator of zero gives no value."


@dataclass(frozen=True)
class Version:
    """A definition that held from an edition on."""

    edition: str
    data_through: str
    hash: str


@dataclass(frozen=True)
class KpiPage:
    """All that one KPI's page shows; every text is ready to print."""

    id: str
    href: str
    name: str
    owner: str
    owner_href: str
    finding: str
    subtitle: str
    row: KpiRow
    charts: tuple[Chart, ...]
    breakdowns: tuple[Breakdown, ...]
    null_rule: str
    sql: tuple[tuple[str, str], ...]
    """Name and SQL of each fact."""
    versions: tuple[Version, ...]
    corrections: tuple[Correction, ...]
    corrections_left_off: int
    sources: tuple[SourceRow, ...]
    files: tuple[Record, ...]
    downloads: tuple[Download, ...] = ()


def kpi_page(edition: Edition, kpi_id: str) -> KpiPage:
    """The whole page of one KPI."""
    metric, now = edition.catalog.metrics[kpi_id], edition.current(kpi_id)
    raw = lineage.behind(edition.data.sources, edition.catalog, [kpi_id]) if metric.facts else []
    row = rows.kpi_row(edition, kpi_id)
    changed, cut = rows.past_corrections(edition, kpi_id)
    return KpiPage(
        id=kpi_id,
        href=f"{FOLDER}/{kpi_id}.html",
        name=metric.name,
        owner=row.owner,
        owner_href=row.owner_href,
        finding=_finding(edition, kpi_id),
        subtitle=_subtitle(edition, kpi_id, now),
        row=row,
        charts=tuple(_charts(edition, kpi_id, metric)),
        breakdowns=tuple(rows.breakdowns(edition, kpi_id)),
        null_rule=_null_rule(metric),
        sql=tuple((fact, lineage.sql(fact)) for fact in dict.fromkeys(metric.facts)),
        versions=tuple(_version(one) for one in edition.data.versions if one["kpi_id"] == kpi_id),
        corrections=changed,
        corrections_left_off=cut,
        sources=tuple(lineage.source_row(source, edition.catalog, edition.as_of) for source in raw),
        files=tuple(_files(edition, {str(source["source"]) for source in raw})),
    )


def _finding(edition: Edition, kpi_id: str) -> str:
    """The title: the finding, or that there never was a value, of which the subtitle says why."""
    if edition.last_known(kpi_id) is None:
        return f"{edition.catalog.metrics[kpi_id].name} is not available"
    return views.finding(edition, [kpi_id])


def _subtitle(edition: Edition, kpi_id: str, now: Value | None) -> str:
    """What a statistician asks for first: interval, n, period and movement."""
    if now is None or now.value is None:
        return sentences.absent(now, edition.last_known(kpi_id), edition.catalog.metrics[kpi_id])
    return f"{sentences.spread(now)}, {formats.when(now)}; {edition.moved(kpi_id)}"


def _null_rule(metric: AnyMetric) -> str:
    if not metric.unknown:
        return UNKNOWN_RULE
    return f"Not available while {metric.unknown} is above 0. {UNKNOWN_RULE}"


def _version(one: Record) -> Version:
    through = date.fromisoformat(str(one["as_of"])[:10])
    return Version(str(one["edition"]), formats.day(through), str(one["definition_hash"]))


def _files(edition: Edition, sources: set[str]) -> list[Record]:
    """The files of the sources behind a KPI, by name, with their hash and what became of their rows."""
    found = [load for load in edition.data.loads if load["source"] in sources]
    counts = ("rows_in", "loaded", "duplicate", "quarantined")
    return [
        {"file": one["file"], "hash": str(one["file_hash"])[:12], "lines": _lines(one)}
        | {name: formats.grouped(int(one[name])) for name in counts}
        for one in sorted(found, key=lambda one: (str(one["source"]), str(one["file"])))
    ]  # fmt: skip


def _lines(load: Record) -> str:
    """The lines of a file that are in a table, from the first to the last; none of a file that was not taken.

    A line may make rows of several tables, and then there are more rows than lines: that is said.
    """
    first, last, tables = load.get("first_line"), load.get("last_line"), int(load.get("tables") or 0)
    if first is None or last is None or not int(load["loaded"]):
        return "none"
    into = f", for {tables} tables" if tables > 1 else ""
    return f"{formats.grouped(first)} to {formats.grouped(last)}{into}"


def spans(edition: Edition, kpi_id: str) -> list[tuple[str, list[Value]]]:
    """Grain and values of each chart of a KPI: twelve months, then its cadence; closed periods alone.

    Where neither knows the newest value, the grain that does comes first.
    """
    metric, newest = edition.catalog.metrics[kpi_id], edition.last_known(kpi_id)
    counts = {"month": MONTHS_SHOWN} if metric.grain in ("day", "week") else {}
    counts[metric.grain] = RECENT[metric.grain]
    if newest is not None and newest.grain not in counts:
        counts = {newest.grain: RECENT[newest.grain], **counts}
    whole = {grain: closed(edition.values, edition.values.series(kpi_id, grain), metric) for grain in counts}
    return [(grain, whole[grain][-count:]) for grain, count in counts.items()]


def _charts(edition: Edition, kpi_id: str, metric: AnyMetric) -> list[Chart]:
    """A chart per span, whose usual range comes from every closed point of its grain."""
    seen = judged(edition.values, kpi_id, metric)
    found = []
    for grain, drawn in spans(edition, kpi_id):
        basis = closed(edition.values, edition.values.series(kpi_id, grain), metric)
        title = edition.course(kpi_id) if seen and grain == seen.grain else f"{metric.name} by {grain}"
        chart = charts.chart(
            kpi_id,
            metric,
            drawn,
            title,
            basis=basis,
            restated=_restated(edition, kpi_id, grain),
            annotations=edition.data.annotations,
        )
        found += [chart] if chart else []
    return found


def _restated(edition: Edition, kpi_id: str, grain: str) -> frozenset[date]:
    """First days of the periods that any edition restated."""
    return frozenset(
        date.fromisoformat(str(one["period_start"])[:10])
        for one in edition.data.history or edition.data.restatements
        if one["kpi_id"] == kpi_id and one["grain"] == grain and not text(one["dimension"])
    )


def published(edition: Edition, kpi_id: str) -> set[tuple[str, str, bool]]:
    """Grain, first day and whether it is sliced, of every value that stands on the page of a KPI."""
    now = edition.current(kpi_id)
    held = {(row.grain, row.start.isoformat(), False) for _, drawn in spans(edition, kpi_id) for row in drawn}
    if now is None:
        return held
    return held | {(now.grain, now.start.isoformat(), sliced) for sliced in (True, False)}
