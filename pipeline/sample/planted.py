"""Trouble planted on purpose, and what the loader must make of each file in question.

An entry of `planted` says, per canonical table, how many rows the file brings and how many of them are loaded, dropped
as duplicates, or quarantined and for which reasons (the words a reason begins with). Records that cannot be read at all
belong to no table. Rows of these files that are loaded are part of the right values; the others are not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pipeline.sample import broken, copilot, support
from pipeline.sample.clock import HOUR_MS, first_of_next_month
from pipeline.sample.organisation import Organisation
from pipeline.sample.records import Contact
from pipeline.sample.shelf import compact

Trouble = dict[str, Any]
MIN_PEOPLE, MIN_MONTHS = 50, 12
"""Smaller samples have too few rows to spoil."""


@dataclass(frozen=True)
class Site:
    """The folder of exports, what happened, and the rows of each file so far."""

    out: Path
    org: Organisation
    rows: dict[str, int]

    def month(self, number: int) -> date:
        """The first day of a month, counted from 0."""
        return self.org.span.months()[number]

    def lines(self, name: str) -> list[str]:
        """The lines of a file, without their ends."""
        return (self.out / name).read_text(encoding="utf-8").splitlines()

    def write(self, name: str, lines: list[str], *, rows: int, end: str = "\n") -> None:
        """Writes a file of lines and notes how many rows it has."""
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + end, encoding="utf-8", newline="\n")
        self.rows[name] = rows

    def tickets(self, month: date) -> tuple[str, list[dict[str, Any]]]:
        """The name and the tickets of a month's export."""
        name = f"support/zendesk-tickets-{month:%Y-%m}.json"
        return name, json.loads((self.out / name).read_text(encoding="utf-8"))["tickets"]

    def write_tickets(self, name: str, tickets: list[dict[str, Any]]) -> None:
        """Writes a month's export of tickets."""
        text = json.dumps({"tickets": tickets}, indent=1, ensure_ascii=False)
        self.write(name, [text], rows=len(tickets))


def plant(out: Path, org: Organisation, rows: dict[str, int]) -> list[Trouble]:
    """Spoils the exports in `out`, takes what still loads into what happened, and says what must come of it."""
    if not is_big_enough(org):
        return []
    site = Site(out, org, rows)
    return [trouble for case in CASES for trouble in case(site)]


def is_big_enough(org: Organisation) -> bool:
    """Return whether there are rows enough to spoil some."""
    people = sum(not person.is_service_account for person in org.people)
    return people >= MIN_PEOPLE and len(org.span.months()) >= MIN_MONTHS


def counts(rows_in: int, *, duplicate: int = 0, quarantined: int = 0, reasons: tuple[str, ...] = ()) -> Trouble:
    """What must come of one table's rows of a file."""
    loaded = rows_in - duplicate - quarantined
    found: Trouble = {"rows_in": rows_in, "loaded": loaded, "duplicate": duplicate, "quarantined": quarantined}
    return {**found, "reasons": list(reasons)}


def _trouble(case: str, name: str, status: str, tables: Trouble, **more: object) -> Trouble:
    return {"case": case, "file": name, "status": status, **more, "tables": tables}


def repeated_lines(site: Site) -> list[Trouble]:
    """A file that holds its first five lines a second time."""
    name = f"evaluation/evaluation-scores-{site.month(1):%Y-%m}.jsonl"
    lines = site.lines(name)
    site.write(name, lines + lines[:5], rows=len(lines) + 5)
    return [_trouble("rows repeated in a file", name, "loaded", {"scores": counts(len(lines) + 5, duplicate=5)})]


def same_file_again(site: Site) -> list[Trouble]:
    """A file that is there a second time under another name."""
    first = f"feedback/feedback-{site.month(2):%Y-%m}.csv"
    name = first.replace(".csv", "_copy.csv")
    lines = site.lines(first)
    site.write(name, lines, rows=len(lines) - 1)
    return [_trouble("the same file twice", name, "duplicate", {}, duplicate_of=first)]


def repeated_across_files(site: Site) -> list[Trouble]:
    """A file that repeats the last six tickets of the month before, unchanged."""
    _, earlier = site.tickets(site.month(3))
    name, tickets = site.tickets(site.month(4))
    site.write_tickets(name, tickets + earlier[-6:])
    found = {"contacts": counts(len(tickets) + 6, duplicate=6)}
    return [_trouble("rows repeated across files", name, "loaded", found)]


