"""A warehouse for one cell of the fault matrix: files of one format taken in by the real ingest, and what it told."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from pipeline.ingest import Ingest, Taken, take_in
from pipeline.quarantine import entries
from pipeline.sources.mapping import SourceMapping, load_mappings
from pipeline.warehouse.connection import create_schemas, open_warehouse
from pipeline.warehouse.receive import receive

FORMATS = ("csv", "jsonl", "json", "parquet")
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
Row = dict[str, str | None]

SOURCES = {
    "visits": """\
source: visits
describes: Visits, in any of four formats
reader: csv
also: [jsonl, json, parquet]
files: ["*visits*"]
required: [id, who, started, ended, feature]
optional: [changed]
time_zone: Europe/Berlin
tables:
  sessions:
    version: changed
    columns: {session_id: id, person_id: who, started_at: started, ended_at: ended, feature: feature}
""",
    "marked": """\
source: marked
describes: Visits of a system that writes a mark when a file is whole
reader: csv
also: [jsonl, json, parquet]
files: ["parts/*"]
mark: "marks/{stem}.done"
required: [id, began]
tables:
  sessions:
    columns: {session_id: id, started_at: began}
""",
    "marks": """\
source: marks
describes: The marks
reader: csv
files: ["marks/*.done"]
ignore: it says that another file is whole
""",
    "requests": """\
source: requests
describes: Requests with their tokens and cost
reader: csv
also: [jsonl, json, parquet]
files: ["*requests*"]
required: [id, sent, tokens, cost, currency]
optional: [tool, outcome]
tables:
  calls:
    columns:
      {call_id: id, kind: "if(tool is null, 'model', 'tool')", tool_name: tool, status: "coalesce(outcome, 'ok')",
       started_at: sent, tokens_out: tokens, cost_reported: cost,
       currency: currency}
""",
    "traffic": """\
source: traffic
describes: Calls with a value of every type
reader: csv
also: [jsonl, json, parquet]
files: ["*traffic*"]
required: [id, text, count, amount, at, flag, number]
tables:
  calls:
    columns:
      {call_id: id, kind: "'model'", status: "'ok'", model: text, tokens_out: count, cost_reported: amount,
       started_at: '"at"', response_cache_hit: flag, latency_s: number}
""",
    "bills": """\
source: bills
describes: Lines of bills
reader: csv
also: [jsonl, json, parquet]
files: ["*bills*"]
required: [id, booked, kind, amount, currency]
tables:
  cost_ledger:
    columns:
      {line_id: id, period_start: booked, period_end: booked, charge_category: kind, billed_cost: amount,
       currency: currency}
""",
    "expenses": """\
source: expenses
describes: Postings of an initiative
reader: csv
also: [jsonl, json, parquet]
files: ["*expenses*"]
required: [posting, day, amount, currency]
tables:
  initiative_costs:
    columns: {cost_id: posting, category: "'build'", date: day, amount: amount, currency: currency}
""",
    "rates": """\
source: rates
describes: Exchange rates
reader: csv
also: [jsonl, json, parquet]
files: ["*rates*"]
required: [day, from, to, usd]
tables:
  fx_rates:
    columns: {date: day, from_currency: '"from"', to_currency: '"to"', rate: usd}
""",
}


def written(rows: Sequence[Row], form: str) -> bytes:
    """The rows as a file of a format; None is an empty field, a null, or no value."""
    if form == "csv":
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="\n").writerows([list(rows[0]), *(list(row.values()) for row in rows)])
        return out.getvalue().encode()
    if form == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    if form == "json":
        return (json.dumps(rows, ensure_ascii=False, indent=1) + "\n").encode()
    return as_parquet(rows)


def as_parquet(rows: Sequence[Row], types: Mapping[str, str] | None = None) -> bytes:
    """A Parquet file of the rows; columns are text unless a type is named."""
    columns = ", ".join(f'"{name}" {(types or {}).get(name, "VARCHAR")}' for name in rows[0])
    with TemporaryDirectory() as folder, duckdb.connect(config={"threads": 1}) as con:
        con.execute(f"SET TimeZone = 'UTC'; CREATE TABLE t({columns})")
        con.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(rows[0]))})", [list(row.values()) for row in rows])
        con.execute(f"COPY t TO '{folder}/t' (FORMAT parquet)")
        return (Path(folder) / "t").read_bytes()


@cache
def mappings(folder: Path) -> tuple[SourceMapping, ...]:
    """The sources of the matrix and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in SOURCES.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return load_mappings([folder])


