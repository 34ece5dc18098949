"""What two editions tell otherwise, for people: a line per value, and all of them as a table."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from pipeline.archive import Difference, Record
from pipeline.catalog.people import is_withheld
from pipeline.reports import downloads, formats, words
from pipeline.reports.cells import day, number, text

SHOWN = 20
"""Lines per KPI that are printed; a file has all."""
_LISTED = ("restated", "redefined", "told", "provisional", "gone", "status", "verdict")
"""Changes in the order they are listed; what only the new edition tells is counted, for it contradicts nothing."""
_WHY = {"redefined": "another definition", "provisional": "was still open", "status": "only its status differs"}
_COLUMNS = (
    "kpi_id", "grain", "period_start", "period_end", "dimension", "dimension_value", "unit", "old", "new", "change",
    "reason", "old_status", "new_status", "old_verdict", "new_verdict",
)  # fmt: skip


def as_text(found: Difference) -> str:
    """The changed values per KPI: period, slice, what either edition says, and why; totals before slices."""
    told = [row for row in found.values if row["change"] in _LISTED]
    lines = ["", f"What edition {found.new} says otherwise. Totals stand before slices, the newest first:"]
    if not told:
        lines = ["", f"Edition {found.new} contradicts nothing that edition {found.old} told: it tells more."]
    for kpi_id, group in groupby(told, key=lambda row: row["kpi_id"]):
        rows = sorted(group, key=_place)
        lines += ["", f"{kpi_id}: {formats.counted(len(rows), 'value')}"]
        header = ("period", "slice", f"edition {found.old}", f"edition {found.new}", "change", "reason")
        lines += _columns([header, *map(_line, rows[:SHOWN])])
        if len(rows) > SHOWN:
            lines += [f"    and {len(rows) - SHOWN} more; --out FILE writes all of them"]
    if len(told) < len(found.values):
        more = formats.counted(len(found.values) - len(told), "value")
        lines += ["", f"{more} that only edition {found.new} tells: in --out FILE and --json."]
    return "\n".join(lines) + "\n"


def as_csv(found: Difference) -> str:
    """Every value that differs, with all its digits."""
    rows = [row | {"reason": _why(row)} for row in found.values]
    return downloads.csv_text({name: [downloads.printed(row[name]) for row in rows] for name in _COLUMNS})


def _place(row: Record) -> tuple[object, ...]:
    """Totals first, then what was final, then the newest, then the longest period."""
    start, end = day(row["period_start"]).toordinal(), day(row["period_end"]).toordinal()
    of = (text(row["dimension"]), text(row["dimension_value"]))
    return (of[0] != "", _LISTED.index(text(row["change"])), -end, start, *of)


def _line(row: Record) -> tuple[str, ...]:
    period = formats.period(text(row["grain"]), day(row["period_start"]), day(row["period_end"]))
    dimension = text(row["dimension"])
    where = f"{dimension.replace('_', ' ')}: {text(row['dimension_value'])}" if dimension else "in total"
    return (period, where, *_sides(row), text(row["change"]), _why(row))


def _sides(row: Record) -> tuple[str, str]:
    """Both values as pages print them, and with more digits where that would hide that they differ."""
    known = [value for value in (number(row["old"]), number(row["new"])) if value is not None]
    told = iter(formats.apart(known, text(row["unit"])))
    old, new = (_side(row, side, told) for side in ("old", "new"))
    return old, new


def _side(row: Record, side: str, told: Iterator[str]) -> str:
    """What one edition says; of a value the next one of those told."""
    status = text(row[f"{side}_status"])
    if not status:
        return "nothing"
    if row[side] is None:
        return "suppressed" if is_withheld(row[f"{side}_reason"]) else "not available"
    value = next(told)
    return value if status == "computed" else f"{value} ({words.STATUS_WORDS.get(status, status)})"


def _why(row: Record) -> str:
    """Why a value reads otherwise: what brought the restatement about, or why one of the two has none."""
    change = text(row["change"])
    if cause := text(row["why"]):
        return cause
    if change in ("new", "gone"):
        return "told by one of the two only"
    if row["new"] is None and row["new_reason"]:
        return text(row["new_reason"])
    if change == "verdict":
        return " -> ".join(text(row[name]) or "no target" for name in ("old_verdict", "new_verdict"))
    return f"before: {text(row['old_reason'])}" if change == "told" else _WHY.get(change, "")


def _columns(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        yield ("    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
