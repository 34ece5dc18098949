"""Taking in exports: from a file's bytes to loaded, duplicate and quarantined rows, one file at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

import duckdb

from pipeline.errors import ConfigurationError
from pipeline.judging import Emptied, emptied, judge_tables
from pipeline.sources.bytes_check import (
    FileProblem,
    FileRefusedError,
    count_of_refused,
    inspect_bytes,
    inspect_complete,
    inspect_mark,
)
from pipeline.sources.mapping import reading_hash
from pipeline.sources.readers import RawFile, read_raw
from pipeline.sources.recognise import named_sources, recognise
from pipeline.straight import NotStraightError, load_straight, straight_file
from pipeline.tables import load_tables
from pipeline.warehouse import again, ledger
from pipeline.warehouse.load import Load, enter_totals, load_rows
from pipeline.warehouse.receive import unreadable_hash

if TYPE_CHECKING:
    from pipeline.sources.mapping import SourceMapping
    from pipeline.sources.recognise import Recognition
    from pipeline.sources.stage import Staged
    from pipeline.warehouse.receive import Arrival


@dataclass
class Taken:
    """Counts of one run: files by fate, rows by fate, and the sources that brought new rows."""

    files_loaded: int = 0
    files_duplicate: int = 0
    files_quarantined: int = 0
    files_ignored: int = 0
    rows_in: int = 0
    loaded: int = 0
    duplicate: int = 0
    quarantined: int = 0
    left_out: int = 0
    """Rows that a `where` leaves out, which are not among `rows_in`."""
    sources: set[str] = field(default_factory=set)
    retried: Counter[str] = field(default_factory=Counter)
    """Of files that were tried again: `files`, and their rows by fate; rows still refused are not counted above."""
    emptied: dict[str, list[Emptied]] = field(default_factory=dict)
    """File -> tables of it that a `where` leaves without any row."""


@dataclass(frozen=True)
class Ingest:
    """What every file of a run has in common."""

    con: duckdb.DuckDBPyConnection
    mappings: tuple[SourceMapping, ...]
    mappings_hash: str
    run_id: int
    now: datetime
    again: frozenset[str] = frozenset()
    """Contents whose quarantine is tried again though no definition has changed."""
    present: frozenset[str] = frozenset()
    """Names of all files of the exports folder."""


def take_in(ingest: Ingest, arrivals: Iterable[Arrival], *, progress: Callable[[str], None] = lambda _: None) -> Taken:
    """Take in every file that is new, or could not be taken before and may be now."""
    taken, arrivals = Taken(), list(arrivals)
    limits = {one.source: one.quarantine_limit for one in ingest.mappings}
    ledger.enter_limits(ingest.con, limits, held_from=HELD_FROM)
    ingest = replace(ingest, present=frozenset(one.name for one in arrivals))
    known = ledger.known(ingest.con, mappings_hash=ingest.mappings_hash, again=ingest.again, present=ingest.present)
    first_name = dict(known.first_name)
    retried: set[str] = set()
    met: set[str] = set()
    for arrival in arrivals:
        met.add(arrival.file_hash)
        retry = arrival.file_hash in known.retry and arrival.file_hash not in retried
        seen = (arrival.name, arrival.file_hash) in known.arrivals
        if seen and not retry:
            continue
        progress(arrival.name)
        duplicate_of = first_name.get(arrival.file_hash) if not seen else None
        if not seen:
            ledger.enter_arrival(ingest.con, arrival, duplicate_of=duplicate_of, run_id=ingest.run_id)
        if duplicate_of is not None and not retry:
            taken.files_duplicate += 1
            continue
        retried.add(arrival.file_hash)
        first_name.setdefault(arrival.file_hash, arrival.name)
        if retry:
            _retry_file(ingest, arrival, taken, is_loaded=arrival.file_hash in known.loaded)
        else:
            _take_file(ingest, arrival, taken)
    unread = {file_hash for name, file_hash in known.arrivals if file_hash == unreadable_hash(name)}
    _forget_unreadable(ingest, unread - met)
    return taken


def _forget_unreadable(ingest: Ingest, hashes: set[str]) -> None:
    """Take back that files could not be read: they can be now, by the hash of their content, or are gone."""
    for file_hash in sorted(hashes):
        for table in ("arrivals", "files", "quarantine", "loads"):
            ingest.con.execute(f"DELETE FROM ledger.{table} WHERE file_hash = ?", [file_hash])


def _retry_file(ingest: Ingest, arrival: Arrival, taken: Taken, *, is_loaded: bool) -> None:
    """Take a refused file once more, or of one that was loaded the rows that are quarantined."""
    fates = ("loaded", "duplicate", "quarantined")
    before = {name: getattr(taken, name) for name in (*fates, "files_quarantined")}
    taken.retried["files"] += 1
    _take_file(ingest, arrival, taken, keep=_keep_again if is_loaded else None)
    if is_loaded:
        ledger.mark_judged(ingest.con, arrival.file_hash, mappings_hash=ingest.mappings_hash)
    for fate in fates:
        taken.retried[fate] += getattr(taken, fate) - before[fate]
    if taken.files_quarantined > before["files_quarantined"]:  # refused whole as before: no row of it came in
        taken.rows_in -= taken.quarantined - before["quarantined"]
        taken.quarantined, taken.files_quarantined = before["quarantined"], before["files_quarantined"]


def _take_file(ingest: Ingest, arrival: Arrival, taken: Taken, *, keep: Keep | None = None) -> None:
    """Take one file in whole, or quarantine it whole and say why.

    Everything that may fail works on temporary tables; what is kept is written in one transaction at the end. With a
    `keep` of its own the file was loaded before, and stays so whatever is wrong with it now.
    """
    found: Recognition | None = None
    try:
        reason = arrival.problem or _problem(inspect_bytes(arrival.stored) if arrival.stored.exists() else None)
        if not reason:
            found = recognise(arrival.stored, arrival.name, ingest.mappings, con=ingest.con)
            reason = _read_file(ingest, arrival, taken, recognition=found, keep=keep or _keep)
    except FileRefusedError as error:
        reason = error.message
    except ConfigurationError as error:
        # Whether an expression binds may depend on the file: keys and columns differ from one to the next.
        reason = f"{error.message} {'; '.join(map(str, error.problems))}"
    except duckdb.Error as error:
        # The message of the database may quote a value, so only its kind is kept.
        reason = f"the file cannot be read as its source says ({type(error).__name__})"
    if reason and keep is None:
        _refuse(ingest, arrival, reason, found, taken)


def _read_file(ingest: Ingest, arrival: Arrival, taken: Taken, *, recognition: Recognition, keep: Keep) -> str:
    """Read, judge and load one file; return the reason when it must be refused, '' when it was taken."""
    mapping = recognition.mapping
    if mapping is None:
        return recognition.reason
    if mapping.ignore:
        return _ignore(ingest, arrival, mapping, taken) if keep is _keep else mapping.ignore
    return _read_as(ingest, arrival, taken, recognition=recognition, mapping=mapping, keep=keep)


def _read_as(
    ingest: Ingest, arrival: Arrival, taken: Taken, *, recognition: Recognition, mapping: SourceMapping, keep: Keep
) -> str:
    """Read, judge and load a file whose source is known; return the reason when it must be refused."""
    waits = inspect_mark(mapping, arrival.name, present=ingest.present)
    problem = _problem(waits or inspect_complete(arrival.stored, mapping=mapping))
    if problem:
        return problem
    if keep is not _keep or not _take_straight(ingest, arrival, mapping, recognition.warnings, taken):
        raw = read_raw(ingest.con, arrival.stored, name=arrival.name, mapping=mapping)
        judged = judge_tables(ingest.con, mapping, now=ingest.now)
        keep(ingest, arrival, _Read(mapping, raw, judged, recognition.warnings), taken)
    return ""


def _ignore(ingest: Ingest, arrival: Arrival, mapping: SourceMapping, taken: Taken) -> str:
    """Enter a file of which its source says that nothing is to be taken."""
    reason = mapping.ignore or ""
    _enter_file(ingest, arrival, mapping, status="ignored", reason=reason, records_in=0)
    taken.files_ignored += 1
    return ""


def _twice(ambiguous: int) -> list[str]:
    """What is said of so many local times that occurred twice."""
    return [f"{ambiguous} local times occurred twice that night; the later was taken"] if ambiguous else []


def _problem(found: FileProblem | None) -> str:
    return found.reason if found else ""


@dataclass(frozen=True)
class _Read:
    """A file that was read and judged: by which mapping, how many records and rows, and what was seen before."""

    mapping: SourceMapping
    raw: RawFile
    judged: Mapping[str, Staged]
    seen: Sequence[str]

    @property
    def emptied(self) -> list[Emptied]:
        """Tables that a `where` leaves without any row."""
        return list(emptied(self.mapping, self.judged))

    @property
    def warnings(self) -> list[str]:
        """What to warn of."""
        twice = _twice(sum(one.ambiguous_times for one in self.judged.values()))
        return [*self.seen, *twice, *map(str, self.emptied)]


Keep = Callable[["Ingest", "Arrival", _Read, Taken], None]
"""Writes the judged rows of a file and its entries in the ledger."""


@contextmanager
def _transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of it or none."""
    con.execute("BEGIN")
    try:
        yield
        con.execute("COMMIT")
    except Exception:
        con.execute("ROLLBACK")
        raise