def template(folder: Path) -> Path:
    """An empty warehouse, made once: a cell begins with a copy of it."""
    path = folder / "empty.duckdb"
    with open_warehouse(path, key=b"k" * 32, threads=1, memory_limit="1GB") as con:
        create_schemas(con)
    return path


@dataclass
class Bench:
    """One cell: its format, its warehouse, and what came in so far."""

    folder: Path
    form: str
    empty: Path
    con: duckdb.DuckDBPyConnection = field(init=False)
    nights: int = 0
    files: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        shutil.copyfile(self.empty, self.folder / "warehouse.duckdb")
        self.con = open_warehouse(self.folder / "warehouse.duckdb", key=b"k" * 32, threads=1, memory_limit="1GB")
        self.exports.mkdir()

    @property
    def exports(self) -> Path:
        """The exports folder."""
        return self.folder / "exports"

    def name(self, stem: str) -> str:
        """A file name in the format of the cell."""
        return f"{stem}.{self.form}"

    def line(self, number: int) -> int:
        """Where the row of this number stands, counted from one: a CSV file has a header before it."""
        return number + (self.form == "csv")

    def file(self, rows: Sequence[Row]) -> bytes:
        """The rows in the format of the cell."""
        return written(rows, self.form)

    def night(self, files: Mapping[str, bytes] | None = None, *, now: datetime = NOW) -> Taken:
        """Put the files into the folder and take everything in; what is lost or left unexplained fails here."""
        for name, content in (files or {}).items():
            path = self.exports / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.nights, self.files = self.nights + 1, self.files + len(files or {})
        ingest = Ingest(self.con, mappings(self.empty.parent / "sources"), "h", self.nights, now)
        taken = take_in(ingest, receive(self.exports, self.folder / "received"))
        assert taken.rows_in == taken.loaded + taken.duplicate + taken.quarantined
        self._nothing_lost()
        self._everything_told()
        return taken

    def _nothing_lost(self) -> None:
        """Every file is entered, and what was loaded stands in `core`, or in `history` once a newer row replaced it."""
        named = "SELECT count(*) FROM ledger.arrivals ANTI JOIN ledger.files USING (file_hash)"
        assert self.rows(named) == [(0,)]
        for table, loaded in self.rows(
            "SELECT table_name, sum(loaded)::BIGINT FROM ledger.loads WHERE table_name <> '' GROUP BY ALL"
        ):
            held = f"SELECT (SELECT count(*) FROM core.{table}) + (SELECT count(*) FROM history.{table})"
            assert self.rows(held) == [(loaded,)]

    def _everything_told(self) -> None:
        """What is refused has its file, its reason and what to do, and no word of the person in it."""
        for entry in entries(self.con):
            assert entry.file
            assert entry.reason
            assert entry.next_step
            assert PERSON.lower() not in f"{entry.reason} {entry.next_step}".lower()

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Ask the warehouse."""
        return self.con.execute(sql).fetchall()

    def fates(self) -> dict[str, str]:
        """What became of each content, by the name it came under first: `loaded`, or why it was refused."""
        found = self.rows("SELECT name, if(status = 'loaded', status, reason) FROM ledger.files ORDER BY run_id, name")
        return {str(name): str(fate) for name, fate in found}

    def refused(self) -> list[tuple[object, ...]]:
        """File, line and reason of every refused row that has a line."""
        return self.rows(
            """SELECT name, line, q.reason FROM ledger.quarantine AS q JOIN ledger.files USING (file_hash)
               WHERE line IS NOT NULL ORDER BY ALL"""
        )

    def held(self) -> list[str]:
        """The sessions that stand in the warehouse."""
        return [str(one) for (one,) in self.rows("SELECT session_id FROM core.sessions ORDER BY ALL")]

    def told(self) -> str:
        """Counts of the cell, in a line."""
        ((rows_in, loaded, duplicate, refused),) = self.rows(
            "SELECT sum(rows_in), sum(loaded), sum(duplicate), sum(quarantined) FROM ledger.loads"
        )
        return (
            f"{self.files} files in {self.nights} nights: {rows_in} rows = {loaded} loaded + {duplicate} duplicate "
            f"+ {refused} quarantined"
        )


PERSON = "Zoe.Canary@example.com"


def visit(number: int, **more: str | None) -> Row:
    """A good visit; the columns named are as said."""
    return {
        "id": f"v{number}", "who": PERSON, "started": f"2026-03-{number:02d}T10:00:00Z",
        "ended": f"2026-03-{number:02d}T10:05:00Z", "feature": "chat",
    } | more  # fmt: skip


def packed(content: bytes, *, level: int = 9) -> bytes:
    """The content in a gzip archive."""
    return gzip.compress(content, level, mtime=level)
