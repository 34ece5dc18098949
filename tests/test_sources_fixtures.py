"""Mappings with a folder in tests/sources: an export in the shape its system gives, and the rows it becomes."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from project import ROOT

from pipeline.assurance import probe
from pipeline.draft import draft
from pipeline.settings import Settings
from pipeline.source_tests import Rows, difference, export_of, rows_of, run_fixture
from pipeline.sources.alike import likeness
from pipeline.sources.binding import bind_problems
from pipeline.sources.mapping import SourceMapping, examine_mappings, load_mappings

NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
FOLDERS = sorted(path for path in (Path(__file__).parent / "sources").iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def mappings() -> tuple[SourceMapping, ...]:
    """All mappings of the package, so that another one could claim a file."""
    return load_mappings()


def rows_here(path: Path, name: str, mappings: tuple[SourceMapping, ...]) -> tuple[str, Rows, str]:
    """The source and the rows of a file, and what is wrong with it."""
    return rows_of(path, name, mappings, now=NOW)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_export_becomes_exactly_these_rows(mappings: tuple[SourceMapping, ...], folder: Path) -> None:
    """Every value of every table, people as pseudonyms, times in UTC; no row refused and no key unknown."""
    export = export_of(folder)
    expected = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    assert rows_here(export, export.name, mappings) == (folder.name, expected, "")


def test_every_mapping_has_a_fixture(mappings: tuple[SourceMapping, ...]) -> None:
    """In a folder here, or, in the shape of a real system's export folder, in tests/exports."""
    beside = (Path(__file__).parent / "exports").rglob("*.rows.json")
    shown = {json.loads(path.read_text(encoding="utf-8"))["source"] for path in beside}
    assert {one.source for one in mappings} == shown | {folder.name for folder in FOLDERS}
    assert run_fixture(FOLDERS[0], mappings, now=NOW).wrong == ""


def shuffled(path: Path) -> str:
    """The same export with its columns, or the keys of every object, in another order."""
    order = random.Random(7)
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix in NAMELESS:
        return text  # the columns of these files are known by their place
    if path.suffix in {".jsonl", ".ndjson"}:
        return "".join(json.dumps(_reordered(json.loads(line), order)) + "\n" for line in text.splitlines())
    if path.suffix == ".csv":
        rows = list(csv.reader(io.StringIO(text)))
        columns = list(range(len(rows[0])))
        if len(set(rows[0])) == len(rows[0]):
            order.shuffle(columns)
        target = io.StringIO()
        csv.writer(target, lineterminator="\n").writerows([row[at] for at in columns] for row in rows)
        return target.getvalue()
    return json.dumps(_reordered(json.loads(text), order), indent=1) + "\n"


