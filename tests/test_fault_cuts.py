"""A file cut anywhere: whole records or nothing is loaded, and the whole file, once it is there, is taken.

`make proof-faults` cuts at every byte; the test suite cuts around every record and here and there between.
A cut exactly behind a record of CSV or JSON lines is a smaller file that nobody can tell from a whole one, unless its
system writes a mark (the matrix has that cell); what it holds is loaded, and the rest when it is there.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import os
from pathlib import Path

import pytest
from fault_room import FORMATS, Bench, template, visit, written

EVERY = os.environ.get("ROI_PROOF_CUTS") == "all"
FEATURES = ["chat", 'two\nlines, "quoted"', "größe 🙂"]


def small_file(form: str) -> bytes:
    """Three visits with quotes, a line end in a value, and characters of two and four bytes."""
    told = [visit(number, feature=text) for number, text in enumerate(FEATURES, start=1)]
    content = written(told, form.removesuffix("-crlf"))
    return content.replace(b"\n", b"\r\n") if form == "csv-crlf" else content


def whole_records(form: str, content: bytes, full: bytes) -> tuple[int, int] | None:
    """How many records the beginning of a file holds, and how many are broken off; None when it is refused whole.

    A CSV file may end with a line end that stands within quotes: that record is broken off, those before it are not.
    """
    if form == "parquet":
        return (len(FEATURES), 0) if content == full else None
    try:
        text = content.decode()
        if form == "json":
            return len(json.loads(text)), 0
    except ValueError:
        return None
    if not text.endswith(("\n", "\r")) or (text.endswith("\r") and "\r\n" in text):
        return None
    if form == "jsonl":
        return len(text.splitlines()), 0
    broken = text.count('"') % 2
    return sum(1 for row in csv.reader(io.StringIO(text, newline="")) if row) - 1 - broken, broken


def cuts(form: str, full: bytes) -> list[int]:
    """Where to cut: everywhere, or at some bytes, around each end of a line, and before the end of the file."""
    if EVERY:
        return list(range(len(full)))
    ends = [place for place, byte in enumerate(full) if byte in b"\r\n"] if form not in {"parquet", "json"} else []
    around = {place + step for place in [*ends, len(full) - 2] for step in (0, 1, 2)}
    return sorted(place for place in around | set(range(0, len(full), len(full) // 9)) if place < len(full))


COUNTS = """SELECT name, sum(loaded + duplicate)::BIGINT, sum(quarantined)::BIGINT
  FROM ledger.loads JOIN ledger.files USING (file_hash) GROUP BY ALL"""


@pytest.mark.parametrize("form", [*FORMATS, "csv-crlf"])
def test_a_cut_file_is_whole_records_or_nothing(form: str, tmp_path: Path) -> None:
    """Each cut is a file of its own in one night; on the next each name holds the whole, and no cut is left open."""
    full, bench = small_file(form), Bench(tmp_path / "cell", form, template(tmp_path))
    places = cuts(form, full)
    names = {f"visits-{place:04d}": place for place in places}
    bench.night({name: full[:place] for name, place in names.items()})
    fates = bench.fates()
    counted = {name: (good, bad) for name, good, bad in bench.rows(COUNTS)}
    expected = {name: whole_records(form, full[:place], full) for name, place in names.items()}
    for name, told in expected.items():
        assert (fates[name] == "loaded") == (told is not None), (name, fates[name])
        assert counted.get(name, (0, 0)) == (told or (0, counted[name][1])), (name, fates[name])
    fine, most = sum(map(bool, expected.values())), max((told[0] for told in expected.values() if told), default=0)
    features = "SELECT feature FROM core.sessions ORDER BY session_id"
    ends = "\r\n" if form == "csv-crlf" else "\n"
    assert bench.rows(features) == [(text.replace("\n", ends),) for text in FEATURES[:most]]
    bench.night(dict.fromkeys(names, full))
    assert bench.rows(features) == [(text.replace("\n", ends),) for text in FEATURES]
    assert bench.rows("SELECT count(*) FROM ledger.open_quarantine") == [(0,)]
    logging.info("%-8s %4d cuts of %d bytes: %d hold whole records, %d quarantined, 0 in part; whole afterwards",
                 form, len(places), len(full), fine, len(places) - fine)  # fmt: skip
    bench.con.close()
