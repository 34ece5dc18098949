"""What the Chief AI Officer's page must print of the edition: its files, its quarantine, its checks and its downloads.

From the published downloads, whose rows are counted anew, and from `roi explain` for the values that read differently.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import scorecard_text as text
from oracle_scorecard import Kpi, Point
from return_page import Where
from scorecard_ask import Ask
from scorecard_expected import Sheet

METHOD: dict[Where, str] = {
    ("method", "1"): "28 days", ("method", "2"): "95 % interval", ("method", "3"): "2.66 moving ranges, 13 points",
    ("method", "suppressed"): "5 people", ("method", "term"): "0",
}  # fmt: skip
"""The figures in the words of the method."""
SOURCES, QUARANTINE, CHECKS = (
    "How far each source reaches", "Quarantined rows by reason", "Failed checks that touch this page"
)  # fmt: skip
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Frame:
    """The published folder, how to ask for an explanation, and the pieces of the page: which sources, which values."""

    reports: Path
    ask: Ask
    found: Mapping[Where, str]

    def rows(self, name: str) -> Rows:
        """A download."""
        with (self.reports / "data" / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def column(self, *base: str, head: str) -> list[str]:
        """What a table of the page says in a column, from its first row to its last."""
        return [said for where, said in self.found.items() if where[: len(base)] == base and where[-1] == head]


def of_the_edition(frame: Frame, sheet: Sheet) -> Iterator[tuple[Where, str]]:
    """Text with the figures of each place that tells no KPI."""
    number = next(iter(sheet.kpis.values())).told["edition"]
    held = json.loads((frame.reports / "data" / "edition.json").read_text(encoding="utf-8"))
    yield ("site",), f"edition {number} Edition {number}"
    yield ("top", "3"), f"{number}"
    yield ("top", "4"), held["catalog_hash"]
    yield from METHOD.items()
    yield from _banner(frame, sheet)
    yield from _sources(frame)
    yield from _quarantine(frame)
    yield from _checks(frame)
    yield from _changed(frame, sheet)
    yield from _downloads(frame)


def _of_sources(frame: Frame) -> dict[str, Rows]:
    """The files of the sources that the page names."""
    names = [said.partition(" | ")[0] for said in frame.column("trust", SOURCES, head="Source")]
    loads = frame.rows("loads.csv")
    return {name: [one for one in loads if one["source"] == name] for name in names}


def _sum(rows: Rows, name: str) -> int:
    return sum(int(one[name]) for one in rows)


def _sources(frame: Frame) -> Iterator[tuple[Where, str]]:
    heads = {"Rows in": "rows_in", "Loaded": "loaded", "Duplicate": "duplicate", "Quarantined": "quarantined"}
    for at, rows in enumerate(_of_sources(frame).values()):
        base = ("trust", SOURCES, str(at))
        yield (*base, "Files"), text.count(len(rows))
        yield from (((*base, head), text.count(_sum(rows, name))) for head, name in heads.items())


def _checks(frame: Frame) -> Iterator[tuple[Where, str]]:
    """The words of each failed check that the page names, as the results of the checks have them."""
    failed = {(one["subject"], one["observed"]): one for one in frame.rows("checks.csv") if one["passed"] == "false"}
    pairs = zip(*(frame.column("trust", CHECKS, head=head) for head in ("Subject", "Observed")), strict=True)
    for at, pair in enumerate(pairs):
        base = ("trust", CHECKS, str(at))
        if one := failed.get(pair):
            yield from (((*base, name.capitalize()), one[name]) for name in ("subject", "expected", "observed"))
            yield (*base, "Check"), f"{one['check']} {one['expectation']}"


def _banner(frame: Frame, sheet: Sheet) -> Iterator[tuple[Where, str]]:
    """Checks of the whole edition that failed, what is quarantined of the sources, and what reads differently."""
    owned = {kpi.kpi_id for kpi in sheet.owned(sheet.role)}
    failed = [one for one in frame.rows("checks.csv") if one["passed"] == "false" and not one["kpis"]]
    rows = [one for part in _of_sources(frame).values() for one in part]
    lost, whole = _sum(rows, "quarantined"), _sum(rows, "rows_in")
    changed = [one for one in frame.rows("restatements.csv") if one["kpi_id"] in owned]
    lines = [
        f"{len(failed)} checks" if failed else "",
        f"{text.count(lost)} of {text.count(whole)} rows ({text.percent(lost / whole)})" if lost else "",
        f"{text.count(len(changed))} values" if changed else "",
    ]
    yield from ((("banner", str(at)), said) for at, said in enumerate(filter(None, lines)))


def _quarantine(frame: Frame) -> Iterator[tuple[Where, str]]:
    """Rows by source, table and reason, the most first, with the first line of each."""
    source_of = {one["file"]: name for name, rows in _of_sources(frame).items() for one in rows}
    groups: dict[tuple[str, str, str], list[tuple[str, int]]] = {}
    for row in frame.rows("quarantine.csv"):
        if row["file"] in source_of and row["line"]:
            key = (source_of[row["file"]], row["table"], row["reason"])
            groups.setdefault(key, []).append((row["file"], int(row["line"])))
    ordered = sorted(groups.items(), key=lambda one: (-len(one[1]), one[0][0], one[0][2]))
    for at, ((_, _, reason), rows) in enumerate(ordered):
        file, line = min(rows)
        base = ("trust", QUARANTINE, str(at))
        yield (*base, "Reason"), reason
        yield (*base, "Rows"), text.count(len(rows))
        yield (*base, "Example"), f"{file}:{line}"


def _downloads(frame: Frame) -> Iterator[tuple[Where, str]]:
    """Size and digest of each file, from its bytes."""
    for where, said in frame.found.items():
        if where[0] == "downloads" and len(where) == 2:
            path, words, *_ = said.split(" | ")
            content = (frame.reports / path).read_bytes()
            size = f"{len(content) / 1e6:.1f} MB" if len(content) >= 1e6 else f"{len(content) / 1e3:.1f} kB"
            described = words.rpartition(", ")[0]
            yield where, f"{path} {described}, {size} SHA-256 | {hashlib.sha256(content).hexdigest()}"


def _changed(frame: Frame, sheet: Sheet) -> Iterator[tuple[Where, str]]:
    """Values that read differently: before and why, as their history tells it, and now, from the rows."""
    by_name = {str(kpi.definition["name"]): kpi for kpi in sheet.kpis.values()}
    for at, name in enumerate(frame.column("changed", head="KPI")):
        kpi, base = by_name[name], ("changed", str(at))
        when, part = (frame.found[*base, head] for head in ("Period", "Slice"))
        dimension, _, value = part.partition(": ")
        point = _named(kpi, when, (dimension.replace(" ", "_"), value) if value else ("", ""))
        by = ("--by", f"{dimension.replace(' ', '_')}={value}") if value else ()
        told = frame.ask("explain", kpi.kpi_id, "--period", _code(point), *by)["history"]
        was, now = told[-2]["value"], None if told[-1]["value"] is None else point.value  # withheld since
        texts = [text.amount(one, kpi.definition["unit"]) if one is not None else "" for one in (was, now)]
        yield (*base, "Why"), told[-1]["why"] or ""
        yield (*base, "Period"), when.partition(" to ")[0] if "28 days" in when else ""
        yield from (((*base, head), said) for head, said in zip(("Was", "Is"), texts, strict=True))


def _named(kpi: Kpi, when: str, part: tuple[str, str]) -> Point:
    """The point whose period reads so, in total or of a slice."""
    grains = ("day", "week", "month", "quarter", "28d")
    (total,) = [one for grain in grains for one in kpi.points(grain) if text.when(one) == when]
    if part == ("", ""):
        return total
    (found,) = [one for one in kpi.of_slices(total.period, part[0]) if one.slice == part[1]]
    return found


def _code(point: Point) -> str:
    """A period as `roi explain --period` takes it."""
    grain, start = point.period.grain, point.period.start
    last = point.period.end.toordinal() - 1
    if grain == "28d":
        return f"28d:{start.fromordinal(last).isoformat()}"
    if grain == "quarter":
        return f"{start.year}-Q{(start.month + 2) // 3}"
    return {"day": f"{start}", "week": f"{start:%G-W%V}", "month": f"{start:%Y-%m}"}[grain]
