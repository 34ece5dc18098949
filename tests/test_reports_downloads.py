"""The downloads: the contract's columns, exact numbers, and text no spreadsheet runs."""

from __future__ import annotations

import csv
import gzip
import io
import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from test_reports_edition import edition

from pipeline.reports import EditionData, downloads, kpis, rows
from pipeline.reports.model import CONTRACT_COLUMNS


@pytest.fixture(scope="module")
def data() -> EditionData:
    """One made edition."""
    return edition()


@pytest.fixture(scope="module")
def folder(data: EditionData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its downloads."""
    out = tmp_path_factory.mktemp("data")
    frame = downloads.contract_frame(data.values)
    downloads.write(data, frame, out, status="provisional")
    made = rows.indexed(data)
    for kpi_id in data.catalog.metrics:
        downloads.write_one(frame[frame["kpi_id"] == kpi_id], out, kpi_id, kpis.published(made, kpi_id))
    return out


def _rows(path: Path) -> list[dict[str, str]]:
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_looks_like_a_formula_is_quoted(start: str) -> None:
    """A spreadsheet shows it as text; other text and numbers stay as they are."""
    assert downloads.csv_cell(downloads.printed(f"{start}1+1")) == f"'{start}1+1"
    assert downloads.csv_cell(downloads.printed("Claims")) == "Claims"
    assert downloads.csv_cell(downloads.printed(-1.5)) == "-1.5"


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        (0.1, "0.1"),
        (1e-07, "0.0000001"),
        (1e21, "1" + "0" * 21),
        (100.0, "100"),
        (-0.0, "0"),
        (Decimal("1204.50000000000000"), "1204.5"),
        (Decimal("0E-14"), "0"),
        (Decimal("100"), "100"),
        (7, "7"),
    ],
)
def test_numbers_have_no_exponent_and_no_trailing_zeros(number: float | int | Decimal, printed: str) -> None:
    """Exact to the last digit, readable to every tool."""
    assert downloads.plain(number) == printed


def test_csv_and_parquet_say_the_same(data: EditionData, folder: Path) -> None:
    """Two formats, one content, the contract's columns in their order, every value there is."""
    found = _rows(folder / "kpi_values.csv.gz")
    table = duckdb.sql(f"SELECT * FROM '{folder / 'kpi_values.parquet'}'")
    assert table.columns == list(found[0]) == list(CONTRACT_COLUMNS)
    typed = table.fetchall()
    assert len(found) == len(typed) == len(data.values)
    value, start, numerator = (CONTRACT_COLUMNS.index(name) for name in ("value", "period_start", "numerator"))
    for text, exact in zip(found, typed, strict=True):
        assert exact[value] == (float(text["value"]) if text["value"] else None)
        assert exact[start] == date.fromisoformat(text["period_start"])
        assert exact[numerator] == (Decimal(text["numerator"]) if text["numerator"] else None)


def test_the_download_of_a_kpi_has_what_its_page_shows(data: EditionData, folder: Path) -> None:
    """CSV and JSON alike: every value of its charts and of its breakdown, each as the whole edition has it."""
    whole = {tuple(one.values()) for one in _rows(folder / "kpi_values.csv.gz")}
    for kpi_id in ("availability", "deflection_rate", "hours_saved"):
        held = _rows(folder / f"{kpi_id}.csv")
        assert {tuple(one.values()) for one in held} <= whole
        document = json.loads((folder / f"{kpi_id}.json").read_text(encoding="utf-8"))
        assert document["columns"] == list(CONTRACT_COLUMNS)
        assert len(document["rows"]) == len(held)
        shown = {(one["grain"], one["period_start"]) for one in held if not one["dimension"]}
        drawn = kpis.spans(rows.indexed(data), kpi_id)
        assert {(row.grain, row.start.isoformat()) for _, span in drawn for row in span} <= shown
        assert bool(data.catalog.metrics[kpi_id].dimensions) == any(one["dimension"] for one in held)


def test_packed_files_do_not_know_when_they_were_packed() -> None:
    """The header has no time (RFC 1952, bytes 5 to 8), and unpacked it is the text."""
    packed = downloads.packed("kpi_id,value\n")
    assert packed[4:8] == b"\0\0\0\0"
    assert gzip.decompress(packed) == b"kpi_id,value\n"


def test_formulas_of_dimension_values_are_quoted_in_the_file(folder: Path) -> None:
    """The payload reaches the CSV with an apostrophe, JSON and Parquet as it is."""
    names = {row["dimension_value"] for row in _rows(folder / "kpi_values.csv.gz")}
    assert {'\'=HYPERLINK("http://x.invalid")', "'@SUM(A1)"} <= names
    assert not any(name.startswith(("=", "+", "-", "@")) for name in names)
    found = duckdb.sql(f"SELECT DISTINCT dimension_value FROM '{folder / 'kpi_values.parquet'}'").fetchall()
    assert ("@SUM(A1)",) in found


def test_notes_say_why_each_value_is_not_available(data: EditionData, folder: Path) -> None:
    """One note per absent value, each with a reason."""
    notes = _rows(folder / "notes.csv.gz")
    assert len(notes) == int(data.values["value"].isna().sum()) > 0
    assert all(note["reason"] for note in notes)
    assert list(notes[0]) == list(downloads.NOTE_COLUMNS)


def test_loads_balance_and_have_the_contract_columns(folder: Path) -> None:
    """rows_in = loaded + duplicate + quarantined in every line."""
    rows = _rows(folder / "loads.csv")
    assert list(rows[0]) == ["file", "source", "rows_in", "loaded", "duplicate", "quarantined", "left_out", "reason"]
    for row in rows:
        assert int(row["rows_in"]) == sum(int(row[name]) for name in ("loaded", "duplicate", "quarantined"))


def test_edition_json_names_inputs_and_sources(folder: Path) -> None:
    """Number, catalogue hash, each input with hash and rows, each source with how far it reaches."""
    found = json.loads((folder / "edition.json").read_text(encoding="utf-8"))
    assert (found["number"], found["as_of"], len(found["inputs"])) == (7, "2026-11-20", 3)
    assert found["sources"][0]["data_through"] == "2026-11-20"
    assert found["inputs"][0]["file_hash"]


def test_edition_json_has_the_status_it_was_given(folder: Path) -> None:
    """The word is handed in by who judges the roles; the edition's record has none of its own."""
    assert json.loads((folder / "edition.json").read_text(encoding="utf-8"))["status"] == "provisional"
    assert "status" not in edition().edition


def test_equal_cells_of_different_types_print_each_their_own_way(tmp_path: Path, data: EditionData) -> None:
    """A number -1 is a number, the text "-1" is text that a spreadsheet might run; True is not 1."""
    odd = [{**data.checks[0], "observed": found} for found in (-1, "-1", True, 1)]
    downloads.write(replace(data, checks=odd), downloads.contract_frame(data.values), tmp_path, status="final")
    assert [row["observed"] for row in _rows(tmp_path / "checks.csv")] == ["-1", "'-1", "true", "1"]


def test_every_text_comes_back_from_csv() -> None:
    """Separators, quotes, both line ends and nothing at all: Python's reader finds what was written, formulas aside."""
    texts = ["a,b", 'say "x"', "two\nlines", "one\rreturn", "", " plain ", "ends in\r\n"]
    told = downloads.csv_text({"one": list(texts), "other": [None, *texts[1:]]})
    found = list(csv.reader(io.StringIO(told, newline="")))
    assert found == [["one", "other"], *([text, other] for text, other in zip(texts, ["", *texts[1:]], strict=True))]
