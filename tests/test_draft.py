"""A draft mapping: what is guessed of dates, flags, numbers and ids, what is left to decide, and what is not there."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path

import duckdb
import pytest
from project import Project
from test_sources_bytes import workbook

from pipeline.draft import draft
from pipeline.errors import RoiError
from pipeline.sources.guess import flag_guess, is_named_like_id, number_guess, time_guess

HEADER = "Ticket No,Opened on,Closed at,Customer,Queue,AI involved,Handle Minutes,Junk,order"
ROWS = """\
T-1,20.09.2026 09:12,09/10/2026,4711,billing,Y,"12,5",no,1
T-2,05.10.2026 10:40,09/11/2026,0815,login,N,"1.003,25",no,2
T-3,06.10.2026 08:03,09/12/2026,4711,billing,Y,4,yes,3
"""


def read(expression: str, *values: str) -> list[str | None]:
    """What an expression over the column x makes of texts."""
    with duckdb.connect() as con:
        con.execute("CREATE TABLE raw AS SELECT unnest(?::VARCHAR[]) AS x", [list(values)])
        return [row[0] for row in con.execute(f"SELECT ({expression})::VARCHAR FROM raw").fetchall()]


@pytest.mark.parametrize(
    ("values", "note", "expected"),
    [
        (("20.09.2026 09:12",), "day first", "2026-09-20 09:12:00"),
        (("1.2.2026",), "day first", "2026-02-01 00:00:00"),
        (("20.09.26",), "day first", "2026-09-20 00:00:00"),
        (("20/09/2026", "01/02/2026"), "day first", "2026-09-20 00:00:00"),
        (("09/20/2026 1:05 PM", "01/02/2026 11:00 AM"), "month first", "2026-09-20 13:05:00"),
        (("2026/09/20", "2026/01/02"), "year first", "2026-09-20 00:00:00"),
        (("20 Sep 2026",), "names of months", "2026-09-20 00:00:00"),
        (("20.09.2026 09:12", "20.09.2026", "20.09.2026 09:12:30"), "day first", "2026-09-20 09:12:00"),
    ],
)
def test_local_forms_of_days_are_read(values: tuple[str, ...], note: str, expected: str) -> None:
    """One way, told, and the expression reads the first value so; what is no time is handed on to be refused."""
    guess = time_guess("x", values)
    assert guess is not None
    assert (guess.doubt, [way.note for way in guess.ways]) == ("", [f"{note} by its values"])
    assert read(guess.ways[0].expression, values[0], "soon") == [expected, "soon"]
    assert None not in read(guess.ways[0].expression, *values)


def test_days_that_may_be_months_are_not_guessed() -> None:
    """3/4 is the third of April or the fourth of March: both are told; a 20th somewhere else in the file settles it."""
    guess = time_guess("x", ("03/04/2026", "05/06/2026"))
    assert guess is not None
    assert guess.doubt.startswith("day first and month first both fit")
    assert [read(way.expression, "03/04/2026") for way in guess.ways] == [
        ["2026-04-03 00:00:00"], ["2026-03-04 00:00:00"],
    ]  # fmt: skip
    settled = time_guess("x", ("03/04/2026",), days=("03/04/2026", "06/20/2026"))
    assert settled is not None
    assert [way.note for way in settled.ways] == ["month first by its values"]
    assert time_guess("x", ("20/09/2026", "09/20/2026")) is None
    assert time_guess("x", ("yesterday",)) is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (("Y", "n"), ("true", "false")),
        (("yes", "No"), ("true", "false")),
        (("1", "0"), ("true", "false")),
        (("ja", "NEIN"), ("true", "false")),
        (("TRUE", "false"), ("TRUE", "false")),
    ],
)
def test_yes_and_no_are_read(values: tuple[str, str], said: tuple[str, str]) -> None:
    """Whatever their case; another word is handed on, so that the contract refuses it."""
    guess = flag_guess("x", values)
    assert guess is not None
    assert read(guess.ways[0].expression, *values, "maybe") == [*said, "maybe"]
    assert flag_guess("x", (*values, "maybe")) is None


def test_numbers_with_commas_are_read() -> None:
    """Decimal commas, commas between thousands, and three digits after one comma, which may be either."""
    decimal, thousands = (
        number_guess("x", ("1.234,5", "7"), is_whole=False),
        number_guess("x", ("1,234.5",), is_whole=False),
    )
    assert decimal is not None
    assert thousands is not None
    assert read(decimal.ways[0].expression, "1.234,5", "7") == ["1234.5", "7"]
    assert read(thousands.ways[0].expression, "1,234.5") == ["1234.5"]
    either = number_guess("x", ("1,234",), is_whole=False)
    assert either is not None
    assert either.doubt.startswith("a comma may begin decimals or set thousands apart")
    assert [read(way.expression, "1,234") for way in either.ways] == [["1.234"], ["1234"]]
    whole = number_guess("x", ("1,234",), is_whole=True)
    assert whole is not None
    assert (whole.doubt, read(whole.ways[0].expression, "1,234")) == ("", ["1234"])
    assert number_guess("x", ("many",), is_whole=False) is None


def test_names_of_ids_are_known() -> None:
    """By their last word."""
    assert all(map(is_named_like_id, ("id", "Ticket No", "ticketId", "case-number", "TICKET_ID", "Ticket #")))
    assert not any(map(is_named_like_id, ("paid", "Customer", "casino", "")))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without a folder of mappings, and an export beside it."""
    made = Project.new(tmp_path / "project")
    (tmp_path / "Help Desk.csv").write_text(f"{HEADER}\n{ROWS}", encoding="utf-8")
    return made


