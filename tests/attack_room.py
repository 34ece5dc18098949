"""An intruder who has what two editions published, and nothing else: what is told of people, and what follows of it.

Read are the pages, their drawings, the mail, and every download. What the intruder finds is held against the rows of
the warehouse, which the intruder does not have.
"""

from __future__ import annotations

import csv
import email
import gzip
import html
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from email import policy
from itertools import permutations
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray
from project import ROOT
from scipy.optimize import LinearConstraint, milp

from pipeline.catalog.load import load_catalog
from pipeline.catalog.people import PERSON, SMALLEST_GROUP, tells_of_people
from pipeline.facts import facts_of_deeds, load_facts
from pipeline.reports import formats

Rows = NDArray[np.float64]
Row = dict[str, str]
Key = tuple[str, str, str, str, str, str]
KEY = ("kpi_id", "grain", "period_start", "period_end", "dimension", "dimension_value")
NUMBERS = ("value", "numerator", "denominator", "n", "interval_low", "interval_high")
METRICS = load_catalog(ROOT / "metrics_catalog.yaml").metrics
PEOPLE = tuple(kpi for kpi, metric in METRICS.items() if metric.people)
DEEDS = tuple(kpi for kpi, one in METRICS.items() if not one.people and tells_of_people(one, facts_of_deeds()))
"""KPIs that count what people did."""
CLOSE = 1e-6
_LINE = re.compile(r"<tr><th scope=\"row\">(.*?)</th>(.*?)</tr>", re.S)
_DRAWN = re.compile(
    r'<script type="application/json" data-for="chart-(\w+?)(?:-(?:day|week|month|quarter))?">(.*?)</script>'
)


@dataclass(frozen=True)
class Told:
    """What one edition published of people and what they did; `hidden` are the keys of what it withholds."""

    folder: Path
    rows: dict[Key, Row]
    hidden: frozenset[Key]


def read(folder: Path) -> Told:
    """Read an edition from its pages' folder."""
    text = gzip.decompress((folder / "data" / "kpi_values.csv.gz").read_bytes()).decode()
    rows = {_key(row): row for row in csv.DictReader(io.StringIO(text)) if _is_of_people(row)}
    notes = csv.DictReader(io.StringIO(gzip.decompress((folder / "data" / "notes.csv.gz").read_bytes()).decode()))
    why = {tuple(one[name] for name in KEY if name != "period_end"): one["reason"] for one in notes}
    hidden = {key for key in rows if why.get((*key[:3], *key[4:]), "").startswith("suppressed")}
    return Told(folder, rows, frozenset(hidden))


def _is_of_people(row: Row) -> bool:
    return row["kpi_id"] in PEOPLE or row["kpi_id"] in DEEDS


def _key(row: Row) -> Key:
    one, grain, start, end, dimension, value = (row[name] for name in KEY)
    return one, grain, start, end, dimension, value


# What is left of a value that is withheld


def traces(told: Told) -> Iterator[tuple[str, object]]:
    """Every place that has a number, a signal or a point of what is withheld: in a download, a table or a drawing."""
    for key in told.hidden:
        row = told.rows[key]
        yield from (("kpi_values.csv.gz", (key, name)) for name in (*NUMBERS, "signal") if row[name])
        if (row["status"], row["verdict"]) != ("not_available", ""):
            yield "kpi_values.csv.gz", (key, row["status"], row["verdict"])
    yield from _in_parquet(told)
    for kpi in (*PEOPLE, *DEEDS):
        yield from _in_json(told, kpi)
    for path in sorted(told.folder.rglob("*.html")):
        yield from _in_page(told, path.name, path.read_text(encoding="utf-8"))
    mail = email.message_from_bytes((told.folder / "digest.eml").read_bytes(), policy=policy.default)
    for part in mail.walk():
        if part.get_content_type() == "text/html":
            yield from _in_page(told, "digest.eml", str(part.get_content()))


def _in_parquet(told: Told) -> Iterator[tuple[str, object]]:
    names = ", ".join(f"{name}::VARCHAR" for name in KEY)
    some = " OR ".join(f"{name} IS NOT NULL" for name in NUMBERS)
    path = told.folder / "data" / "kpi_values.parquet"
    found = duckdb.execute(f"SELECT {names} FROM read_parquet(?) WHERE {some} OR signal <> ''", [str(path)]).fetchall()
    yield from (("kpi_values.parquet", key) for key in found if key in told.hidden)


def _in_json(told: Told, kpi: str) -> Iterator[tuple[str, object]]:
    """Also the CSV of the KPI's page, which must be the same cells."""
    held = json.loads((told.folder / "kpi" / f"{kpi}.json").read_text(encoding="utf-8"))
    lines = list(csv.DictReader(io.StringIO((told.folder / "kpi" / f"{kpi}.csv").read_text(encoding="utf-8"))))
    assert len(lines) == len(held["rows"])
    for line, cells in zip(lines, held["rows"], strict=True):
        row = dict(zip(held["columns"], cells, strict=True))
        if _key(line) in told.hidden and (
            [row[name] for name in NUMBERS] != [None] * 6 or any(line[name] for name in NUMBERS)
        ):
            yield f"kpi/{kpi}", row