def late_file(site: Site) -> list[Trouble]:
    """Every seventh task of a month comes three months later in a file of its own."""
    month, arrives = site.month(5), site.month(8)
    name, late = f"tasks/tasks-{month:%Y-%m}.csv", f"tasks/tasks-{arrives:%Y-%m}_late.csv"
    header, *rows = site.lines(name)
    moved = rows[::7]
    kept = [row for number, row in enumerate(rows) if number % 7]
    site.write(name, [header, *kept], rows=len(kept))
    site.write(late, [header, *moved], rows=len(moved))
    return [_trouble("rows of an earlier month", late, "loaded", {"tasks": counts(len(moved))}, month=f"{month:%Y-%m}")]


def restated_tickets(site: Site) -> list[Trouble]:
    """Three tickets that were reopened after their export come again, newer, in the export of the month after."""
    month = site.month(6)
    inside = [contact for contact in site.org.contacts if support.month_of(contact) == month]
    chosen = sorted(inside, key=lambda contact: (not _looks_deflected(contact), contact.contact_id))[:3]
    newer = {one.contact_id: replace(one, reopens=1, updated_ms=one.updated_ms + 900 * HOUR_MS) for one in chosen}
    site.org.contacts[:] = [newer.get(contact.contact_id, contact) for contact in site.org.contacts]
    name, tickets = site.tickets(first_of_next_month(month))
    site.write_tickets(name, tickets + [support.ticket(contact) for contact in newer.values()])
    found = {"contacts": counts(len(tickets) + 3)}
    return [_trouble("rows restated", name, "loaded", found, restates=3, month=f"{month:%Y-%m}")]


def _looks_deflected(contact: Contact) -> bool:
    is_settled = contact.ai_involved and contact.reply_minutes is None and contact.reopens == 0
    return is_settled and contact.is_eligible and contact.requester is not None


def restated_usage(site: Site) -> list[Trouble]:
    """Four days of use that GitHub corrected after the report come again in a later report."""
    month = site.month(7)
    last = first_of_next_month(month) - timedelta(days=1)
    inside = [line for line in site.org.usage if line.day.replace(day=1) == month]
    chosen = sorted(inside, key=lambda line: (line.is_active, line.day, line.login))[:4]
    newer = {(one.login, one.day): replace(one, is_active=True, interactions=one.interactions + 5) for one in chosen}
    site.org.usage[:] = [newer.get((line.login, line.day), line) for line in site.org.usage]
    reported = (month, last + timedelta(days=3))
    name = f"copilot/copilot-usage-{month:%Y-%m}_repull.ndjson"
    lines = [compact(copilot.usage_record(line, reported)) for line in newer.values()]
    site.write(name, lines, rows=len(lines))
    return [_trouble("rows restated", name, "loaded", {"usage_daily": counts(len(lines))}, restates=len(lines))]


def malformed_observations(site: Site) -> list[Trouble]:
    """Observations with a broken line in the middle and rows that break a rule each."""
    name = f"langfuse/observations-{site.month(6):%Y-%m}-reimport.jsonl"
    good = broken.good_observations(site.month(6), site.org.traffic)
    spoilt = broken.spoilt_observations(good)
    half = len(good) // 2
    lines = [*map(compact, good[:half]), broken.BROKEN_JSON, *(compact(one) for one, _ in spoilt)]
    lines += map(compact, good[half:])
    site.write(name, lines, rows=len(lines))
    reasons = tuple(reason for _, reason in spoilt)
    found = {"calls": counts(len(lines) - 1, quarantined=len(spoilt), reasons=reasons)}
    unreadable = {"rows": 1, "reasons": ["not valid JSON"]}
    return [_trouble("malformed rows", name, "loaded", found, unreadable=unreadable)]


def malformed_spend_log(site: Site) -> list[Trouble]:
    """A spend log with rows of the wrong width and rows that break a rule each."""
    name = f"litellm/spend-logs-{site.month(4):%Y-%m}-replay.csv"
    table = broken.good_spend_rows(site.month(4), site.org.traffic)
    spoilt = broken.spoilt_spend_rows(table[1])
    return [_spoilt_table(site, name, table, spoilt, tables=("calls", "sessions"))]