def test_a_draft_says_what_it_guessed_and_what_is_to_be_done(project: Project) -> None:
    """The folder it made, guesses to look at, what has two meanings, what is to be filled in; filled it is taken."""
    export, target = project.root.parent / "Help Desk.csv", project.root / "sources" / "helpdesk.yaml"
    printed = project.roi("sources", "probe", export, "--draft", target).stdout
    assert f"Made the folder {target.parent}\n" in printed
    assert "Look at: created_at from Opened on: day first by its values\n" in printed
    assert "Look at: handle_minutes from Handle Minutes: decimal commas by its values\n" in printed
    assert "Decide: closed_at from Closed at: day first and month first both fit" in printed
    assert "Fill in: is_eligible\n" in printed
    text = target.read_text(encoding="utf-8")
    assert """contact_id: '"Ticket No"'""" in text
    assert "      # is_eligible: \"case lower(trim(Junk)) when 'yes' then 'true'" in text
    assert '      # reopens: "null"  # count: How often it was reopened\n' in text
    assert '      # ai_claimed_resolved: "null"  # flag: ' in text and "; may be Junk\n" in text
    assert "# of times without an offset, as in Opened on\n" in text
    refused = project.roi("sources", "probe", export, exit_code=2).stderr
    assert "M015  found 'null' for is_eligible" in refused
    target.write_text(text.replace('is_eligible: "null"', "is_eligible: \"Junk = 'no'\""), encoding="utf-8")
    (found,) = project.json("sources", "probe", export)
    assert (found["source"], found["note"]) == ("helpdesk", "")
    assert [(one["rows"], one["bad"]) for one in found["tables"]] == [(3, 0)]


def test_the_line_that_settles_a_doubt_works_as_it_stands(project: Project) -> None:
    """Without its number sign, day first: 09/10/2026 is the ninth of October."""
    made = draft(project.root.parent / "Help Desk.csv", source="helpdesk")
    (line,) = [one for one in made.yaml.splitlines() if one.endswith("# day first") and "closed_at" in one]
    expression = line.removeprefix("      # closed_at: ").removesuffix("  # day first").replace('"Closed at"', "x")
    assert read(expression, "09/10/2026") == ["2026-10-09 00:00:00"]
    assert "\n      closed_at: " not in made.yaml


