"""What can go wrong with a file, in each of four formats: a promise a row, held by the real ingest on real files.

`make proof-faults` prints the matrix, a line per cell. The numbers are those of the promises: 4 the same file twice,
5 half-written, 6 drift, 7 encodings, 8 bombs, 9 odd names, 10 broken content, 11 time zones, 12 late, 13 restated,
14 twins, 15 negative, 16 currencies, 17 clocks, 18 blank ids, 19 odd Unicode.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest
from engine_room import CATALOG, value, values
from fault_room import FORMATS, PERSON, Bench, Row, packed, template, visit
from roi_room import catalog_of

from pipeline.engine.editions import create_editions, edition_values, store_edition
from pipeline.facts import create_views
from pipeline.roi.costs import Rates, in_usd
from pipeline.roi.read import read_inputs

STILL = "(the file may still be being written)"
BINARY = "Parquet is binary: its texts are UTF-8 by definition and it has no line ends"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong: the promise it belongs to, and why it cannot happen in some format."""

    row: int
    name: str
    check: Callable[[Bench], None]
    not_applicable: dict[str, str] = field(default_factory=dict)


FAULTS: list[Fault] = []


def fault(row: int, name: str, **not_applicable: str) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
    """Enter a check into the matrix."""

    def enter(check: Callable[[Bench], None]) -> Callable[[Bench], None]:
        FAULTS.append(Fault(row, name, check, not_applicable))
        return check

    return enter


@fault(4, "twice, renamed, re-zipped")
def _twice(bench: Bench) -> None:
    """Loaded once; each other name is a duplicate of the first, in the same night and in the next."""
    content = bench.file([visit(1), visit(2)])
    bench.night({bench.name("a"): content, bench.name("b"): content, bench.name("c") + ".gz": packed(content)})
    taken = bench.night({bench.name("d") + ".gz": packed(content, level=1)})
    assert (taken.files_loaded, taken.files_duplicate, taken.rows_in) == (0, 1, 0)
    first = bench.name("a")
    assert bench.rows("SELECT name, duplicate_of FROM ledger.arrivals ORDER BY ALL") == [
        (first, None), *((bench.name(stem), first) for stem in "bcd")]  # fmt: skip
    assert bench.held() == ["v1", "v2"]