def _reordered(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: _reordered(value[key], order) for key in keys}
    return [_reordered(item, order) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_it_is_known_by_its_columns_in_any_order(
    mappings: tuple[SourceMapping, ...], folder: Path, tmp_path: Path
) -> None:
    """A copy with columns or keys in another order, under its own name, becomes the same rows."""
    export = export_of(folder)
    copy = tmp_path / export.name
    copy.write_text(shuffled(export), encoding="utf-8")
    expected = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    assert rows_here(copy, export.name, mappings) == (folder.name, expected, "")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_probe_names_it_under_any_name_in_any_order(folder: Path, tmp_path: Path) -> None:
    """`roi sources probe` says which source it is and that every row is good, name and order of columns saying nothing.

    Columns without a header show nothing: files of white-space separated columns are known by their name.
    """
    export = export_of(folder)
    copy = tmp_path / (export.name if export.suffix in NAMELESS else f"export{export.suffix}")
    copy.write_text(shuffled(export), encoding="utf-8")
    settings = Settings(root=ROOT, exports=tmp_path, now=NOW)
    expected = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    for path in (export, copy):
        found = probe(settings, path)
        assert found["source"] == folder.name, found["note"]
        good = {one["table"]: one["good"] for one in found["tables"]}
        if path.name == export.name:  # the time of some stands in their name alone
            assert good == {table: len(rows) for table, rows in expected.items()}


NAMELESS = {".run", ".txt", ".trec_eval"}
FREE_TEXT = {
    "user_input", "response", "reference", "retrieved_contexts", "input", "actualOutput", "expectedOutput", "vars",
    "prompt", "description", "message", "title", "summary", "requestFieldValues", "short_description", "body",
}  # fmt: skip
ON_PURPOSE = {
    "initiative_costs_csv": {"description"},  # what was paid for, from a finance sheet
    "prompt_registry_csv": {"prompt"},  # the name of a template, not its text
    "use_cases_csv": {"prompt"},  # the name of a template too
}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_free_text_is_mapped(mappings: tuple[SourceMapping, ...], folder: Path) -> None:
    """Questions, answers, subjects and remarks stand in these exports; no column of a table is one of them."""
    (mapping,) = [one for one in mappings if one.source == folder.name]
    mapped = {text for table in mapping.tables.values() for text in table.columns.values()}
    assert mapped & FREE_TEXT == ON_PURPOSE.get(folder.name, set())


def test_a_fixture_that_differs_says_where(tmp_path: Path, mappings: tuple[SourceMapping, ...]) -> None:
    """A row too few, another value, and an export that is not of the source of its folder."""
    row = {"a": "1", "b": "2"}
    assert difference({"t": [row]}, {"t": [row]}) == ""
    assert (
        difference({"t": [{"a": "P(ana)"}]}, {"t": [{"a": "P(ben)"}]}) == "t, row 1, a: found P(...), expected P(...)"
    )
    assert difference({"t": [row, row]}, {"t": [row]}) == "t: 1 rows, expected 2"
    assert difference({"t": [row]}, {"t": [{"a": "1"}]}) == "t, row 1, b: found None, expected 2"
    folder = tmp_path / "fx_rates_csv"
    folder.mkdir()
    (folder / "budgets.csv").write_text("period,use_case\n", encoding="utf-8")
    assert "looks like budgets_csv" in run_fixture(folder, mappings, now=NOW).wrong


def test_rows_of_a_fixture_are_written_on_demand(tmp_path: Path, mappings: tuple[SourceMapping, ...]) -> None:
    """Without rows it says how to make them; written once, it holds."""
    folder = tmp_path / "fx_rates_csv"
    folder.mkdir()
    (folder / "fx-rates.csv").write_text("date,from,to,rate\n2026-10-30,EUR,USD,1.0842\n", encoding="utf-8")
    header = ",".join(next(one for one in mappings if one.source == "fx_rates_csv").required)
    (folder / "fx-rates.csv").write_text(f"{header}\n2026-10-30,EUR,USD,1.0842\n", encoding="utf-8")
    assert run_fixture(folder, mappings, now=NOW).wrong == "has no rows.json; roi sources test --write makes it"
    assert run_fixture(folder, mappings, now=NOW, write=True).wrong == ""
    (row,) = json.loads((folder / "rows.json").read_text(encoding="utf-8"))["fx_rates"]
    assert row["rate"] == "1.084200000000"
    assert run_fixture(folder, mappings, now=NOW).wrong == ""


HELPDESK = """\
ticket,opened,customer,queue,first_reply_ms,body
T-1,1790841600,4711,billing,1200,"Where is my order? It was to arrive a week ago, and nobody can say where it is now."
T-2,1790845200,0815,login,90,"I cannot log in since yesterday; the page says that my password is wrong, but it is not."
"""


def test_a_draft_is_a_mapping_that_binds(tmp_path: Path) -> None:
    """Tickets: the closest table is contacts, Unix seconds are seen, what is missing is told, texts are left alone."""
    path = tmp_path / "helpdesk-2026-10.csv"
    path.write_text(HELPDESK, encoding="utf-8")
    made = draft(path, source="helpdesk")
    assert (made.reader, made.table) == ("csv", "contacts")
    assert {"created_at", "requester_id", "topic"} <= set(made.matched)
    assert {"is_eligible", "ai_involved"} <= set(made.missing)
    opened = 'created_at: "coalesce(to_timestamp(try_cast(opened as double))::varchar, opened)"  # Unix seconds by its '
    assert opened + "values" in made.yaml
    assert "# Texts of people, better not read: body" in made.yaml
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "helpdesk.yaml").write_text(made.yaml, encoding="utf-8")
    found, problems = examine_mappings([tmp_path / "maps"])
    assert bind_problems(found) == []
    lines = enumerate(made.yaml.splitlines(), start=1)
    places = [number for number, line in lines if re.match(r' {6}\w+: "null"', line)]
    assert [one.where for one in problems] == [f"maps/helpdesk.yaml:{line}:7" for line in places]
    told = [re.search(r" for (\w+), expected", one.message) for one in problems if one.code == "M015"]
    assert [one[1] for one in told if one] == list(made.missing)


