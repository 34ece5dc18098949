"""Which text columns of the warehouse stand on pages and in downloads, and which no page or download can ever hold."""

from __future__ import annotations

import csv
import email
import gzip
import html
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email import policy
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
from project import ROOT

from pipeline.reports.shown import shown
from pipeline.tables import Column as TableColumn
from pipeline.tables import load_tables

LOOKED_AT = 60
"""Values of a column that are looked for, the most frequent first: what stands on a page stands for many rows."""
_TAGS = re.compile(r"<[^>]*>")
_NAMED = re.compile(r'(?:title|aria-label|content|value|placeholder)="([^"]*)"')
_DRAWN = re.compile(r'<script type="application/json"[^>]*>(.*?)</script>', re.S)


@dataclass(frozen=True)
class Column:
    """A text column of a canonical table, and the hostile values of it that were found published."""

    name: str
    hostile: int
    on_pages: frozenset[str]
    in_downloads: frozenset[str]

    @property
    def is_published(self) -> bool:
        """Whether any value of it stands anywhere."""
        return bool(self.on_pages or self.in_downloads)


def _flat(text: str) -> str:
    return " ".join(text.split())


def page_text(page: str) -> str:
    """What a reader of a page is told: its text, names and titles of elements, and the texts in drawings."""
    drawn = [text for spec in _DRAWN.findall(page) for text in _strings(json.loads(spec))]
    named = [html.unescape(text) for text in _NAMED.findall(page)]
    return _flat(" ".join([html.unescape(_TAGS.sub(" ", page)), *named, *map(html.unescape, drawn)]))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (text for one in value for text in _strings(one))
    elif isinstance(value, dict):
        yield from (text for key, one in value.items() for text in (key, *_strings(one)))


def pages(reports: Path) -> str:
    """The text of every page and of the mail."""
    found = [page_text(path.read_text(encoding="utf-8")) for path in sorted(reports.rglob("*.html"))]
    mail = email.message_from_bytes((reports / "digest.eml").read_bytes(), policy=policy.default)
    told = [str(part.get_content()) for part in mail.walk() if part.get_content_maintype() == "text"]
    return " ".join([*found, *map(page_text, told)])


def cells(reports: Path) -> set[str]:
    """Every cell of the CSV files, every text of the JSON files."""
    found: set[str] = set()
    for path in sorted(reports.rglob("*.csv*")):
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        found.update(cell for row in csv.reader(io.StringIO(raw.decode("utf-8"), newline="")) for cell in row)
    for path in sorted(reports.rglob("*.json")):
        found.update(_strings(json.loads(path.read_text(encoding="utf-8"))))
    return found


def columns(warehouse: Path, reports: Path, hostile: Iterable[str]) -> list[Column]:
    """Every text column that holds hostile texts, with those of them that are published; only what stands in one
    column alone is looked for, since another value could not be told from it."""
    known, held = set(hostile), _held(warehouse)
    times = Counter(value for values in held.values() for value in values)
    text, written = pages(reports), cells(reports)
    joined = "\n".join(written)
    found = []
    for name, values in held.items():
        own = [value for value in values if value in known and times[value] == 1]
        looked = own[:LOOKED_AT]
        on_pages = frozenset(value for value in looked if is_on(value, text))
        in_downloads = frozenset(
            value for value in looked if value in written or "'" + value in written or value in joined
        )
        found.append(Column(name, len(own), on_pages, in_downloads))
    return [one for one in found if one.hostile]


def is_on(value: str, text: str) -> bool:
    """Whether a value stands in the text of pages, whole or cut; names of things are told with blanks for strokes."""
    told = _flat(shown(value))
    return told in text or told.replace("_", " ") in text


def _held(warehouse: Path) -> dict[str, list[str]]:
    """Distinct texts of every text column, the most frequent first."""
    found = {}
    with duckdb.connect(str(warehouse), read_only=True) as con:
        for name in text_columns():
            table, column = name.split(".")
            sql = (
                f'SELECT "{column}" FROM core.{table} WHERE "{column}" IS NOT NULL '
                "GROUP BY ALL ORDER BY count(*) DESC, 1 LIMIT 5000"
            )
            found[name] = [value for (value,) in con.execute(sql).fetchall()]
    return found


@cache
def text_columns() -> dict[str, TableColumn]:
    """Every text column of every canonical table, by `table.column`."""
    return {
        f"{table.name}.{column.name}": column
        for table in load_tables().values()
        for column in table.columns
        if column.column_type.is_text
    }


@cache
def readable() -> frozenset[str]:
    """Text columns that code which feeds pages names beside their table: no other can reach a page or a download."""
    folder = ROOT / "pipeline"
    paths = [*folder.glob("*.py"), *(folder / "facts").glob("*.sql"), *(folder / "roi").glob("*.py")]
    texts = [set(re.findall(r"\w+", path.read_text(encoding="utf-8"))) for path in sorted(paths)]
    return frozenset(name for name in text_columns() if any(set(name.split(".")) <= words for words in texts))