def _in_page(told: Told, name: str, page: str) -> Iterator[tuple[str, object]]:
    """Lines of tables that hold a number beside the word suppressed, and points drawn where a value is withheld.

    A scorecard, on the pages of roles and the index, tells the period before in the same line.
    """
    is_scorecard = name.removesuffix(".html") in {*ROLES, "index"}
    for head, cells in () if is_scorecard else _LINE.findall(page):
        titles = " ".join(re.findall(r'(?:title|aria-label)="([^"]*)"', cells))
        words = html.unescape(re.sub(r"<[^>]+>", " ", cells) + titles).replace("fewer than 5 people", "")
        if "absent suppressed" in cells and re.search(r"\d", words):
            yield name, (head, words)
    for kpi, spec in ((kpi, spec) for kpi, spec in _DRAWN.findall(page) if kpi in PEOPLE + DEEDS):
        hidden = {key[2] for key in told.hidden if key[0] == kpi and not key[4]}
        told_of = {key[2] for key in told.rows if key[0] == kpi and not key[4] and key not in told.hidden}
        yield from ((name, (kpi, at)) for at in _points(json.loads(html.unescape(spec))) & (hidden - told_of))


def _points(spec: dict[str, Any]) -> set[str]:
    """First days of the periods of which a drawing has a value; a target line goes through all of them."""
    found = set()
    for trace in spec["data"]:
        if trace.get("customdata"):
            pairs = zip(trace["x"], trace["y"], trace["customdata"], strict=True)
            found |= {str(x)[:10] for x, y, n in pairs if y is not None or n is not None}
    return found


ROLES = tuple(load_catalog(ROOT / "metrics_catalog.yaml").roles)


# Who did what is told


def few_behind(ask: Callable[[str], list[tuple[Any, ...]]], told: Told) -> Iterator[Key]:
    """What is told, or left to what is withheld, of one to four people and fewer than five deeds of nobody known."""
    for kpi, dimension in [(one, name) for one in DEEDS for name in ("", *METRICS[one].dimensions)]:
        keys = [key for key in told.rows if key[0] == kpi and key[4] == dimension]
        shown: dict[Key, set[str]] = {(*key[:4], "", ""): set() for key in keys if dimension}
        for key in (key for key in keys if dimension and key not in told.hidden):
            shown[(*key[:4], "", "")].add(key[5])
        for fact in METRICS[kpi].counted_facts:
            days = _doers(ask, fact, dimension)
            names = {name for _, name in days}
            yield from (key for key in keys if key not in told.hidden and _are_few(days, key, {key[5]}))
            for total in shown.keys() - told.hidden:
                if _are_few(days, total, names - shown[total]):
                    yield (*total[:4], dimension, "the rest")


def few_left(ask: Callable[[str], list[tuple[Any, ...]]], told: Told) -> Iterator[Key]:
    """What the told slices of one dimension leave of a told slice of another one that they lie within, if it is of few.

    What a period withholds of that dimension is one such slice.
    """
    for kpi, (outer, inner) in [(one, pair) for one in DEEDS for pair in permutations(METRICS[one].dimensions, 2)]:
        keys = {key for key in told.rows if key[0] == kpi}
        for fact in METRICS[kpi].counted_facts:
            days = _doers(ask, fact, f"[{outer}, {inner}]::VARCHAR[]::VARCHAR")
            ask_pairs = f"SELECT DISTINCT {outer}, {inner}, [{outer}, {inner}]::VARCHAR[]::VARCHAR FROM facts.{fact}"
            pairs = [pair for pair in ask(ask_pairs) if None not in pair]
            within = {one: {pair[0] for pair in pairs if pair[1] == one} for one in {pair[1] for pair in pairs}}
            inside = {one: wholes for one, wholes in within.items() if len(wholes) == 1}
            every = {pair[0] for pair in pairs}
            for total in {(*key[:4], "", "") for key in keys if inside} - told.hidden:
                known = {name for name in within if (*total[:4], inner, name) not in told.hidden}
                told_of = {name for name in every if (*total[:4], outer, name) not in told.hidden}
                for wholes in [*({one} for one in told_of), every - told_of]:
                    less = {one for one in known & inside.keys() if inside[one] <= wholes}
                    left = {pair[2] for pair in pairs if pair[0] in wholes and pair[1] not in less}
                    if less and _are_few(days, total, left):
                        yield (*total[:4], outer, f"{sorted(wholes)} without {sorted(less)}")


Doers = dict[tuple[date, str], tuple[set[str], int]]


def _doers(ask: Callable[[str], list[tuple[Any, ...]]], fact: str, dimension: str) -> Doers:
    """By day and slice who did what a fact counts, and how much of it is that of nobody known."""
    deed = load_facts()[fact].deeds
    found = ask(
        f"SELECT day, {dimension or repr('')}, list(DISTINCT {PERSON}) FILTER (WHERE {PERSON} || {deed} IS NOT NULL), "
        f"count(DISTINCT {deed}) FILTER (WHERE {PERSON} IS NULL) FROM facts.{fact} GROUP BY 1, 2"
    )
    return {(day, name): (set(known or ()), int(more or 0)) for day, name, known, more in found}


