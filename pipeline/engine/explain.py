"""Explaining one value: definition, formula, the published number, the same number from the rows, and the files."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

import duckdb

from pipeline.catalog.headline import headlined
from pipeline.catalog.model import Catalog, Metric, Percentile
from pipeline.catalog.people import is_withheld
from pipeline.catalog.target import read
from pipeline.engine.course import course_of
from pipeline.engine.editions import latest_edition
from pipeline.engine.kinds import Look, kind_of
from pipeline.engine.kinds.base import literal
from pipeline.errors import ConfigurationError, Problem
from pipeline.facts import load_facts
from pipeline.statistics.histogram import ALPHA
from pipeline.tables import load_tables
from pipeline.warehouse.connection import rows

Record = dict[str, object]
PERIODS = (
    "2026-10-31 (day), 2026-W44 (week), 2026-10 (month), 2026-Q4 (quarter) or 28d:2026-10-31 (28 days up to and with "
    "that day)"
)


@dataclass(frozen=True)
class Period:
    """A grain and its half-open span of days."""

    grain: str
    start: date
    end: date

    def __str__(self) -> str:
        return f"{self.grain} {self.start} to {self.end - timedelta(days=1)}"


@dataclass
class Explanation:
    """What `roi explain` prints."""

    kpi_id: str
    metric: Metric
    period: Period
    dimension: str
    dimension_value: str
    published: Record
    sql: str
    bound: str
    edition: int
    """The edition that says so: the newest one, or the one that stood on the day asked for."""
    from_rows: Record = field(default_factory=dict)
    files: list[Record] = field(default_factory=list)
    history: list[Record] = field(default_factory=list)
    """What each edition said, the oldest first; one entry when it was never restated."""
    look: Look | None = None
    """Which rows it was computed from; None when the value was withheld."""
    course: list[Record] = field(default_factory=list)
    """Every period of the same slice, where that was asked for."""
    data_through: str = ""
    """The last day with data (ISO) of the edition."""
    is_newest: bool = True
    """Whether the rows are those that the edition was computed from: they are the ones held now."""


def parse_period(text: str) -> Period:
    """Read a period as the command line writes it.

    Raises ConfigurationError for anything else.
    """
    try:
        if text.startswith("28d:"):
            end = date.fromisoformat(text.removeprefix("28d:")) + timedelta(days=1)
            return Period("28d", end - timedelta(days=28), end)
        if match := re.fullmatch(r"(\d{4})-W(\d\d)", text):
            start = date.fromisocalendar(int(match[1]), int(match[2]), 1)
            return Period("week", start, start + timedelta(days=7))
        if match := re.fullmatch(r"(\d{4})-Q([1-4])", text):
            start = date(int(match[1]), 3 * int(match[2]) - 2, 1)
            return Period("quarter", start, (start + timedelta(days=95)).replace(day=1))
        if match := re.fullmatch(r"(\d{4})-(\d\d)", text):
            start = date(int(match[1]), int(match[2]), 1)
            return Period("month", start, (start + timedelta(days=31)).replace(day=1))
        return Period("day", date.fromisoformat(text), date.fromisoformat(text) + timedelta(days=1))
    except ValueError:
        problem = Problem("--period", "E001", f"found {text!r}, expected {PERIODS}")
        raise ConfigurationError("The period cannot be read.", [problem]) from None


def explain(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    kpi_id: str,
    *,
    period: str | None = None,
    by: str | None = None,
    as_of: str | None = None,
    course: bool = False,
) -> Explanation:
    """Explain one value of the newest edition; without `period`, the one its owner's page headlines.

    `by` is `dimension=value`; with `as_of`, a date or the number of an edition, the value is the one that stood at the
    end of that day, or the one of that edition, while the rows are those held now. `course` adds every other period.
    Raises ConfigurationError when the KPI, the dimension or the value is not there.
    """
    metric = catalog.metrics[kpi_id]
    slice_of = _slice(kpi_id, metric, by)
    standing = edition_standing(con, as_of)
    edition, kept = int(str(standing["number"])), json.loads(str(standing["notes"]))
    if "dated_targets" in kept:  # an edition of before is judged by those of the catalogue
        metric = metric.judged_by(read(kept["dated_targets"].get(kpi_id, ())))
    held = f"{_HELD} AND first_edition <= {edition} AND coalesce(last_edition, {edition}) >= {edition}"
    asked = (
        parse_period(period)
        if period
        else _headlined(con, held, kpi_id, metric, slice_of, as_of=_day(standing["as_of"]))
    )
    published = _published(con, held, kpi_id, asked, slice_of, edition=edition)
    found = Period(str(published["grain"]), _day(published["period_start"]), _day(published["period_end"]))
    explanation = Explanation(kpi_id, metric, found, *slice_of, published, "", _bound(metric), edition)
    explanation.data_through = str(standing["as_of"])[:10]
    explanation.course = course_of(con, kpi_id, slice_of, edition=edition) if course else []
    explanation.history = _history(con, kpi_id, found, slice_of)
    if not metric.facts or is_withheld(published["reason"]):  # what was withheld shall not be read from the rows
        return explanation
    newest = latest_edition(con) or {}
    explanation.is_newest = edition == newest["number"]
    look = _look(found, *slice_of, until=_day(newest["as_of"]))
    explanation.look, explanation.sql = look, kind_of(metric).rows_sql(metric, look)
    explanation.from_rows = rows(con, explanation.sql)[0]
    explanation.files = _files(con, metric, found, *slice_of)
    return explanation


def _bound(metric: Metric) -> str:
    return f"from a histogram, within {ALPHA:.0%} of the exact value" if isinstance(metric, Percentile) else ""


def edition_standing(con: duckdb.DuckDBPyConnection, as_of: str | None) -> Record:
    """The newest edition, the one of a number, or the one that stood at the end of a day (ISO).

    Raises ConfigurationError when there was none.
    """
    told = rows(
        con,
        "SELECT e.number, e.as_of, e.notes, CAST(r.started_at AS DATE)::VARCHAR AS published FROM kpi.editions AS e "
        "LEFT JOIN ledger.runs AS r USING (run_id) ORDER BY e.number",
    )
    if as_of is not None and re.fullmatch(r"\d{1,6}", as_of):
        numbered = [one for one in told if one["number"] == int(as_of)]
        if not numbered:
            expected = f"an edition from {told[0]['number']} to {told[-1]['number']}" if told else "a first edition"
            raise ConfigurationError(
                "There is no such edition.", [Problem("--as-of", "E008", f"found {as_of}, expected {expected}")]
            )
        return numbered[0]
    day = None if as_of is None else _as_of_day(as_of)
    standing = [one for one in told if day is None or str(one["published"]) <= day.isoformat()]
    if not standing:
        since = f"the first one was published on {told[0]['published']}" if told else "none has been published yet"
        expected = f"a later day: {since}. It is the day on which an edition was published, not its last day with data"
        raise ConfigurationError(
            "No edition stood on that day.", [Problem("--as-of", "E008", f"found {as_of}, expected {expected}")]
        )
    return standing[-1]


def _as_of_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        problem = Problem("--as-of", "E004", f"found {text!r}, expected a day such as 2026-10-31")
        raise ConfigurationError("The day cannot be read.", [problem]) from None


def _history(con: duckdb.DuckDBPyConnection, kpi_id: str, period: Period, of: tuple[str, str]) -> list[Record]:
    """Each value the editions gave for one period and slice, and since which edition."""
    return rows(
        con,
        "SELECT v.first_edition AS edition, v.value, v.status, v.verdict, v.definition_hash, r.why, "
        "r.edition IS NOT NULL AS is_restated FROM kpi.values AS v "
        "LEFT JOIN kpi.restatements AS r ON r.edition = v.first_edition AND r.kpi_id = v.kpi_id AND r.grain = v.grain "
        "AND r.period_start = v.period_start AND r.dimension = v.dimension AND r.dimension_value = v.dimension_value "
        "WHERE v.kpi_id = ? AND v.grain = ? AND v.period_start = ? AND v.period_end = ? AND v.dimension = ? "
        "AND v.dimension_value = ? ORDER BY v.first_edition",
        [kpi_id, period.grain, period.start.isoformat(), period.end.isoformat(), *of],
    )


def _slice(kpi_id: str, metric: Metric, by: str | None) -> tuple[str, str]:
    if by is None:
        return "", ""
    dimension, _, value = by.partition("=")
    if dimension not in metric.dimensions or not value:
        expected = " or ".join(f"{name}=..." for name in metric.dimensions) or "no dimension"
        raise ConfigurationError(
            f"{kpi_id} cannot be sliced that way.", [Problem("--by", "E002", f"found {by!r}, expected {expected}")]
        )
    return dimension, value


class _Told(NamedTuple):
    """A value as the rule of headlines looks at it."""

    period: Period
    status: str
    value: object
    is_withheld: bool

    @property
    def end(self) -> date:
        return self.period.end


def _headlined(
    con: duckdb.DuckDBPyConnection, held: str, kpi_id: str, metric: Metric, of: tuple[str, str], *, as_of: date
) -> Period | None:
    """The period that pages headline, of one slice as of the total; None where there is no value at all."""
    listed = f"SELECT grain, period_start, period_end, status, value, reason FROM {held} ORDER BY period_start"
    series: dict[str, list[_Told]] = {}
    for row in rows(con, listed, [kpi_id, *of]):
        period = Period(str(row["grain"]), _day(row["period_start"]), _day(row["period_end"]))
        told = _Told(period, str(row["status"]), row["value"], is_withheld(row["reason"]))
        series.setdefault(period.grain, []).append(told)
    one = headlined(lambda grain: series.get(grain, []), metric, as_of=as_of)
    return one.period if one else None


def _published(
    con: duckdb.DuckDBPyConnection, held: str, kpi_id: str, period: Period | None, of: tuple[str, str], *, edition: int
) -> Record:
    dimension, value = of
    where, parameters = "TRUE", [kpi_id, dimension, value]
    if period is not None:
        where = "grain = ? AND period_start = ? AND period_end = ?"
        parameters += [period.grain, period.start.isoformat(), period.end.isoformat()]
    found = rows(con, f"SELECT * FROM {held} AND {where} ORDER BY period_end DESC LIMIT 1", list(parameters))
    if not found:
        by = f"for {dimension}={value}" if dimension else "in total"
        raise ConfigurationError(
            f"Edition {edition} has no such value of {kpi_id}.",
            [
                Problem(
                    "--period, --by",
                    "E003",
                    f"nothing at {period or 'any period'} {by}; {_choices(con, kpi_id, dimension, period)}",
                )
            ],
        )
    return found[0]


_HELD = "kpi.values WHERE kpi_id = ? AND dimension = ? AND dimension_value = ?"


def _choices(con: duckdb.DuckDBPyConnection, kpi_id: str, dimension: str, period: Period | None) -> str:
    """What could have been asked instead, of the same grain if there is any."""
    held = "FROM kpi.values WHERE kpi_id = ? AND dimension = ? AND last_edition IS NULL"
    found = rows(con, f"SELECT grain, min(period_start) AS first, max(period_end) - 1 AS last {held} GROUP BY grain",
                 [kpi_id, dimension])  # fmt: skip
    if not found:
        return "nothing is held in that dimension"
    same = [row for row in found if period is not None and row["grain"] == period.grain]
    of = f" of a {period.grain}" if same and period is not None else ""
    first, last = min(str(row["first"]) for row in same or found), max(str(row["last"]) for row in same or found)
    told = f"values{of} are held from {first} to {last}, for periods written as {PERIODS}"
    if not dimension:
        return told
    names = [
        str(row["dimension_value"])
        for row in rows(con, f"SELECT DISTINCT dimension_value {held} ORDER BY 1", [kpi_id, dimension])
    ]
    return f"{dimension} is one of {', '.join(names[:20])}{' ...' if len(names) > 20 else ''}; {told}"


def _day(value: object) -> date:
    return date.fromisoformat(str(value)[:10])


def _look(period: Period, dimension: str, value: str, *, until: date) -> Look:
    """What of the rows belongs to a value; what has not ended at the end of day `until` is censored there."""
    return Look(period.start, period.end, until, f"{dimension} = {literal(value)}" if dimension else "")


def _files(con: duckdb.DuckDBPyConnection, metric: Metric, period: Period, dimension: str, value: str) -> list[Record]:
    """Files whose rows the fact read in the period, with their rows and lines, per table.

    A table that holds the dimension itself is narrowed to the slice; others are listed whole.
    """
    parts = []
    for name in dict.fromkeys(name for fact in metric.facts for name in load_facts()[fact].reads):
        table = load_tables()[name]
        where = "TRUE"
        if table.day:
            day = f"CAST({table.day} AS DATE)"
            where = f"{day} >= DATE '{period.start}' AND {day} < DATE '{period.end}'"
        if dimension in table.column_names:
            where += f" AND coalesce({dimension}, 'unknown') = {literal(value)}"
        parts.append(
            f"SELECT '{name}' AS table_name, _file, count(*) AS rows, min(_line) AS first_line, "
            f"max(_line) AS last_line FROM core.{name} WHERE {where} GROUP BY _file"
        )
    return rows(
        con,
        "SELECT t.table_name, f.name AS file, f.source, t.rows, t.first_line, t.last_line, "
        "substr(t._file, 1, 12) AS hash "
        f"FROM ({' UNION ALL '.join(parts)}) AS t JOIN ledger.files AS f ON f.file_hash = t._file ORDER BY ALL",
    )


def rows_sql(metric: Metric) -> str:
    """SQL that recomputes any period of a KPI from its rows, with `:period_start` and `:period_end` in it."""
    start, end = date(1901, 1, 1), date(1902, 2, 2)  # stand for the period, and occur nowhere else
    if not metric.facts:
        return ""
    sql = kind_of(metric).rows_sql(metric, Look(start, end, end - timedelta(days=1)))
    return (
        sql.replace(f"DATE '{start}'", ":period_start")
        .replace(f"DATE '{end}'", ":period_end")
        .replace(f"TIMESTAMPTZ '{end} 00:00:00+00'", ":data_end")
    )