def malformed_feedback(site: Site) -> list[Trouble]:
    """Survey answers with rows of the wrong width and rows that break a rule each."""
    name = f"feedback/feedback-{site.month(6):%Y-%m}-kiosk.csv"
    table = broken.good_answers(site.month(6), site.org.answers)
    return [_spoilt_table(site, name, table, broken.spoilt_answers(table[1]), tables=("feedback",))]


def _spoilt_table(
    site: Site,
    name: str,
    table: tuple[tuple[str, ...], list[tuple[str, ...]]],
    spoilt: list[tuple[tuple[str, ...], str]],
    *,
    tables: tuple[str, ...],
) -> Trouble:
    """Writes a CSV file of good rows, rows that break a rule, one too short and one too long row.

    Good and spoilt rows belong to the first of the tables; the others get none.
    """
    header, good = table
    odd = [good[0][:-3], (*good[0], "and", "more")]
    rows = [*good[:3], odd[0], *(row for row, _ in spoilt), odd[1], *good[3:]]
    site.write(name, [broken.csv_line(row) for row in (header, *rows)], rows=len(rows))
    reasons = tuple(reason for _, reason in spoilt)
    expected = counts(len(good) + len(spoilt), quarantined=len(spoilt), reasons=reasons)
    found = {tables[0]: expected, **{table: counts(0) for table in tables[1:]}}
    unreadable = {"rows": 2, "reasons": [f"{len(row)} columns where {len(header)} were expected" for row in odd]}
    return _trouble("malformed rows", name, "loaded", found, unreadable=unreadable)


def renamed_column(site: Site) -> list[Trouble]:
    """Deployments of a second pipeline whose identifier column has another name: the whole file is refused."""
    name = f"ops/deployments-{site.month(7):%Y-%m}-pipeline-b.csv"
    header, *rows = site.lines(f"ops/deployments-{site.month(7):%Y-%m}.csv")
    kept = [row.replace("dep-", "depb-") for row in rows[:10]]
    site.write(name, [header.replace("deployment_id", "deploy_id"), *kept], rows=len(kept))
    return [_trouble("a required column renamed", name, "quarantined", {}, reasons=["deployment_id"])]


def moved_columns(site: Site) -> list[Trouble]:
    """Deployments whose columns stand in another order, with a new one: everything loads, with a warning."""
    name = f"ops/deployments-{site.month(9):%Y-%m}.csv"
    table = [line.split(",")[::-1] for line in site.lines(name)]
    lines = [",".join((*row, "commit_sha" if not number else f"{number:07x}")) for number, row in enumerate(table)]
    site.write(name, lines, rows=len(lines) - 1)
    found = {"deployments": counts(len(lines) - 1)}
    return [_trouble("columns moved, one added", name, "loaded", found, warnings=["commit_sha"])]


def half_written(site: Site) -> list[Trouble]:
    """Observations whose last line is cut: the whole file waits until it is whole."""
    name = f"langfuse/observations-{site.month(10):%Y-%m}-rest.jsonl"
    records = broken.unseen_observations(site.month(10), site.org.traffic.tariff)
    lines = [compact(record) for record in records]
    lines[-1] = lines[-1][: len(lines[-1]) // 2]
    site.write(name, lines, rows=len(lines), end="")
    return [_trouble("half written", name, "quarantined", {}, reasons=["incomplete"])]


def answered_twice(site: Site) -> list[Trouble]:
    """One line of a survey's second wave stands twice."""
    name = sorted(name for name in site.rows if name.startswith("surveys/"))[1]
    header, *rows = site.lines(name)
    site.write(name, [header, *rows, rows[3]], rows=len(rows) + 1)
    return [_trouble("a row twice", name, "loaded", {"survey_invites": counts(len(rows) + 1, duplicate=1)})]


CASES: tuple[Callable[[Site], list[Trouble]], ...] = (
    repeated_lines,
    same_file_again,
    repeated_across_files,
    late_file,
    restated_tickets,
    restated_usage,
    malformed_observations,
    malformed_spend_log,
    malformed_feedback,
    renamed_column,
    moved_columns,
    half_written,
    answered_twice,
)