def test_a_required_day_that_may_be_a_month_is_to_be_decided(tmp_path: Path) -> None:
    """It stays null, so that the check refuses the draft until one of both lines is taken."""
    (tmp_path / "a.csv").write_text("ticket_id,opened,customer\n1,03/04/2026,a\n2,05/06/2026,b\n", encoding="utf-8")
    made = draft(tmp_path / "a.csv", source="a")
    assert '      created_at: "null"  # to be decided\n' in made.yaml
    assert made.doubts[0].startswith("created_at from opened: day first and month first both fit")


def test_a_day_far_down_the_file_settles_what_comes_first(tmp_path: Path) -> None:
    """The 20th stands behind the rows that are looked at first."""
    rows = [f"{number},{number % 12 + 1:02d}/07/2026,a" for number in range(600)]
    (tmp_path / "a.csv").write_text(
        "\n".join(["ticket_id,opened,customer", *rows, "601,12/20/2026,b", ""]), encoding="utf-8"
    )
    made = draft(tmp_path / "a.csv", source="a")
    assert made.doubts == ()
    assert "created_at from opened: month first by its values" in made.guesses


def test_an_id_is_unique(tmp_path: Path) -> None:
    """Of two columns that are named like ids the one with a value of its own in every row is that of the table."""
    (tmp_path / "a.csv").write_text(
        "Account No,Case No,opened,queue,customer\n7,1,2026-01-01,a,b\n7,2,2026-01-02,a,b\n", encoding="utf-8"
    )
    assert """contact_id: '"Case No"'""" in draft(tmp_path / "a.csv", source="a").yaml


def test_a_draft_makes_no_folder_but_that_of_mappings(project: Project) -> None:
    """A slip in the path is told, with the folder that is meant; nothing is written."""
    export = project.root.parent / "Help Desk.csv"
    done = project.roi("sources", "probe", export, "--draft", project.root / "srces" / "a.yaml", exit_code=1)
    expected = (
        f"{project.root / 'srces'} is not a folder that is there; expected one, such as {project.root / 'sources'}"
    )
    assert expected in done.stderr
    assert not (project.root / "srces").exists()
    elsewhere = project.roi("sources", "probe", export, "--draft", project.root.parent / "a.yaml").stdout
    assert f"It counts once it stands in {project.root / 'sources'}\n" in elsewhere


def test_no_draft_is_made_of_a_workbook(tmp_path: Path) -> None:
    """It is told what to save."""
    with pytest.raises(
        RoiError, match=r"a\.xlsx: not UTF-8 text: it is an Excel workbook; save the sheet with the rows"
    ):
        draft(workbook(tmp_path / "a.xlsx", "Tickets"), source="a")


def gateway(path: Path, odd: dict[int, dict[str, str]], rows: int = 30) -> Path:
    """Calls of a gateway under names for people to read, some cells of which are odd."""
    names = ("Request ID", "Timestamp", "Nutzer", "Model", "Prompt Tokens", "Cached Tokens", "Completion Tokens",
             "Duration (ms)", "Cost (cents)", "Status")  # fmt: skip
    lines = [",".join(names)]
    for at in range(rows):
        row = dict(zip(names, (
            f"r-{at}", f"2026-10-{at % 28 + 1:02}T09:00:00Z", f"p{at % 4}@mail.example", "gpt-x", str(100 + at), "40",
            str(7 * at), str(1200 + at), f"0.{at:02}", "ok",
        ), strict=True)) | odd.get(at, {})  # fmt: skip
        lines.append(",".join(row[name] for name in names))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


BAD_ROWS = {
    2: {"Request ID": ""}, 5: {"Timestamp": "soon"}, 9: {"Timestamp": "n/a", "Duration (ms)": "timeout"},
    11: {"Timestamp": "31.02.2026", "Completion Tokens": "many"}, 20: {"Cost (cents)": "free", "Nutzer": "-"},
}  # fmt: skip


