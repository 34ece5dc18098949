"""What another catalogue does to the numbers: values under both, computed on a copy of the warehouse."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from pipeline.catalog import codes
from pipeline.catalog.check import load_checked
from pipeline.catalog.difference import Difference, RecordChange, difference
from pipeline.catalog.hashes import catalog_hash
from pipeline.catalog.load import load_catalog
from pipeline.catalog.model import Catalog
from pipeline.catalog.revision import catalog_at, name_of
from pipeline.errors import ConfigurationError, Problem, RoiError
from pipeline.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

Facts = Mapping[str, Mapping[str, str]]
Progress = Callable[[str], None]

SHOWN = 12
"""How many periods are listed, the newest ones."""
_KEY = ["grain", "period_start", "period_end", "dimension", "dimension_value"]
_TOLD = ["value", "unit", "status", "verdict", "reason"]
_OUTGROWN = {codes.UNKNOWN_FACT, codes.UNKNOWN_COLUMN, codes.UNKNOWN_DIMENSION, codes.WRONG_COLUMN_TYPE}
"""Problems of a catalogue whose facts have changed since: it was sound, and its definitions can be compared."""


class BrokenCatalogError(ConfigurationError):
    """One of the two catalogues is broken; carries the problems of both."""


@dataclass(frozen=True)
class Told:
    """What one catalogue says of a period; `value` is None when it is not available, and `reason` says why."""

    value: float | None
    unit: str
    status: str
    verdict: str
    reason: str


@dataclass(frozen=True)
class PeriodPair:
    """One period, `end` exclusive, as both catalogues have it; None where a catalogue has nothing of the kind."""

    start: date
    end: date
    old: Told | None
    new: Told | None


@dataclass(frozen=True)
class KpiNumbers:
    """The values of one KPI under both catalogues, over every grain, period and slice.

    `compared` counts values that both have; `differing`, `statuses` and `verdicts` count those of them that are others.
    `periods` are the newest of the headline's `grain`, in total, the oldest first.
    """

    change: RecordChange
    grain: str
    compared: int
    differing: int
    statuses: int
    verdicts: int
    only_old: int
    only_new: int
    periods: tuple[PeriodPair, ...]


@dataclass(frozen=True)
class Numbers:
    """What was computed, on the data of one published edition; `as_of` is the last day with data, old and new."""

    warehouse: str
    edition: int
    as_of: tuple[str, str]
    kpis: tuple[KpiNumbers, ...]


@dataclass(frozen=True)
class Comparison:
    """Two catalogues compared; without `numbers`, `why_not` says why there are none."""

    old_name: str
    new_name: str
    definitions: Difference
    numbers: Numbers | None = None
    why_not: str = ""


@dataclass(frozen=True)
class _Side:
    """The values under one catalogue."""

    as_of: str
    frame: pd.DataFrame | None


def compare(settings: Settings, rev: str, *, facts: Facts, progress: Progress = lambda _: None) -> Comparison:
    """Compare the project's catalogue with the one `rev` names, a revision or a file, and the numbers under both.

    `facts` has the columns of each fact. Raises BrokenCatalogError with every problem of both catalogues.
    """
    progress("Checking both catalogues")
    old_name, new_name = name_of(rev, catalog=settings.catalog), settings.catalog.name
    with catalog_at(rev, catalog=settings.catalog) as path:
        wrong = _problems(path, old_name, facts)
        outgrown = [one for one in wrong if one.code in _OUTGROWN]
        broken = _problems(settings.catalog, new_name, facts)
        if broken or len(outgrown) < len(wrong):
            raise _broken(f"{old_name} against {new_name}", [*wrong, *broken])
        old, new = load_catalog(path), load_catalog(settings.catalog)
    comparison = Comparison(old_name, new_name, difference(old, new))
    why_not = _why_not(settings, outgrown)
    if why_not:
        return replace(comparison, why_not=why_not)
    return replace(comparison, numbers=_numbers(settings, old, new, comparison.definitions, progress))


def _problems(path: Path, name: str, facts: Facts) -> list[Problem]:
    """The problems of a catalogue, under the name the reader knows the file by."""
    try:
        load_checked(path, facts=facts)
    except ConfigurationError as error:
        return [replace(one, where=name + one.where.removeprefix(path.name)) for one in error.problems]
    return []


def _broken(names: str, found: list[Problem]) -> BrokenCatalogError:
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    return BrokenCatalogError(f"{names}: {count}; nothing was compared", found)


def _why_not(settings: Settings, outgrown: list[Problem]) -> str:
    if outgrown:
        more = f" and {len(outgrown) - 1} more" if len(outgrown) > 1 else ""
        return f"The old catalogue does not fit the facts of today ({outgrown[0]}{more}), so no numbers are compared."
    if not settings.warehouse.exists():
        return f"There is no warehouse {settings.warehouse.name} yet, so only definitions are compared."
    return ""


def _numbers(settings: Settings, old: Catalog, new: Catalog, found: Difference, progress: Progress) -> Numbers:
    """The numbers of every KPI whose definition or target differs."""
    from pipeline.warehouse.connection import warehouse

    changes = found.recomputed()
    with warehouse(settings.warehouse, read_only=True, rebuild=settings.rebuilding) as con:
        number, as_of, published = _edition(con)
        sides = _rejudged(con, old, new, changes, as_of=as_of)
    if sides is None:
        sides = [_Side(as_of, None), _Side(as_of, None)]
        with _copy(settings) as con:
            number, as_of, published = _edition(con)  # a run may have ended in between
            # the catalogue of the edition comes first: its states are there already
            for side in sorted((0, 1), key=lambda side: catalog_hash((old, new)[side]) != published):
                progress(f"Computing the {'new' if side else 'old'} numbers")
                sides[side] = _computed(con, (old, new)[side], [one.id for one in changes])
    return Numbers(
        warehouse=settings.name,
        edition=number,
        as_of=(sides[0].as_of, sides[1].as_of),
        kpis=tuple(_kpi_numbers(change, old, new, sides) for change in changes),
    )


def _edition(con: duckdb.DuckDBPyConnection) -> tuple[int, str, str]:
    """Number of the newest edition, its last day with data, and the hash of its catalogue."""
    from pipeline.engine.editions import latest_edition

    edition = latest_edition(con) or {"number": 0, "as_of": "", "catalog_hash": ""}
    return int(str(edition["number"])), str(edition["as_of"]), str(edition["catalog_hash"])


@contextmanager
def _copy(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the published warehouse that is gone afterwards; nobody waits for it, and no edition is touched.

    What is published is replaced as a whole and never written to, so it is copied without the lock of a run.
    """
    from pipeline.facts import create_views
    from pipeline.warehouse.connection import create_schemas, warehouse

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="roi-diff-")))
        try:
            work = Path(shutil.copyfile(settings.warehouse, folder / settings.warehouse.name))
            con = stack.enter_context(warehouse(work, threads=settings.threads, rebuild=settings.rebuilding))
            create_schemas(con)
            create_views(con)
            yield con
        except (OSError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise _no_room(settings, folder, error) from None


def _no_room(settings: Settings, folder: Path, error: Exception) -> RoiError:
    return RoiError(
        f"{folder.parent} has no room for a copy of the warehouse ({settings.warehouse.stat().st_size >> 20} MiB) and "
        f"its states ({type(error).__name__}); set TMPDIR to a folder that has. The published edition is as it was."
    )


def _rejudged(
    con: duckdb.DuckDBPyConnection, old: Catalog, new: Catalog, changes: list[RecordChange], *, as_of: str
) -> list[_Side] | None:
    """What is published under the targets of both; None where more than targets differs, or other definitions hold."""
    from pipeline.engine.values import judge

    frame = con.execute(
        f"SELECT kpi_id, definition_hash, interval_low, interval_high, {', '.join([*_KEY, *_TOLD])} FROM kpi.values "
        "WHERE last_edition IS NULL AND kpi_id IN (SELECT unnest(?)) ORDER BY ALL", [[one.id for one in changes]],
    ).df()  # fmt: skip
    held = {*zip(frame["kpi_id"], frame["definition_hash"], strict=True)}
    if any(one.effect != "verdicts" for one in changes) or held != {(one.id, one.old_hash) for one in changes}:
        return None
    for name in ("period_start", "period_end"):
        frame[name] = frame[name].dt.date
    return [_Side(as_of, frame.assign(verdict=judge(frame, catalog))) for catalog in (old, new)]


def _computed(con: duckdb.DuckDBPyConnection, catalog: Catalog, kpis: list[str]) -> _Side:
    """The values of some KPIs as a run with this catalogue would publish them.

    The others are computed as well, for what is withheld of one rests on what is told of all.
    """
    from pipeline.engine.rollup import as_of_day, roll_up
    from pipeline.engine.states import build_states
    from pipeline.engine.values import compute_values
    from pipeline.warehouse import ledger

    build_states(con, catalog, since_load=ledger.next_load(con))  # no row is new
    as_of = as_of_day(con, catalog) if catalog.metrics else None
    if as_of is None or not catalog.metrics.keys() & kpis:
        return _Side(as_of or "", None)
    roll_up(con, catalog, as_of=as_of)
    frame = compute_values(con, catalog, as_of=as_of)
    return _Side(as_of, frame[frame["kpi_id"].isin(kpis)])


def _kpi_numbers(change: RecordChange, old: Catalog, new: Catalog, sides: list[_Side]) -> KpiNumbers:
    metric = new.metrics.get(change.id) or old.metrics[change.id]
    grain = metric.headline_grain
    pairs = _pairs(change.id, sides)
    both = pairs[pairs["_merge"] == "both"]
    return KpiNumbers(
        change=change,
        grain=grain,
        compared=len(both),
        differing=int((~_same(both["value_old"], both["value_new"])).sum()),
        statuses=int((both["status_old"] != both["status_new"]).sum()),
        verdicts=int((both["verdict_old"] != both["verdict_new"]).sum()),
        only_old=int((pairs["_merge"] == "left_only").sum()),
        only_new=int((pairs["_merge"] == "right_only").sum()),
        periods=tuple(_periods(pairs, grain, [_without_source(change.id, side) for side in sides])),
    )


def _pairs(kpi_id: str, sides: list[_Side]) -> pd.DataFrame:
    """The values of a KPI under both catalogues side by side, by grain, period and slice."""
    import pandas as pd

    empty = pd.DataFrame(columns=[*_KEY, *_TOLD])
    frames = [
        empty if side.frame is None else side.frame.loc[side.frame["kpi_id"] == kpi_id, [*_KEY, *_TOLD]]
        for side in sides
    ]
    return frames[0].merge(frames[1], on=_KEY, how="outer", suffixes=("_old", "_new"), indicator=True)


def _same(one: pd.Series, other: pd.Series) -> pd.Series:
    """Where two columns of values agree to the last digit; not available agrees with not available."""
    first, second = one.astype(float), other.astype(float)
    return (first == second) | (first.isna() & second.isna())


def _without_source(kpi_id: str, side: _Side) -> Told | None:
    """What a KPI that no row feeds says of every period: the one row it has, with the reason."""
    found = [] if side.frame is None else side.frame[side.frame["kpi_id"] == kpi_id].to_dict("records")
    return _told(found[0]) if len(found) == 1 else None


def _periods(pairs: pd.DataFrame, grain: str, otherwise: list[Told | None]) -> Iterator[PeriodPair]:
    """The newest periods of a grain, in total; of a KPI that has none of the grain, what there is."""
    overall = pairs[pairs["dimension"] == ""]
    headline = overall[overall["grain"] == grain] if (overall["grain"] == grain).any() else overall
    for row in headline.sort_values(["period_end", "period_start"]).tail(SHOWN).to_dict("records"):
        old = otherwise[0] if row["_merge"] == "right_only" else _told(row, "_old")
        new = otherwise[1] if row["_merge"] == "left_only" else _told(row, "_new")
        yield PeriodPair(row["period_start"], row["period_end"], old, new)


def _told(row: Mapping[Any, Any], suffix: str = "") -> Told:
    value, unit, status, verdict, reason = (row[name + suffix] for name in _TOLD)
    number = None if value is None or math.isnan(float(str(value))) else float(str(value))
    return Told(number, str(unit), str(status), str(verdict), str(reason))