def _keep(ingest: Ingest, arrival: Arrival, read: _Read, taken: Taken) -> None:
    """Write the judged rows of one file and its entries in the ledger; hold it back when too many of them are bad."""
    con, mapping, raw = ingest.con, read.mapping, read.raw
    if _above_limit(con, mapping, raw):
        _hold(ingest, arrival, read, taken)
        return
    with _transaction(con):
        _enter_file(ingest, arrival, mapping, status="loaded", reason="", records_in=raw.records_in)
        _enter_what_was_read(ingest, arrival, read)
        loads = [_load_table(ingest, arrival, mapping, name, one.left_out) for name, one in read.judged.items()]
    _count_loaded(read, loads, taken)
    if read.emptied:
        taken.emptied[arrival.name] = read.emptied


def _enter_what_was_read(ingest: Ingest, arrival: Arrival, read: _Read) -> None:
    """Enter the warnings about a file and its records that could not be read."""
    for warning in read.warnings:
        ingest.con.execute("INSERT INTO ledger.warnings VALUES (?, ?)", [arrival.file_hash, warning])
    ledger.enter_unreadable(ingest.con, arrival.file_hash, run_id=ingest.run_id, rows=read.raw.malformed)


def _count_loaded(read: _Read, loads: list[Load], taken: Taken) -> None:
    taken.files_loaded += 1
    taken.sources.add(read.mapping.source)
    taken.rows_in += read.raw.malformed + sum(load.rows_in for load in loads)
    taken.loaded += sum(load.loaded for load in loads)
    taken.duplicate += sum(load.duplicate for load in loads)
    taken.quarantined += read.raw.malformed + sum(load.quarantined for load in loads)
    taken.left_out += sum(load.left_out for load in loads)