@fault(5, "half a file, then the whole")
def _half(bench: Bench) -> None:
    """Nothing of the half is loaded; the whole, under the same name, is taken and mends it."""
    whole = bench.file([visit(1), visit(2), visit(3)])
    taken = bench.night({bench.name("visits"): whole[: len(whole) // 2 + 5]})
    assert (taken.files_loaded, taken.loaded, taken.files_quarantined) == (0, 0, 1)
    assert bench.fates()[bench.name("visits")].startswith("incomplete: ")
    bench.night({bench.name("visits"): whole})
    assert bench.held() == ["v1", "v2", "v3"]
    assert bench.rows("SELECT count(*) FROM ledger.open_quarantine") == [(0,)]


@fault(5, "half an archive")
def _half_archive(bench: Bench) -> None:
    """An archive that does not unpack to its end is incomplete, however much of it could be read."""
    whole = bench.file([visit(number) for number in range(1, 9)])
    bench.night({bench.name("visits") + ".gz": packed(whole)[:-9]})
    assert bench.fates()[bench.name("visits")] == "incomplete: the archive does not unpack (EOFError)"
    bench.night({bench.name("visits") + ".gz": packed(whole)})
    assert len(bench.held()) == 8


@fault(5, "a mark not there yet")
def _unmarked(bench: Bench) -> None:
    """A file whose system writes a mark waits for it, and is taken once it is there."""
    name = bench.name("parts/p1")
    bench.night({name: bench.file([{"id": "p", "began": "2026-03-01T10:00:00Z"}])})
    assert bench.fates()[name] == "incomplete: it waits for marks/p1.done"
    taken = bench.night({"marks/p1.done": b"whole\n"})
    assert (taken.loaded, bench.held()) == (1, ["p"])


@fault(6, "columns in another order")
def _reordered(bench: Bench) -> None:
    """Bound by name: the same rows under the same ids, whatever stands first."""
    turned = [dict(reversed(visit(number).items())) for number in (1, 2)]
    bench.night({bench.name("visits-1"): bench.file([visit(1)]), bench.name("visits-2"): bench.file(turned)})
    assert bench.rows("SELECT loaded, duplicate, quarantined FROM ledger.loads ORDER BY load_id") == [
        (1, 0, 0), (1, 1, 0)]  # fmt: skip
    assert bench.held() == ["v1", "v2"]


@fault(6, "a column missing or renamed")
def _renamed(bench: Bench) -> None:
    """The file is refused by the name it lacks, and by the one like it; nobody guesses."""
    lacking = {key: told for key, told in visit(1).items() if key != "ended"}
    renamed = {"Started_At" if key == "started" else key: told for key, told in visit(2).items()}
    bench.night({bench.name("visits-1"): bench.file([lacking]), bench.name("visits-2"): bench.file([renamed])})
    word = "column" if bench.form in {"csv", "parquet"} else "key"
    assert bench.fates() == {
        bench.name("visits-1"): f"looks like visits but {word} 'ended' is missing",
        bench.name("visits-2"): f"looks like visits but {word} 'started' is missing; found 'Started_At'",
    }
    assert bench.held() == []


@fault(6, "a new column")
def _new_column(bench: Bench) -> None:
    """The file is taken, with a warning that names the column and not what stands in it."""
    bench.night({bench.name("visits"): bench.file([visit(1, mood=PERSON)])})
    assert bench.rows("SELECT warning FROM ledger.warnings") == [("new column 'mood'",)]
    assert bench.held() == ["v1"]


@fault(7, "BOM", parquet=BINARY)
def _bom(bench: Bench) -> None:
    """A byte-order mark belongs to no name and no value."""
    bench.night({bench.name("visits"): b"\xef\xbb\xbf" + bench.file([visit(1)])})
    assert bench.fates() == {bench.name("visits"): "loaded"}
    assert bench.held() == ["v1"]


@fault(7, "CR LF, CR, and all three mixed", parquet=BINARY)
def _line_ends(bench: Bench) -> None:
    """Each is a line end: as many rows, and a bad one on the same line."""
    ends = {"cr": ["\r"], "crlf": ["\r\n"], "mixed": ["\n", "\r\n", "\r"]}
    for stem, cycle in ends.items():
        told = [visit(n, id=f"{stem}{n}", **({"started": "soon"} if n == 2 else {})) for n in (1, 2, 3)]
        lines = bench.file(told).decode().splitlines()
        text = "".join(line + cycle[number % len(cycle)] for number, line in enumerate(lines))
        bench.night({bench.name(f"visits-{stem}"): text.encode()})
    assert len(bench.held()) == 2 * len(ends)
    assert bench.refused() == [
        (bench.name(f"visits-{stem}"), bench.line(2), "started_at: not a time (started in the file)")
        for stem in sorted(ends)
    ]


@fault(7, "quotes, commas, line ends and every script in a value")
def _odd_values(bench: Bench) -> None:
    """They come out as they went in."""
    odd = ['say "hi", twice', "two\nlines", "it's; ,\t| \\n", "größe 名前 🙂 \u202eabc", "=1+1"]
    bench.night({bench.name("visits"): bench.file([visit(n, feature=text) for n, text in enumerate(odd, start=1)])})
    assert bench.rows("SELECT feature FROM core.sessions ORDER BY session_id") == [(text,) for text in odd]


@fault(7, "Latin-1 and UTF-16", parquet=BINARY)
def _encodings(bench: Bench) -> None:
    """Refused, with the offset of the first byte that is no UTF-8."""
    text = bench.file([visit(1, feature="größe")]).decode()
    latin, wide = text.encode("latin-1"), text.encode("utf-16")
    bench.night({bench.name("visits-1"): latin, bench.name("visits-2"): wide})
    assert bench.fates() == {
        bench.name("visits-1"): f"not UTF-8: byte 0xf6 at offset {latin.index(0xF6)}; export it as UTF-8",
        bench.name("visits-2"): "not UTF-8 text: it looks like UTF-16; export it as UTF-8",
    }


@fault(7, "a NUL byte", parquet="a NUL byte is what binary files are full of; one in a text is another cell")
def _nul_byte(bench: Bench) -> None:
    """Text has none: refused with the offset."""
    content = bench.file([visit(1, feature="chat")]).replace(b"chat", b"ch\0t")
    bench.night({bench.name("visits"): content})
    assert bench.fates() == {bench.name("visits"): f"a NUL byte at offset {content.index(0)}; text has none"}


@fault(7, "a NUL within a value", csv="CSV has no escapes: there it is a NUL byte")
def _nul_value(bench: Bench) -> None:
    """What an escape or a binary format smuggles in is refused with its record; the records beside it are taken."""
    bench.night({bench.name("visits"): bench.file([visit(1), visit(2, id="v\x002"), visit(3)])})
    assert bench.refused() == [(bench.name("visits"), 2, "a NUL character in a value; text has none")]
    assert bench.held() == ["v1", "v3"]


@fault(8, "a gzip bomb")
def _bomb(bench: Bench) -> None:
    """An archive that unpacks to more than two hundred times itself is refused before it is unpacked whole."""
    bench.night({bench.name("visits") + ".gz": packed(bench.file([visit(1)]) + b" " * (5 << 20))})
    assert bench.fates()[bench.name("visits")].startswith("too large: more than ")
    assert not [path for path in (bench.folder / "received").rglob("*") if path.stat().st_size > 4 << 20]


@fault(8, "a zip archive")
def _zipped(bench: Bench) -> None:
    """No zip is ever unpacked, whatever its name says."""
    bench.night({bench.name("visits"): b"PK\x03\x04" + bench.file([visit(1)])})
    assert "it looks like a zip archive" in bench.fates()[bench.name("visits")]


@fault(
    8, "a giant line",
    json="a document is parsed as a whole and may be one line; it may have 1 GiB (tests/test_sources_bytes.py)",
    parquet="it has no lines; how many rows it may have is the next cell",
)  # fmt: skip
def _giant_line(bench: Bench) -> None:
    """17 MiB in one line are refused, with the limit."""
    bench.night({bench.name("visits"): bench.file([visit(1), visit(2, feature="x" * (17 << 20))])})
    assert bench.fates() == {bench.name("visits"): "too large: a line of more than 16777216 bytes"}


@fault(8, "more rows than bytes", csv="a row is a line, and takes a byte at least", jsonl="a row is a line",
       json="a row takes a byte at least")  # fmt: skip
def _many_rows(bench: Bench) -> None:
    """Run lengths hold four million rows in a few kilobytes: refused by the count in its footer."""
    path = bench.folder / "bomb"
    columns = ", ".join(f"'x' AS {name}" for name in visit(1))
    duckdb.execute(f"COPY (SELECT {columns} FROM range(4000000)) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 4000000)")
    content = path.read_bytes()
    bench.night({bench.name("visits"): content})
    limit = 200 * len(content) + (1 << 20)
    assert limit < 4_000_000
    assert bench.fates() == {
        bench.name("visits"): f"too large: 4000000 rows where a Parquet file of this size may have {limit}"
    }


@fault(9, "names that are patterns, options, quotes or spaces")
def _odd_names(bench: Bench) -> None:
    """Each file is read for itself alone, under its own name."""
    names = [bench.name(stem) for stem in ("visits[1]", "visits1", "visits*?", "--visits 'q' \"d\"", "visits\nü")]
    bench.night({name: bench.file([visit(n, feature=f"f{n}")]) for n, name in enumerate(names, start=1)})
    found = bench.rows(
        "SELECT f.name, s.feature FROM core.sessions AS s JOIN ledger.files AS f ON f.file_hash = s._file ORDER BY 2"
    )
    assert found == [(name, f"f{n}") for n, name in enumerate(names, start=1)]


@fault(9, "a link out of the folder, hidden files")
def _links(bench: Bench) -> None:
    """What is not of this folder is not read; hidden files are passed over."""
    outside = bench.folder / bench.name("visits")
    outside.write_bytes(bench.file([visit(1)]))
    (bench.exports / bench.name("visits-linked")).symlink_to(outside)
    bench.night({bench.name(".visits-2"): bench.file([visit(2)]), bench.name("visits-3"): bench.file([visit(3)])})
    assert bench.held() == ["v3"]


def _broken(bench: Bench) -> bytes:
    """A file that its parser gives up on: quotes without end, brackets without end, pages of noise."""
    content = bench.file([visit(number) for number in range(1, 9)])
    if bench.form == "parquet":
        return content[:40] + bytes((one + 101) % 256 for one in content[40:200]) + content[200:]
    deep = ("[" * 50_000).encode()
    texts = {"csv": b'v9,"open,1," "\n" ",NULL,"\n,"\n', "jsonl": b'{"id": ' + deep + b"\n", "json": b""}
    return deep if bench.form == "json" else content + texts[bench.form]


@fault(10, "content that breaks the parser")
def _breaking(bench: Bench) -> None:
    """That file alone is refused, or its bad records alone; the other file of the night is taken."""
    taken = bench.night({bench.name("visits-1"): _broken(bench), bench.name("visits-2"): bench.file([visit(20)])})
    assert bench.fates()[bench.name("visits-2")] == "loaded"
    assert taken.quarantined > 0
    assert "v20" in bench.held()


@fault(11, "offsets, local times, the hour that is missing and the one that comes twice")
def _zones(bench: Bench) -> None:
    """Offsets are honoured; Berlin is an hour ahead of UTC; 02:30 is no time on 2026-03-29, and two on 2025-10-26."""
    started = ["2026-03-01T10:00:00+05:30", "2026-03-01 10:00:00", "2026-03-29 02:30:00", "2025-10-26 02:30:00"]
    told = [visit(number, started=text, ended=None) for number, text in enumerate(started, start=1)]
    bench.night({bench.name("visits"): bench.file(told)})
    assert bench.rows("SELECT session_id, timezone('UTC', started_at)::VARCHAR FROM core.sessions ORDER BY 1") == [
        ("v1", "2026-03-01 04:30:00"), ("v2", "2026-03-01 09:00:00"), ("v4", "2025-10-26 01:30:00")]  # fmt: skip
    assert bench.refused() == [(bench.name("visits"), bench.line(3), "started_at: not a time (started in the file)")]
    assert bench.rows("SELECT warning FROM ledger.warnings") == [
        ("1 local times occurred twice that night; the later was taken",)
    ]


ERRORS = CATALOG.model_copy(update={"metrics": {"tool_error_rate": CATALOG.metrics["tool_error_rate"]}, "benefits": {}})


def _request(number: int, day: int, **more: str | None) -> Row:
    at = f"2026-03-{day:02d}T10:00:00Z"
    return {"id": f"r{number}", "sent": at, "tokens": "7", "cost": "0.5", "currency": "USD"} | more


@fault(12, "a row that comes late")
def _late(bench: Bench) -> None:
    """Its day is opened again: the next edition shows the other value as a restatement, the old edition stays."""
    con = bench.con
    create_views(con)
    create_editions(con)
    early = [_request(number, day, tool="x", outcome="ok") for number, day in ((1, 2), (3, 9))]
    for night, rows in enumerate([early, [_request(2, 2, tool="x", outcome="error")]], start=1):
        bench.night({bench.name(f"requests-{night}"): bench.file(rows)})
        ((load,),) = bench.rows("SELECT max(load_id) FROM ledger.loads")
        frame = values(con, ERRORS, since_load=int(str(load)))
        store_edition(con, frame, as_of="2026-03-09", catalog_hash="c", input_hash="i", run_id=night, why="late",
                      notes={})  # fmt: skip
    shares = [value(edition_values(con, number), "tool_error_rate", "day", "2026-03-02")["value"] for number in (1, 2)]
    assert shares == [0 / 1, 1 / 2]
    assert bench.rows("SELECT edition, old, new, why FROM kpi.restatements WHERE grain = 'day' AND dimension = ''") == [
        (2, 0 / 1, 1 / 2, "late")
    ]


@fault(13, "a row restated, in any order of arrival")
def _restated(bench: Bench) -> None:
    """The newest version stands, the others are history, whichever came first."""
    told = {n: bench.file([visit(1, feature=f"f{n}", changed=f"2026-03-0{n}")]) for n in (1, 2, 3)}
    states = []
    for number, order in enumerate([(1, 2, 3), (3, 1, 2)]):
        other = Bench(bench.folder / f"order-{number}", bench.form, bench.empty)
        other.night({other.name(f"visits-{place}"): told[version] for place, version in enumerate(order)})
        both = (f"SELECT '{place}' AS place, feature FROM {place}.sessions" for place in ("core", "history"))
        states.append(other.rows(" UNION ALL ".join(both) + " ORDER BY ALL"))
        bench.files, bench.nights = bench.files + other.files, bench.nights + other.nights
        other.con.close()
    assert states[0] == states[1] == [("core", "f3"), ("history", "f1"), ("history", "f2")]
    bench.night({bench.name("visits"): told[2]})


@fault(14, "the same row in two files, and a twin that says otherwise")
def _twins(bench: Bench) -> None:
    """The repeated row is a duplicate; the one that contradicts is refused with the place of the other."""
    bench.night({bench.name("visits-1"): bench.file([visit(1), visit(2)])})
    taken = bench.night({bench.name("visits-2"): bench.file([visit(2), visit(1, feature="other"), visit(3)])})
    assert (taken.loaded, taken.duplicate, taken.quarantined) == (1, 1, 1)
    place = f"{bench.name('visits-1')}:{bench.line(1)}"
    assert bench.refused() == [(bench.name("visits-2"), bench.line(2), f"other values under the same key as {place}")]


@fault(15, "negative tokens and costs")
def _negative(bench: Bench) -> None:
    """Refused where they cannot be; a bill may hold them, beside the category that says what they are."""
    requests = [_request(1, 1, tokens="-7"), _request(2, 1, cost="-0.5"), _request(3, 1)]
    bill = {"id": "b", "booked": "2026-03-01T00:00:00Z", "kind": "Credit", "amount": "-12.5", "currency": "USD"}
    bench.night({bench.name("requests"): bench.file(requests), bench.name("bills"): bench.file([bill])})
    assert bench.refused() == [
        (bench.name("requests"), bench.line(1), "tokens_out: negative (tokens in the file)"),
        (bench.name("requests"), bench.line(2), "cost_reported: negative (cost in the file)"),
    ]
    assert bench.rows("SELECT charge_category, billed_cost::DOUBLE FROM core.cost_ledger") == [("Credit", -12.5)]


@fault(16, "currencies mixed, one of them without a rate")
def _currencies(bench: Bench) -> None:
    """Amounts keep their currency and are told in dollars by the rate of their day; without a rate they are unknown."""
    postings: list[Row] = [
        {"posting": f"p{n}", "day": "2026-03-02", "amount": "100", "currency": code}
        for n, code in enumerate(["EUR", "JPY"])
    ]
    rates: list[Row] = [{"day": f"2026-03-0{n}", "from": "EUR", "to": "USD", "usd": f"1.{n}"} for n in (1, 2, 3)]
    taken = bench.night({bench.name("expenses"): bench.file(postings), bench.name("rates"): bench.file(rates)})
    assert (taken.loaded, taken.quarantined) == (5, 0)
    create_views(bench.con)
    create_editions(bench.con)
    inputs = read_inputs(bench.con, catalog_of(), edition_values(bench.con, 0), as_of="2026-03-31")
    found = [in_usd(cost.amount, cost.currency, cost.day, Rates(inputs.rates)) for cost in inputs.costs]
    assert [(str(usd) if usd is not None else None, reason) for usd, _, reason in found] == [
        ("120.00", ""), (None, "no rate of JPY in USD for 2026-03-02")]  # fmt: skip


@fault(17, "the future, and an end before its start")
def _clocks(bench: Bench) -> None:
    """Refused and counted; the row at the very clock of the run is not in the future."""
    told = [visit(1, started="2026-06-01T12:00:01Z", ended=None), visit(2, ended="2026-03-02T09:59:59Z"),
            visit(3, started="2026-06-01T12:00:00Z", ended=None)]  # fmt: skip
    bench.night({bench.name("visits"): bench.file(told)})
    assert bench.refused() == [
        (bench.name("visits"), bench.line(1), "started_at: in the future (started in the file)"),
        (bench.name("visits"), bench.line(2), "started_at after ended_at (started after ended in the file)"),
    ]
    assert bench.held() == ["v3"]


@fault(18, "ids that are empty or blank")
def _blank_ids(bench: Bench) -> None:
    """A few are refused one by one; of a file of which more than a fifth, and twenty, are blank, nothing is loaded."""
    blanks = ["", " ", "\u00a0", "\u200b", None]
    few = [visit(n + 1, id=blank) for n, blank in enumerate(blanks)] + [visit(9)]
    many = [visit(n % 28 + 1, id=f"m{n}" if n % 2 else None) for n in range(60)]
    bench.night({bench.name("visits-1"): bench.file(few), bench.name("visits-2"): bench.file(many)})
    assert bench.refused()[:5] == [
        (bench.name("visits-1"), bench.line(n), "session_id: missing (id in the file)") for n in range(1, 6)
    ]
    assert bench.fates()[bench.name("visits-2")] == (
        "30 of 60 rows break a rule (50%; at most 20% may: quarantine_limit): the file is held back whole"
    )
    assert bench.held() == ["v9"]


@fault(19, "one name in several spellings of Unicode")
def _unicode(bench: Bench) -> None:
    """Composed, decomposed and with blanks around it, it is one id and one person; the file is kept as it came."""
    spelled = ["Zo\u00eb", "Zoe\u0308", "\u00a0Zo\u00eb \u200b"]
    content = bench.file([visit(1, id=name, who=name) for name in spelled])
    taken = bench.night({bench.name("visits"): content})
    assert (taken.loaded, taken.duplicate) == (1, 2)
    assert bench.held() == ["Zo\u00eb"]
    ((file_hash,),) = bench.rows("SELECT file_hash FROM ledger.files")
    assert (bench.folder / "received" / str(file_hash)[:2] / str(file_hash)).read_bytes() == content


CELLS = [(one, form) for one in FAULTS for form in FORMATS if form not in one.not_applicable]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The warehouse that every cell begins with."""
    return template(tmp_path_factory.mktemp("matrix"))


@pytest.fixture
def bench(request: pytest.FixtureRequest, empty: Path, tmp_path: Path) -> Iterator[Bench]:
    """A cell of the format asked for."""
    made = Bench(tmp_path / "cell", request.param, empty)
    yield made
    made.con.close()


@pytest.mark.parametrize(
    ("entry", "bench"), CELLS, indirect=["bench"], ids=[f"{one.row}-{one.name}-{form}" for one, form in CELLS]
)
def test_the_promise_is_held(entry: Fault, bench: Bench) -> None:
    """The check of the cell says what was promised; in every night the counts add up and nothing is lost."""
    entry.check(bench)
    logging.info("%2d %-62s %-7s held: %s", entry.row, entry.name, bench.form, bench.told())


def test_the_matrix_has_no_empty_cell() -> None:
    """Promises 4 to 19 are held to in each format; what cannot happen in one says why."""
    for one in FAULTS:
        assert set(one.not_applicable) < set(FORMATS), one.name
        for form, reason in one.not_applicable.items():
            assert len(reason) > 10
            logging.info("%2d %-62s %-7s not applicable: %s", one.row, one.name, form, reason)
    assert {(one.row, form) for one, form in CELLS} == {(row, form) for row in range(4, 20) for form in FORMATS}