def test_a_few_bad_rows_hide_no_column(tmp_path: Path) -> None:
    """One missing id, three odd dates and some odd numbers among 30: each column is used, with its unit."""
    made = draft(gateway(tmp_path / "torwart_2026-10.csv", BAD_ROWS), source="torwart_csv")
    assert made.table == "calls"
    used = [line.strip() for line in made.yaml.splitlines() if not line.strip().startswith("#")]
    told = dict(line.split(": ", 1) for line in used if ": " in line)
    assert told["call_id"].startswith("'\"Request ID\"'")
    assert told["started_at"] == '"Timestamp"  # 3 of 30 values are of another kind and will be refused'
    assert "Completion Tokens" in told["tokens_out"]
    assert told["latency_s"].startswith(
        'coalesce((try_cast("Duration (ms)" as double) / 1000)::varchar, "Duration (ms)")  # milliseconds by its '
        "name, 1 of 30 values"
    )
    assert 'try_cast("Cost (cents)" as decimal(28, 10)) * 0.01' in told["cost_reported"]
    assert told["person_id"] == '"Nutzer"  # addresses of mail by its values'
    assert "latency_s from Duration (ms): milliseconds by its name, 1 of 30 values is of another kind and will be "\
        "refused" in made.guesses  # fmt: skip
    assert "person_id from Nutzer: addresses of mail by its values" in made.guesses


def test_the_bad_rows_alone_are_refused_by_a_draft(tmp_path: Path) -> None:
    """Filled in, it takes the file; each odd value refuses its row, and none is empty without a word."""
    project = Project.new(tmp_path / "project")
    (project.root / "sources").mkdir()
    export = gateway(tmp_path / "torwart_2026-10.csv", BAD_ROWS)
    text = draft(export, source="torwart_csv").yaml
    for name, value in (("kind", "model"), ("environment", "production")):
        text = text.replace(f'      {name}: "null"', f"      {name}: \"'{value}'\"")
    (project.root / "sources" / "torwart_csv.yaml").write_text(text, encoding="utf-8")
    (found,) = project.json("sources", "probe", export)
    (table,) = found["tables"]
    assert (found["source"], table["rows"], table["bad"]) == ("torwart_csv", 30, 5)
    assert sorted(one["first_line"] for one in table["reasons"]) == [4, 7, 11, 13, 22]


def test_a_draft_of_a_clean_file_refuses_the_bad_rows_of_a_later_one(tmp_path: Path) -> None:
    """Drafted without any odd value: the same expressions hand on what a later file has in their place."""
    names = {"Duration (ms)": "timeout", "Cost (cents)": "free"}
    clean = draft(gateway(tmp_path / "torwart_2026-10.csv", {}), source="torwart_csv").yaml
    lines = [line.strip().partition(": ")[2].partition("  # ")[0].strip("'") for line in clean.splitlines()]
    for name, odd in names.items():
        (told,) = [line for line in lines if f'"{name}"' in line and "try_cast" in line]
        assert read(told.replace(f'"{name}"', "x"), odd) == [odd]
    assert read(told.replace('"Cost (cents)"', "x"), "0.29", "19.99") == ["0.002900000000", "0.199900000000"], "exact"
    seconds = time_guess("x", ["1790841600"] * 3)
    assert seconds is not None
    assert read(seconds.ways[0].expression, "soon") == ["soon"]