def _take_straight(
    ingest: Ingest, arrival: Arrival, mapping: SourceMapping, warnings: Sequence[str], taken: Taken
) -> bool:
    """Load a large file while it is read; False, and nothing is changed, when it has to go the long way.

    Whatever is wrong with it is for the long way to find and to say.
    """
    con = ingest.con
    file = straight_file(con, arrival.stored, name=arrival.name, mapping=mapping, now=ingest.now)
    if file is None:
        return False
    try:
        with _transaction(con):
            _enter_file(ingest, arrival, mapping, status="loaded", reason="", records_in=file.source.records)
            loaded = load_straight(con, file, file_hash=arrival.file_hash, run_id=ingest.run_id)
            load, raw = loaded.load, loaded.raw
            if _above(mapping, load.rows_in + raw.malformed, load.quarantined + raw.malformed):
                raise NotStraightError
            ledger.count_records(con, arrival.file_hash, raw.records_in)
            (name,) = mapping.tables
            read = _Read(mapping, raw, {name: loaded.judged}, warnings)
            _enter_what_was_read(ingest, arrival, read)
            enter_totals(con, load_tables()[name], mapping.tables[name].totals, file_hash=arrival.file_hash)
    except (NotStraightError, FileRefusedError, ConfigurationError, duckdb.Error):
        return False
    _count_loaded(read, [load], taken)
    return True


HELD_FROM = 20
"""Fewer bad rows than this never hold a file back: in a small file a few bad rows are just those."""


def _above_limit(con: duckdb.DuckDBPyConnection, mapping: SourceMapping, raw: RawFile) -> str:
    """Why a file is held back whole: more of its rows break a rule than its source may have; '' when it is not."""
    counts = [con.execute(f"SELECT (SELECT count(*) FROM typed_{name}), (SELECT count(*) FROM verdicts_{name})")
              .fetchall()[0] for name in mapping.tables]  # fmt: skip
    rows, bad = (raw.malformed + sum(column) for column in zip(*counts, strict=True))
    return _above(mapping, rows, bad)


