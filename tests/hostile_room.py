"""Exports whose every text is hostile: what people, vendors and models may write, put into each field mechanically."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from project import ROOT

from pipeline.sources.mapping import SourceMapping
from pipeline.tables import load_tables

ADDRESS = "https://x.invalid/steal"
LONG = "long " + "W" * 10_000
BEFORE = ('=HYPERLINK("' + ADDRESS + '";"open")', "@SUM(1+1)", "+1+1", "-2+3", "\t=1+1")
"""Payloads that a spreadsheet runs when they begin a cell."""
AFTER = (
    "<script>hits.push('script')</script>",
    f'<a href="{ADDRESS}">click</a>',
    "</script><script>hits.push('end of script')</script>",
    "<img src=x onerror=hits.push('image')>",
    "\"'`><svg onload=hits.push('quotes')>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "\u202egnp.exe\u202c\u2067",
    "\x1b[31mred\x1b[0m",
    "]]>--><!--",
)
PAYLOADS = (*BEFORE, *AFTER)
_PLAIN = re.compile(
    r"[-+]?[\d.,]+(e[-+]?\d+)?%?|\d{4}-\d\d(-\d\d.*)?|\d\d?/\d\d?/\d{4}.*|P[\dTDHMS.]+|[\d:.]+|true|false|none|null",
    re.I,
)
"""Numbers, times, spans and truth: with anything more in them they are refused, and never shown."""
_LITERAL = re.compile(r"'([^']*)'")
_CODES = {"currency", "BillingCurrency", "billing_currency", "currency_code", "from_currency", "to_currency"}
"""Columns of codes that a mapping does not list: ISO 4217."""


def codes(mappings: Iterable[SourceMapping]) -> set[str]:
    """Every text that means something to a mapping or a table: enumerated, and so no free text."""
    told = {text for one in mappings for expression in one.expressions() for text in _LITERAL.findall(expression)}
    listed = {value for table in load_tables().values() for column in table.columns for value in column.values}
    return {text.lower() for text in told | listed}


def _with_payload(value: str, number: int) -> str:
    """A value with one of the payloads, by turns; one in fifteen is left alone."""
    payload = (*PAYLOADS, "")[number % (len(PAYLOADS) + 1)]
    return payload + value if payload in BEFORE else value + payload


class Spoiler:
    """Replaces texts by hostile ones, each always by the same, so that rows which belong together still do."""

    def __init__(self, known: set[str]) -> None:
        self.known = known
        self.made: dict[str, str] = {}
        self.met: Counter[str] = Counter()

    def text(self, field: str, value: str) -> str:
        """The hostile form of a value; the second value met in a field becomes 10 000 characters long."""
        if not value.strip() or _PLAIN.fullmatch(value) or value.lower() in self.known or field in _CODES:
            return value
        if value[0] in "[{":
            try:
                return json.dumps(self.value(field, json.loads(value)), ensure_ascii=False)
            except ValueError:
                pass
        if value not in self.made:
            self.met[field] += 1
            self.made[value] = value + LONG if self.met[field] == 2 else _with_payload(value, self.met[field])
        return self.made[value]

    def value(self, field: str, value: Any) -> Any:
        """The hostile form of anything JSON holds."""
        if isinstance(value, str):
            return self.text(field, value)
        if isinstance(value, list):
            return [self.value(field, one) for one in value]
        return {key: self.value(key, one) for key, one in value.items()} if isinstance(value, dict) else value

    def file(self, path: Path, text: str) -> str:
        """A whole export with hostile texts; of a format nobody writes text into, the export as it is."""
        if path.suffix == ".csv":
            header, *rows = csv.reader(io.StringIO(text))
            made = io.StringIO()
            writer = csv.writer(made, lineterminator="\n")
            writer.writerow(header)
            names = [*header, *[""] * 99]
            writer.writerows([self.text(names[at], cell) for at, cell in enumerate(row)] for row in rows)
            return made.getvalue()
        if path.suffix in (".jsonl", ".ndjson"):
            lines = [self.value("", json.loads(line)) for line in text.splitlines() if line.strip()]
            return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        if path.suffix == ".json":
            return json.dumps(self.value("", json.loads(text)), ensure_ascii=False) + "\n"
        return text


def spoil(files: Iterable[Path], source: Path, target: Path, spoiler: Spoiler) -> None:
    """Write exports anew with hostile texts, each at its place; what is not whole records stays as it is."""
    for path in sorted(files):
        written = target / path.relative_to(source)
        written.parent.mkdir(parents=True, exist_ok=True)
        raw = path.read_bytes()
        try:
            written.write_text(spoiler.file(path, raw.decode("utf-8-sig")), encoding="utf-8", newline="")
        except (ValueError, UnicodeDecodeError):
            written.write_bytes(raw)


def one_of_each(mapping: SourceMapping, folder: Path) -> Path:
    """An export of a source of which every known column holds a payload, one row per payload."""
    columns = mapping.known or ("name",)
    rows = [dict.fromkeys(columns, payload) for payload in (*PAYLOADS, LONG)]
    stem = mapping.files[0].replace("*", "<b onclick=hits.push('file')>\u202e").replace("?", "x")
    path = folder / mapping.source / stem
    path.parent.mkdir(parents=True, exist_ok=True)
    if mapping.reader == "csv":
        made = io.StringIO()
        writer = csv.DictWriter(made, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        path.write_text(made.getvalue(), encoding="utf-8")
    elif mapping.reader == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        path.write_text(json.dumps({mapping.records or "data": rows}), encoding="utf-8")
    return path


def notes_of_payloads(folder: Path, spoiler: Spoiler) -> None:
    """Notes of the analyst that begin with each payload: free text that stands on pages, whoever wrote it."""
    folder.mkdir(parents=True)
    with (folder / "annotations-hostile.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["date", "kpi", "text", "who", "id"])
        for at, payload in enumerate((*PAYLOADS, LONG)):
            note, who = f"{payload} note", f"{payload} who"
            spoiler.made |= {one: one.strip() for one in (note, who)}
            writer.writerow(["2026-09-15", "adoption_rate", note, who, f"hostile {at}"])


FIXTURES = (ROOT / "tests" / "exports", ROOT / "tests" / "sources")
