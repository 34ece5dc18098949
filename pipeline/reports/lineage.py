"""Which sources stand behind a KPI, read from the facts themselves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import cache

from pipeline.catalog.model import Catalog
from pipeline.reports.formats import counted, day, grouped
from pipeline.reports.model import Record, SourceRow

LAG_DAYS = {"daily": 3, "weekly": 10, "monthly": 40, "quarterly": 120}
"""How far a source may lag behind the newest data before a KPI of that cadence calls it stale."""

NO_DATE = "no event dates"
REFERENCE = "no due date"


@cache
def tables_of(fact: str, *, of_events: bool = False) -> frozenset[str]:
    """Canonical tables a fact reads; empty when nobody declared the fact.

    `of_events` keeps only tables whose rows happen on a day: a price list or a directory may rightly be old.
    """
    from pipeline.facts import event_tables, load_facts

    reads = frozenset(load_facts()[fact].reads if fact in load_facts() else {})
    return reads & event_tables() if of_events else reads


def meaning(fact: str) -> str:
    """What one row of a fact is; empty when nobody declared the fact."""
    from pipeline.facts import load_facts

    return load_facts()[fact].meaning if fact in load_facts() else ""


def sql(fact: str) -> str:
    """The query of a fact; empty when nobody declared the fact."""
    from pipeline.facts import load_facts

    return load_facts()[fact].sql.strip() if fact in load_facts() else ""


def _tables(source: Record) -> list[str]:
    found = source.get("tables") or []
    return [name.strip() for name in found.split(",")] if isinstance(found, str) else [str(name) for name in found]


def behind(sources: Iterable[Record], catalog: Catalog, kpi_ids: Iterable[str]) -> list[Record]:
    """Sources that feed one of the KPIs; all of them when the facts do not say."""
    needed: frozenset[str] = frozenset().union(
        *(tables_of(fact) for kpi in kpi_ids for fact in catalog.metrics[kpi].facts)
    )
    kept = [source for source in sources if not needed or needed & set(_tables(source))]
    return sorted(kept, key=lambda source: str(source["source"]))


def _limit(source: Record, catalog: Catalog) -> int | None:
    """The lag allowed to a source: that of the most frequent KPI it feeds with events; none for reference data."""
    tables = set(_tables(source))
    metrics = catalog.metrics.values()
    fed = [
        LAG_DAYS[metric.cadence]
        for metric in metrics
        for fact in metric.facts
        if tables & tables_of(fact, of_events=True)
    ]
    return min(fed, default=None)


def _date(found: object) -> date | None:
    return None if found is None or str(found) in ("", "NaT", "None") else date.fromisoformat(str(found)[:10])


def _lag_words(lag: int | None) -> str:
    return REFERENCE if lag is None else "up to date" if lag == 0 else f"{lag} day{'s' if lag > 1 else ''} behind"


def source_row(source: Record, catalog: Catalog, as_of: date) -> SourceRow:
    """One source as printed, with its lag behind the newest data of the edition."""
    first, through = _date(source.get("data_from")), _date(source.get("data_through"))
    limit = _limit(source, catalog)
    lag = max((as_of - through).days, 0) if through else None
    return SourceRow(
        name=str(source["source"]),
        tables=", ".join(_tables(source)),
        data_from=day(first) if first else NO_DATE,
        data_through=day(through) if through else NO_DATE,
        lag=_lag_words(lag if limit is not None else None),
        is_stale=lag is not None and limit is not None and lag > limit,
        files=grouped(int(source["files"])),
        rows_in=grouped(int(source["rows_in"])),
        loaded=grouped(int(source["loaded"])),
        duplicate=grouped(int(source["duplicate"])),
        quarantined=_quarantined(source),
    )


def still_open(source: Record) -> int:
    """Quarantined rows of a source that no newer file has mended."""
    return int(source["open"] if "open" in source else source["quarantined"])


def reason(load: Record) -> str:
    """Why a file was refused, or what it was warned of; first that a newer one has mended it."""
    told = str(load["reason"] or "")
    if not load.get("mended_by"):
        return told
    mended = f"mended: replaced by a newer {load['mended_by']}"
    if not told:
        return mended
    return f"{mended} (it was {told})" if load["status"] == "quarantined" else f"{mended}; {told}"


def refused(row: Record) -> str:
    """How much one reason keeps out: rows, or lines of files whose records nobody knows."""
    return counted(int(row["rows"]), "line") if row.get("in_lines") else grouped(int(row["rows"]))


def _quarantined(source: Record) -> str:
    mended = int(source["quarantined"]) - still_open(source)
    return grouped(int(source["quarantined"])) + (f", {grouped(mended)} of them mended" if mended else "")