def test_a_draft_of_parquet_reads_columns_that_are_no_texts(tmp_path: Path) -> None:
    """Numbers in milliseconds and cents, Unix seconds and a flag of 1 and 0, each of a type of its own."""
    path = tmp_path / "calls.parquet"
    with duckdb.connect() as con:
        columns = "'c' || i AS call_id, 1790841600 + i AS started_at, 1200::INTEGER AS latency_ms, 3.5 AS cost_cents, "\
            "(i % 2)::TINYINT AS is_batch, 90 AS prompt_tokens, 40 AS cached_tokens"  # fmt: skip
        con.execute(f"COPY (SELECT {columns} FROM range(1, 5) AS r(i)) TO '{path}'")
        text = draft(path, source="mine").yaml
        told = {}
        for line in text.splitlines():
            name, _, rest = line.strip().removeprefix("# ").partition(": ")
            if rest.startswith('"') and "(" in rest and "null" not in rest:
                told[name] = json.loads(rest.partition("  # ")[0])
        values = con.execute(
            f"SELECT {', '.join(f'({told[name]})::VARCHAR AS {name}' for name in told)} FROM '{path}' LIMIT 1"
        ).fetchall()
    assert dict(zip(told, values[0], strict=True)) == {
        "started_at": "2026-10-01 08:00:01+00",
        "latency_s": "1.2",
        "cost_reported": "0.035000000000",
        "is_batch": "true",
        "tokens_in_uncached": "50",
    }


def test_more_than_a_tenth_of_odd_values_is_another_kind() -> None:
    """Three of thirty are odd rows, four are not; what more values fit is the better guess."""
    days = ["2026-10-01"] * 26
    assert time_guess("x", [*days, "a", "b", *days[:1]]) is not None
    assert time_guess("x", [*days, "a", "b", "c", "d"]) is None
    settled = time_guess("x", ["03/04/2026"] * 29 + ["04/20/2026"])
    assert settled is not None
    assert [way.note for way in settled.ways] == ["month first by its values"]
    odd = number_guess("x", ["12"] * 28 + ["4,5"] * 2, is_whole=False)
    assert odd is not None
    assert [way.note for way in odd.ways] == ["decimal commas by its values"]
    seconds = time_guess("x", ["1790841600"] * 29 + ["soon"])
    assert seconds is not None
    assert read(seconds.ways[0].expression, "soon") == ["soon"]
    flag = flag_guess("x", ["ja"] * 19 + ["nein"] * 9 + ["?"] * 2)
    assert flag is not None
    assert read(flag.ways[0].expression, "Ja", "nein", "?") == ["true", "false", "?"]


def test_cached_input_that_may_count_twice_is_told(tmp_path: Path) -> None:
    """With cached tokens in a column of their own: why, and the line that subtracts them and hands on what is none."""
    made = draft(gateway(tmp_path / "a.csv", {}), source="a")
    why = "Prompt Tokens may hold the cached input of Cached Tokens too, and then it counts twice; if so take this:"
    assert f"tokens_in_uncached: {why}" in made.guesses
    lines = made.yaml.splitlines()
    line = lines[lines.index(f"      # {why}") + 1].strip().removeprefix("# tokens_in_uncached: ").strip("'")
    expression = line.replace('"Prompt Tokens"', "x").replace('"Cached Tokens"', "'40'")
    assert read(expression, "100", "many") == ["60", "many"]
    (tmp_path / "b.csv").write_text(
        (tmp_path / "a.csv").read_text().replace("Cached Tokens", "Retries"), encoding="utf-8"
    )
    assert not any("twice" in one for one in draft(tmp_path / "b.csv", source="b").guesses)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("torwart_2026-10.csv", "torwart_*.csv"),
        ("Help Desk.csv", "Help Desk.csv"),
        ("gateway-20261005T0912.csv", "gateway-*.csv"),
        ("calls[1].csv", "calls[[]*].csv"),
        ("2026-10.csv", "2026-10.csv"),
    ],
)
def test_the_files_of_a_draft_are_named_like_the_one_it_was_made_from(tmp_path: Path, name: str, pattern: str) -> None:
    """Whatever the draft is called: numbers may be others, and a name of few letters is taken as it is."""
    made = draft(gateway(tmp_path / name, {}), source="other_name")
    assert f'\nfiles: ["{pattern}"]\n' in made.yaml
    assert fnmatchcase(name, pattern)