CALL = (
    '{"call_id": "c1", "started_at": "2026-10-01T10:00:00Z", "kind": "model", "status": "ok", "latency_ms": 120, '
    '"cost_cents": 3}'
)
PRICE = (
    '{"data": {"rows": [{"provider": "p", "model": "m", "token_class": "out", "tier_rule": "standard", '
    '"valid_from": "2026-01-01", "price_per_1k": 0.5, "currency": "USD"}]}}'
)


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("calls.jsonl", CALL, 'latency_s: "coalesce((try_cast(latency_ms as double) / 1000)::varchar, latency_ms)"'
         "  # milliseconds by its name"),
        ("calls.jsonl", CALL,
         'cost_reported: "coalesce((try_cast(cost_cents as decimal(28, 10)) * 0.01)::varchar, cost_cents)"'
         "  # cents by its name"),
        ("prices.json", PRICE,
         'price: "coalesce((try_cast(price_per_1k as decimal(28, 10)) * 0.001)::varchar, price_per_1k)"'
         "  # per thousand by its name"),
        ("prices.json", PRICE, "records: $.data.rows"),
    ],
)  # fmt: skip
def test_units_and_lists_are_found(tmp_path: Path, name: str, text: str, line: str) -> None:
    """Milliseconds become seconds, cents the currency, a price per thousand tokens that of one."""
    path = tmp_path / name
    path.write_text(text + "\n", encoding="utf-8")
    assert line in draft(path, source="mine").yaml


def test_names_are_compared_without_case_and_separators() -> None:
    """The same letters are the same name; known words of the same meaning come next."""
    assert likeness("created_at", "createdAt") == 1.0
    assert likeness("requester_id", "Customer") == 0.9
    assert likeness("closed_at", "colour") < 0.72


def test_texts_that_stand_for_nothing_are_nothing(tmp_path: Path) -> None:
    """`nulls` of a mapping: a question mark is no name, with blanks around it too; a longer text stays."""
    told = (
        "source: mine\ndescribes: x\nreader: csv\nfiles: ['*']\nrequired: [a, b]\nnulls: ['?', 'NULL']\ntables:\n"
        "  identities:\n    columns:\n      alias_id: a\n      person_id: coalesce(b, 'nobody')\n"
    )
    (tmp_path / "mine.yaml").write_text(told, encoding="utf-8")
    (tmp_path / "x.csv").write_text("a,b\n1,?\n2, NULL \n3,who?\n", encoding="utf-8")
    _, rows, wrong = rows_of(tmp_path / "x.csv", "x.csv", load_mappings([tmp_path]), now=NOW)
    assert wrong == ""
    assert [row["person_id"] for row in rows["identities"]] == ["P(nobody)", "P(nobody)", "P(who?)"]