def _are_few(days: Doers, key: Key, names: set[str]) -> bool:
    first, end = (date.fromisoformat(day) for day in key[2:4])
    known: set[str] = set()
    more = 0
    for at in range((end - first).days):
        for name in names:
            who, strangers = days.get((first + timedelta(at), name), (set(), 0))
            known |= who
            more += strangers
        if max(len(known), more) >= SMALLEST_GROUP:
            return False
    return bool(known or more)


# What follows from what two editions tell, where people are counted once, or by the days between which they belong


@dataclass(frozen=True)
class Census:
    """Unknown numbers of people: `kinds` are (first day, day after the last) of belonging, `truth` many by slice."""

    kinds: NDArray[np.int64]
    names: tuple[str, ...]
    truth: NDArray[np.int64]

    def row(self, first: int, end: int, name: str = "") -> Rows:
        """The sum that a window tells, in total or of one slice."""
        cells = np.zeros(self.truth.shape)
        cells[(self.kinds[:, 0] < end) & (self.kinds[:, 1] > first), :] = 1
        if name:
            cells *= np.array([one == name for one in self.names])
        return cells.ravel()


def census(people: Iterable[tuple[int, int, str]], *, days: int, once: bool) -> Census:
    """From (first day, day after the last, slice) of each; `once` for people who are counted on one day alone."""
    held = list(people)
    kinds = [(day, day + 1) for day in range(days)]
    if not once:
        kinds = [(first, end) for first in range(days) for end in range(first + 1, days + 1)]
    names = tuple(sorted({name for _, _, name in held}))
    truth = np.zeros((len(kinds), len(names)), dtype=np.int64)
    place = {kind: at for at, kind in enumerate(kinds)}
    for first, end, name in held:
        truth[place[first, end], names.index(name)] += 1
    return Census(np.array(kinds), names, truth)


def windows(told: Told, kpi: str, dimension: str, *, begin: date, until: date) -> Iterator[tuple[int, int, Key]]:
    """First and last day of each row of a KPI as places after `begin`; data end before `until`."""
    for key in told.rows:
        if key[0] == kpi and key[4] in ("", dimension):
            first, end = (date.fromisoformat(day) for day in key[2:4])
            yield (max(first, begin) - begin).days, (min(end, until) - begin).days, key


def equations(held: Census, editions: Iterable[tuple[Told, date]], kpi: str, dimension: str, *, begin: date) -> Rows:
    """Everything told of the size of groups, as sums of unknown numbers; each is true of the warehouse."""
    found = []
    for told, until in editions:
        for first, end, key in windows(told, kpi, dimension, begin=begin, until=until):
            if key not in told.hidden and told.rows[key]["n"]:
                row = held.row(first, end, key[5])
                assert int(told.rows[key]["n"]) == int(row @ held.truth.ravel()), key
                found.append(row)
    return np.unique(np.array(found).reshape(-1, held.truth.size), axis=0)


def small_groups(held: Census, *, days: int) -> Rows:
    """Every slice, and every run of slices, between any two days, where that is one to four people."""
    spans = [(first, end) for first in range(days) for end in range(first + 1, days + 1)]
    every = [held.row(*span, name) for span in spans for name in ("", *held.names)]
    apart = [whole - held.row(*span, name) for span in spans for whole in [held.row(*span)] for name in held.names]
    rows = np.unique(np.array([*every, *apart]), axis=0)
    people = rows @ held.truth.ravel()
    return np.asarray(rows[(people > 0) & (people < SMALLEST_GROUP)])


def worked_out(rows: Rows, wanted: Rows) -> NDArray[np.bool_]:
    """Which sums follow from told ones by adding and taking away."""
    if not rows.size or not wanted.size:
        return np.zeros(len(wanted), dtype=bool)
    _, size, base = np.linalg.svd(rows, full_matrices=False)
    base = base[size > CLOSE * size[0]]
    rest = wanted - (wanted @ base.T) @ base
    return np.asarray(np.abs(rest).max(axis=1) < CLOSE)


def is_pinned(held: Census, rows: Rows, wanted: Rows) -> bool:
    """Whether whole numbers of people, none below zero, leave one answer alone (integer programming)."""
    right = rows @ held.truth.ravel()
    ends = []
    for sign in (1, -1):
        found = milp(
            sign * wanted,
            constraints=LinearConstraint(rows, right, right) if len(rows) else None,
            integrality=np.ones(len(wanted)),
            options={"time_limit": 20},
        )
        if found.x is None:
            return False
        ends.append(sign * found.fun)
    return bool(ends[1] - ends[0] < 0.5)


def period_of(key: Key) -> str:
    """A period as pages print it."""
    return formats.period(key[1], date.fromisoformat(key[2]), date.fromisoformat(key[3]))