def _above(mapping: SourceMapping, rows: int, bad: int) -> str:
    """Why a file of so many rows of which so many are bad is held back whole; '' when it is not."""
    if bad < HELD_FROM or bad <= mapping.quarantine_limit * rows:
        return ""
    share, most = f"{100 * bad / rows:.4g}%", f"at most {100 * mapping.quarantine_limit:.4g}% may: quarantine_limit"
    return f"{bad} of {rows} rows break a rule ({share}; {most}): the file is held back whole"


def _hold(ingest: Ingest, arrival: Arrival, read: _Read, taken: Taken) -> None:
    """Quarantine every row of a file, and enter which of them broke which rule."""
    con, mapping, raw = ingest.con, read.mapping, read.raw
    reason = _above_limit(con, mapping, raw)
    with _transaction(con):
        _enter_file(ingest, arrival, mapping, status="quarantined", reason=reason, records_in=raw.records_in)
        ledger.enter_unreadable(con, arrival.file_hash, run_id=ingest.run_id, rows=raw.malformed)
        held = [again.enter_held(con, name, file_hash=arrival.file_hash, run_id=ingest.run_id, left_out=one.left_out)
                for name, one in read.judged.items()]  # fmt: skip
    taken.files_quarantined += 1
    taken.rows_in += raw.malformed + sum(held)
    taken.quarantined += raw.malformed + sum(held)
    taken.left_out += sum(one.left_out for one in read.judged.values())


def _keep_again(ingest: Ingest, arrival: Arrival, read: _Read, taken: Taken) -> None:
    """Load the quarantined rows of a loaded file that are good now; what was loaded before is not touched."""
    con, mapping, file_hash = ingest.con, read.mapping, arrival.file_hash
    with _transaction(con):
        since_load = ledger.next_load(con)
        again.release(con, file_hash)
        ledger.enter_unreadable(con, file_hash, run_id=ingest.run_id, rows=again.keep_released_records(con))
        con.execute("DELETE FROM ledger.totals WHERE file_hash = ?", [file_hash])
        for name in mapping.tables:
            again.keep_released(con, load_tables()[name], f"typed_{name}", file_hash=file_hash)
            gone = again.left_out_now(con, name, f"typed_{name}") if mapping.tables[name].where else 0
            _load_table(ingest, arrival, mapping, name, gone)
        left = again.put_back(con, file_hash, since_load=since_load)
        loaded, duplicate, left_out = again.settled(con, file_hash, since_load=since_load)
    taken.sources |= {mapping.source} if loaded else set()
    taken.rows_in += loaded + duplicate
    taken.loaded += loaded
    taken.duplicate += duplicate
    taken.left_out += left_out
    taken.retried["quarantined"] += left


def _load_table(ingest: Ingest, arrival: Arrival, mapping: SourceMapping, name: str, left_out: int) -> Load:
    table = load_tables()[name]
    load = load_rows(
        ingest.con,
        table,
        typed=f"typed_{name}",
        verdicts=f"verdicts_{name}",
        file_hash=arrival.file_hash,
        run_id=ingest.run_id,
        left_out=left_out,
    )
    enter_totals(ingest.con, table, mapping.tables[name].totals, file_hash=arrival.file_hash)
    return load


def _refuse(ingest: Ingest, arrival: Arrival, reason: str, found: Recognition | None, taken: Taken) -> None:
    """Quarantine a whole file, with the sources it is probably of; how many records it has is known of some alone."""
    mapping, likely = (found.mapping, found.likely) if found else (None, ())
    sources = (mapping.source,) if mapping else likely or named_sources(arrival.name, ingest.mappings)
    count, is_rows = count_of_refused(arrival.stored, found.alike if found else None)
    records = count if is_rows else None
    _enter_file(ingest, arrival, None, status="quarantined", reason=reason, records_in=records)
    ledger.enter_likely(ingest.con, arrival.file_hash, sources)
    ledger.enter_unreadable(ingest.con, arrival.file_hash, run_id=ingest.run_id, rows=count, reason=reason)
    taken.files_quarantined += 1
    taken.rows_in += count
    taken.quarantined += count


def _enter_file(
    ingest: Ingest, arrival: Arrival, mapping: SourceMapping | None, *, status: str, reason: str, records_in: int | None
) -> None:
    ledger.enter_file(
        ingest.con,
        arrival,
        source=mapping.source if mapping else "",
        status=status,
        reason=reason,
        records_in=records_in,
        run_id=ingest.run_id,
        mappings_hash=ingest.mappings_hash,
        reading=reading_hash(mapping) if mapping else None,
    )