def test_what_stands_around_a_list_can_be_read(tmp_path: Path) -> None:
    """`whole_document` holds everything but the list of records itself."""
    told = (
        "source: mine\ndescribes: x\nreader: json\nfiles: ['*']\nrecords: $.a.rows\nrequired: [id]\ntables:\n"
        "  identities:\n    columns:\n      alias_id: id\n      person_id: whole_document\n"
    )
    (tmp_path / "mine.yaml").write_text(told, encoding="utf-8")
    (tmp_path / "x.json").write_text('{"a": {"n": 1, "rows": [{"id": "i"}]}, "b": "z"}', encoding="utf-8")
    _, rows, _ = rows_of(tmp_path / "x.json", "x.json", load_mappings([tmp_path]), now=NOW)
    (row,) = rows["identities"]
    assert json.loads(row["person_id"][2:-1]) == {"a": {"n": 1}, "b": "z"}


def test_a_fixture_that_differs_is_told_and_counted(tmp_path: Path) -> None:
    """A row taken out of what is expected: the fixture is BAD, one of one differs, and the command exits with 2."""
    from typer.testing import CliRunner

    from pipeline.cli import app

    folder = tmp_path / "sources" / "tests" / FOLDERS[0].name
    shutil.copytree(FOLDERS[0], folder)
    shutil.copyfile(ROOT / "metrics_catalog.yaml", tmp_path / "metrics_catalog.yaml")
    rows = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    good = CliRunner().invoke(app, ["sources", "test"], env={"ROI_ROOT": str(tmp_path)})
    assert (good.exit_code, good.stdout.splitlines()[-1]) == (0, "1 fixtures: no problem found")
    table, *_ = rows
    (folder / "rows.json").write_text(json.dumps({**rows, table: rows[table][:-1]}), encoding="utf-8")
    bad = CliRunner().invoke(app, ["sources", "test"], env={"ROI_ROOT": str(tmp_path)})
    line, count = bad.stdout.splitlines()
    assert line == f"BAD  {folder.name}: {table}: {len(rows[table])} rows, expected {len(rows[table]) - 1}"
    assert (bad.exit_code, count) == (2, "1 of 1 fixtures differ")


def test_a_fixture_with_refused_rows_is_not_written(tmp_path: Path) -> None:
    """No date on line 3 and a column too many on line 4: both are told, and why nothing was written."""
    from typer.testing import CliRunner

    from pipeline.cli import app

    folder = tmp_path / "sources" / "tests" / "fx_rates_csv"
    shutil.copytree(next(one for one in FOLDERS if one.name == folder.name), folder)
    shutil.copyfile(ROOT / "metrics_catalog.yaml", tmp_path / "metrics_catalog.yaml")
    (folder / "rows.json").unlink()
    (export,) = folder.iterdir()
    header, first, *_ = export.read_text(encoding="utf-8").splitlines()
    dated = first.replace("2026", "2025", 1)
    export.write_text("\n".join([header, first, f"soon,{dated.split(',', 1)[1]}", f"{dated},1", ""]), encoding="utf-8")
    done = CliRunner().invoke(app, ["sources", "test", "--write"], env={"ROI_ROOT": str(tmp_path)})
    line, count = done.stdout.splitlines()
    assert line.startswith("BAD  fx_rates_csv: found refused rows, expected a fixture without any: records, line 4: ")
    assert "; fx_rates, line 3: " in line and line.endswith("; mend them, or the mapping")
    assert (done.exit_code, count, (folder / "rows.json").exists()) == (2, "1 of 1 fixtures were not written", False)


def test_a_number_that_cannot_be_read_is_refused_and_not_left_empty(tmp_path: Path) -> None:
    """The gateway's milliseconds become seconds; what is none is told with its line, and the row is kept back."""
    (export,) = (ROOT / "tests" / "sources" / "litellm_spend_logs").glob("*.csv")
    rows = list(csv.DictReader(io.StringIO(export.read_text(encoding="utf-8"))))
    rows[0]["request_duration_ms"] = "soon"
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    (tmp_path / export.name).write_text(text.getvalue(), encoding="utf-8")
    found = probe(Settings(root=ROOT, exports=tmp_path, now=NOW), tmp_path / export.name)
    (calls,) = [one for one in found["tables"] if one["table"] == "calls"]
    assert [(one["first_line"], one["reason"]) for one in calls["reasons"]] == [
        (2, "latency_s: not a number of seconds")
    ]
