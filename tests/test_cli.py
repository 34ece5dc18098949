"""The command line as a user meets it: exit codes, messages that say what to do, and nothing heavy to say hello."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from project import ROOT, Project

from pipeline import summary
from pipeline.catalog.load import load_catalog
from pipeline.catalog.target import Target
from pipeline.engine.explain import Explanation, Period
from pipeline.engine.kinds import Look
from pipeline.engine.suppression import REASON
from pipeline.engine.underlying import export_rows
from pipeline.settings import Settings

HEADER = "deployment_id,service,environment,change_type,started_at,finished_at,result,rework,rollback_of,gate_passed"
GOOD = [
    f"dep-{i},api,production,code,2026-10-0{i}T10:00:00Z,2026-10-0{i}T10:30:00Z,success,false,,true" for i in (1, 2, 3)
]
ONE_ROLE = """\
version: 1
roles:
  genai_engineer: {title: Engineer, layer: build_operate, tier: 1, question: What does it cost?}
metrics:
"""
HEAVY = {"pandas", "pandera", "great_expectations", "plotly", "duckdb", "scipy", "jinja2", "pydantic"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose one export, a list of deployments, has been published."""
    project = Project.new(tmp_path_factory.mktemp("cli") / "project")
    _write(project, "deployments-1.csv", GOOD)
    done = project.roi("nightly", "--exports", _exports(project))
    assert "3 in = 3 loaded + 0 duplicate + 0 quarantined" in done.stdout
    return project


def _exports(project: Project) -> Path:
    folder = project.root / "exports"
    folder.mkdir(exist_ok=True)
    return folder


def _write(project: Project, name: str, rows: list[str]) -> Path:
    path = _exports(project) / name
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


def test_help_imports_nothing_heavy() -> None:
    """`roi --help` answers without any library that only a stage needs."""
    code = f"import sys, pipeline.cli; print(sorted({sorted(HEAVY)!r} & sys.modules.keys()))"
    code = code.replace(f"{sorted(HEAVY)!r} &", f"set({sorted(HEAVY)!r}) &")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_help_lists_the_exit_codes(project: Project) -> None:
    """Whoever writes a cron job finds them there."""
    assert "75 locked" in " ".join(project.roi("--help").stdout.split())


def test_a_missing_folder_stops_the_run_before_it_starts(project: Project) -> None:
    """Exit 1, the folder, and the command that helps."""
    done = project.roi("nightly", "--exports", project.root / "nowhere", exit_code=1)
    assert "nowhere  S003  is not a folder of exports; run `make sample`, or name your folder" in done.stderr


def test_an_empty_folder_publishes_nothing(project: Project, tmp_path: Path) -> None:
    """Exit 1, and how to find out what can be read."""
    done = project.roi("nightly", "--exports", tmp_path, exit_code=1)
    assert f"Nothing below {tmp_path} was found, so there is nothing to publish. `roi sources list`" in done.stderr
    (tmp_path / "deployments.csv").write_text("\n".join([HEADER, GOOD[0].replace("success", "?")]) + "\n", "utf-8")
    done = project.roi("nightly", "--exports", tmp_path, exit_code=1)
    assert "could be used, so there is nothing to publish." in done.stderr
    assert "deployments.csv:2  quarantined  result: not one of" in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("explain", "change_failure_rat"), "E004  found 'change_failure_rat'; did you mean change_failure_rate?"),
        (
            ("explain", "mttr", "--period", "2026-01"),
            "E003  nothing at month 2026-01-01 to 2026-01-31 in total; values are held from",
        ),
        (
            ("explain", "change_failure_rate", "--by", "team=x"),
            "E002  found 'team=x', expected service=... or change_type",
        ),
        (
            ("explain", "change_failure_rate", "--period", "2026-01"),
            "E003  nothing at month 2026-01-01 to 2026-01-31 in total; values of a month are held from 2026-10-01 to",
        ),
        (("explain", "change_failure_rate", "--period", "soon"), "E001  found 'soon', expected 2026-10-31 (day)"),
    ],
)
def test_a_wrong_question_is_answered_with_the_right_ones(
    project: Project, words: tuple[str, ...], expected: str
) -> None:
    """Exit 2, what was found and what would do."""
    assert expected in project.roi(*words, "--exports", _exports(project), exit_code=2).stderr


def test_a_wrong_clock_is_refused(project: Project) -> None:
    """An instant that cannot be read never becomes another."""
    done = project.roi("nightly", "--now", "yesterday", exit_code=2)
    assert "--now  S001  found 'yesterday', expected an ISO instant" in done.stderr


def test_the_catalogue_is_checked_with_line_and_column(project: Project, tmp_path: Path) -> None:
    """Exit 2 and file:line:column for a mistake; exit 0 and the counts for the project's own."""
    good = project.json("catalog", "check")
    assert (good["ok"], good["kpis"], good["problems"]) == (True, 43, [])
    text, small = (ROOT / "metrics_catalog.yaml").read_text(encoding="utf-8"), tmp_path / "small.yaml"
    (record,) = re.findall(r"^  token_cost_per_session:\n(?:    .*\n|\n)+", text, flags=re.MULTILINE)
    small.write_text(ONE_ROLE + record.replace("owner: genai_engineer", "owner: genai_enginer"), encoding="utf-8")
    line = small.read_text(encoding="utf-8").splitlines().index("    owner: genai_enginer") + 1
    done = project.roi("catalog", "check", small, exit_code=2)
    (found, summary) = done.stdout.splitlines()
    assert found.startswith(f"small.yaml:{line}:5  C020  found owner 'genai_enginer'")
    assert found.endswith("did you mean genai_engineer?")
    assert summary == "1 problem"
    assert done.stderr.splitlines() == [
        "Reading the catalogue ...", "Running worked examples ...", "Reading the source mappings ..."
    ]  # fmt: skip
    broken = text.replace("owner: genai_engineer", "owner: genai_enginer", 1)
    line = broken.splitlines().index("    owner: genai_enginer") + 1
    (project.root / "metrics_catalog.yaml").write_text(broken, encoding="utf-8")
    try:
        refused = project.roi("nightly", "--exports", _exports(project), exit_code=2)
    finally:
        (project.root / "metrics_catalog.yaml").write_text(text, encoding="utf-8")
    assert f"metrics_catalog.yaml:{line}:" in refused.stderr


def test_sources_can_be_listed_and_probed(project: Project, tmp_path: Path) -> None:
    """A known file names its source; an unknown one exits 1 with the reason."""
    known = {one["source"] for one in project.json("sources", "list")}
    assert {"langfuse_observations", "litellm_spend_logs", "copilot_users_report", "focus"} <= known
    (found,) = project.json("sources", "probe", _exports(project) / "deployments-1.csv")
    assert found["source"] == "deployments_csv"
    odd = tmp_path / "odd.csv"
    odd.write_text("a,b\n1,2\n", encoding="utf-8")
    (refused,) = project.json("sources", "probe", odd, exit_code=1)
    assert (refused["source"], "no source takes this file" in refused["note"]) == ("", True)


def test_doctor_editions_and_report(project: Project) -> None:
    """The installation is well, the edition is listed, and its pages can be drawn again with the same bytes."""
    exports = _exports(project)
    assert all(one["ok"] for one in project.json("doctor", "--exports", exports))
    assert [one["number"] for one in project.json("edition", "list", "--exports", exports)] == [1]
    before = project.digests()
    assert "Pages drawn of the warehouse exports: " in project.roi("report", "--exports", exports).stdout
    assert project.digests() == before
    held = project.reports / "data" / "edition.json"
    held.write_text(held.read_text("utf-8").replace('"warehouse": "exports"', '"warehouse": "other"'), "utf-8")
    assert "reports/ showed the warehouse other until now." in project.roi("report", "--exports", exports).stdout
    assert project.digests() == before


def test_an_edition_is_shown_and_verified(project: Project) -> None:
    """Each KPI has a line; a page that was changed by hand is named, and drawing the pages again mends it."""
    exports = _exports(project)
    told = project.json("edition", "show", "1", "--exports", exports)
    assert told["edition"]["number"] == 1
    frequency = next(one for one in told["values"] if one["kpi_id"] == "deployment_frequency")
    assert frequency["value"] == "3"
    assert "say the same" in project.roi("edition", "diff", "1", "1", "--exports", exports).stdout
    refused = project.roi("edition", "show", "9", "--exports", exports, exit_code=2)
    assert "E010  found 9; expected one from 1 to 1" in refused.stderr
    assert project.json("edition", "verify")["wrong"] == {}
    (project.reports / "run.html").write_text("changed by hand", encoding="utf-8")
    assert project.json("edition", "verify", exit_code=1)["wrong"] == {"run.html": "was changed"}
    project.roi("report", "--exports", exports)
    assert project.json("edition", "verify")["wrong"] == {}


def test_before_the_first_night_explain_says_what_to_run(tmp_path: Path) -> None:
    """There is no edition yet, and the two ways of making one."""
    fresh = Project.new(tmp_path / "fresh")
    for words in (("explain", "availability"), ("explain", "net_benefit"), ("edition", "list")):
        said = fresh.roi(*words, exit_code=1).stderr
        assert said.startswith("There is no edition yet: ")
        assert "Run make nightly first" in said
        assert "make nightly EXPORTS=dir" in said


def test_a_folder_that_is_not_there_is_named(project: Project) -> None:
    """Also by what reads the pages alone, which are those of another folder."""
    for words in (("edition", "verify"), ("edition", "list"), ("explain", "availability")):
        said = project.roi(*words, "--exports", "no-such-folder", exit_code=1).stderr
        assert "There is no folder " in said
        assert "no-such-folder, and no edition of it; expected a folder of exports" in said


def test_the_names_of_an_explanation_stand_apart_from_their_values(project: Project) -> None:
    """Also the longest of them: two spaces at least between a name and what it is."""
    said = project.roi("explain", "change_failure_rate", "--exports", _exports(project)).stdout
    assert "  rows: denominator  3\n" in said
    assert "  rows: numerator    0\n" in said


def test_a_course_has_every_period_and_its_rows(project: Project) -> None:
    """Each published period of the KPI, its definition, and with --rows the rows of all days and not of one period."""
    words = ("explain", "deployment_frequency", "--exports", _exports(project), "--course")
    told = project.json(*words, "--rows", project.root / "rows.csv")
    published = {key[1:4]: row for key, row in project.values().items() if key[0] == words[1] and not key[4]}
    said = {(one["grain"], one["period_start"], one["period_end"]): one for one in told["course"]}
    assert said.keys() == published.keys()
    assert all(one["n"] == int(published[key]["n"]) for key, one in said.items() if published[key]["n"])
    assert told["definition"]["min_n"] and told["definition"]["facts"].keys() == {"deployment_days"}
    assert told["data_through"] == max(one["period_start"] for one in told["course"] if one["grain"] == "day")
    rows = (project.root / "rows.csv").read_text(encoding="utf-8").splitlines()[1:]
    days = [one for one in told["course"] if one["grain"] == "day"]
    assert len({row.partition(",")[0] for row in rows}) == len(days) > 1
    lines = [line.split()[:4] for line in project.roi(*words).stdout.splitlines()]
    assert all(["day", one["period_start"], one["period_end"], f"{one['value']:.0f}"] in lines for one in days)


@pytest.mark.parametrize(
    ("quarter", "days"),
    [
        (REASON, ["2026-01-01", "2026-03-01"]),
        ("suppressed: in the words of an edition before", ["2026-01-01", "2026-03-01"]),
        ("", ["2026-01-01", "2026-02-01", "2026-03-01"]),
    ],
)
def test_a_course_leaves_out_the_rows_of_what_is_withheld(tmp_path: Path, quarter: str, days: list[str]) -> None:
    """Of January, February and March, the month that fewer than five people are behind gives no row.

    It does where the quarter is told, of which the same rows are.
    """
    months = [(date(2026, month, 1), date(2026, month + 1, 1)) for month in (1, 2, 3)]
    course: list[dict[str, object]] = [
        {"grain": "month", "period_start": start, "period_end": end, "reason": REASON if start.month == 2 else ""}
        for start, end in months
    ]
    course.append({"grain": "quarter", "period_start": months[0][0], "period_end": months[2][1], "reason": quarter})
    metric: Any = SimpleNamespace(facts=("active",), grain="month")
    period = Period("month", *months[2])
    told = Explanation("adoption_rate", metric, period, "", "", {}, "", "", 1, course=course)
    told.look = Look(*months[2], date(2026, 3, 31))
    with duckdb.connect() as con:
        con.execute(
            "CREATE SCHEMA facts; CREATE TABLE facts.active AS SELECT unnest(?) AS day", [[a for a, _ in months]]
        )
        export_rows(con, told, tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_text(encoding="utf-8").split() == ["day", *days]


def test_a_zero_of_twelve_decimals_is_told_as_zero() -> None:
    """The database gives an exact sum of nothing as 0E-12."""
    assert summary._plain(Decimal("0E-12")) == "0"
    assert summary._text(Decimal("0E-12")) == "0.000000000000"
    assert (summary._plain(Decimal("2.500000000000")), summary._text(date(2026, 1, 2))) == ("2.5", "2026-01-02")


def _explained(
    value: float | None,
    from_rows: dict[str, object],
    *,
    bound: str = "",
    said: tuple[float, ...] = (),
    verdict: str = "met",
    target: bool = True,
) -> str:
    """What `roi explain` prints of a share of 252 contacts, 62 of them settled."""
    aim = Target(at_least=Decimal("0.2"), since=date(2026, 1, 1), source="a plan") if target else None
    whole: Any = load_catalog(ROOT / "metrics_catalog.yaml").metrics["deflection_rate"]
    metric = whole.model_copy(update={"target": aim, "owner": "o", "leaves_out": "l"})
    published: dict[str, object] = {
        "value": value, "numerator": Decimal("62.000000000000"), "denominator": Decimal("252.000000000000"), "n": 252,
        "interval_low": 0.19693170228804002, "interval_high": 0.30275845508513033, "interval_method": "Wilson",
        "status": "computed", "reason": "", "verdict": verdict, "definition_hash": "h",
    }  # fmt: skip
    told = Explanation("deflection_rate", metric, Period("month", date(2026, 10, 1), date(2026, 11, 1)), "", "",
                       published, "", bound, 3, from_rows=from_rows)  # fmt: skip
    told.history = [
        {"edition": i, "value": one, "status": "computed", "is_restated": i > 1, "why": "late rows"}
        for i, one in enumerate(said, 1)
    ]
    return "\n".join(f"{name}: {text}" for name, text in summary._explained(told, "f", published))


def test_an_explanation_prints_what_pages_print_and_counts_exactly() -> None:
    """62 ÷ 252 is 24.6 %, 19.7 % to 30.3 %; numerator and denominator have all their digits, and a mean has nine."""
    told = _explained(62 / 252, {"numerator": Decimal("12.910413171234"), "value": 62 / 252 + 1e-17, "mean": 2 / 3})
    assert "published: 24.6\u202f%\nnumerator: 62\ndenominator: 252\n" in told
    assert "interval: 19.7\u202f% to 30.3\u202f% (95 %, Wilson)\n" in told
    assert "rows: numerator: 12.910413171234\nrows: value: 24.6\u202f%\nrows: mean: 0.666666667" in told


def test_values_that_differ_are_never_printed_alike() -> None:
    """24.60 % published and 24.61 % of the rows: with the digits that tell them apart; so are those of two editions."""
    told = _explained(0.24601, {"value": 0.24612}, bound="within 1%", said=(0.24604, 0.24601))
    assert "published: 24.601\u202f% (within 1%)\n" in told
    assert "rows: value: 24.612\u202f% (exactly 0.24612)\n" in told
    assert "edition 1: 24.604\u202f%, restated in edition 2: late rows" in told


def test_a_verdict_stands_beside_its_target() -> None:
    """Of what is withheld a target is not judged; that there is none is said where there is none."""
    aim = "target: at least 20\u202f% (a plan, since 1 Jan 2026)"
    assert f"{aim}\nverdict: met" in _explained(62 / 252, {})
    assert f"{aim}\nverdict: not judged" in _explained(None, {}, verdict="")
    assert "target: none set\nverdict: no target" in _explained(62 / 252, {}, verdict="", target=False)


def test_an_explanation_tells_the_target_of_its_edition(tmp_path: Path) -> None:
    """At most 15 % judged the first edition and at most 20 % the second, whatever the catalogue says meanwhile."""
    project = Project.new(tmp_path / "project")
    _write(project, "deployments-1.csv", GOOD)
    catalog = project.root / "metrics_catalog.yaml"
    texts = [
        catalog.read_text(encoding="utf-8").replace("{at_most: 0.15,", f"{{at_most: {one},") for one in (0.15, 0.2)
    ]
    asked = ("explain", "change_failure_rate", "--exports", _exports(project))
    for text in texts:
        catalog.write_text(text, encoding="utf-8")
        project.roi("nightly", "--exports", _exports(project))
    catalog.write_text(texts[0].replace("at_most: 0.15,", "at_most: 0.4,"), encoding="utf-8")
    first, second = (project.roi(*asked, "--as-of", number).stdout for number in ("1", "2"))
    assert re.search(r"^  target +at most 15\u202f% \(", first, flags=re.MULTILINE)
    assert re.search(r"^  rows +as they are held now, not as edition 1 had them", first, flags=re.MULTILINE)
    assert re.search(r"^  target +at most 20\u202f% \(", second, flags=re.MULTILINE)
    assert "as they are held now" not in second


def test_two_editions_are_told_apart(tmp_path: Path) -> None:
    """A deployment that came late changes the day's count from 1 to 2, and nothing of the day before."""
    project = Project.new(tmp_path / "project")
    _write(project, "deployments-1.csv", GOOD)
    project.roi("nightly", "--exports", _exports(project))
    late = "dep-9,api,production,code,2026-10-03T12:00:00Z,2026-10-03T12:30:00Z,success,false,,true"
    _write(project, "deployments-2.csv", [late])
    summary = project.roi("nightly", "--exports", _exports(project)).stdout
    (line,) = re.findall(r"^Next: .*$", summary, flags=re.MULTILINE)
    steps = [re.sub(r" --exports exports$", "", words) for words in re.findall("`roi ([^`]+)`", line)]
    assert steps == ["edition diff 1 2", "edition show 2"], "6 values restated, and KPIs that no export feeds"
    told = [project.roi(*words.split(), "--exports", _exports(project)).stdout for words in steps]
    (count,) = re.findall(r"why (\d+) KPIs have no current value", line)
    assert told[1].count("not available") == int(count) > 30
    index = (project.reports / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"(\d+) of \d+ KPIs have no current value", index)[0] == count, "page and run say the same"
    told = project.json("edition", "diff", "1", "2", "--exports", _exports(project))
    days = {
        (one["period_start"], one["old"], one["new"])
        for one in told["values"]
        if (one["kpi_id"], one["grain"], one["change"]) == ("deployment_frequency", "day", "restated")
        and not one["dimension"]
    }
    assert days == {("2026-10-03", 1.0, 2.0)}
    asked = ("explain", "deployment_frequency", "--period", "2026-10-03", "--exports", _exports(project))
    said = [project.json(*asked, "--as-of", edition)["published"]["value"] for edition in ("1", "2")]
    assert said == [1.0, 2.0], "what each edition said, though both were published on one day"
    assert (
        "--as-of  E008  found 3, expected an edition from 1 to 2"
        in project.roi(*asked, "--as-of", "3", exit_code=2).stderr
    )
    assert "deployment_frequency" in project.roi("edition", "diff", "1", "2", "--exports", _exports(project)).stdout
    out = tmp_path / "diff.csv"
    printed = project.roi("edition", "diff", "1", "2", "--out", out, "--exports", _exports(project)).stdout
    assert "Totals" in printed
    day = r"3 Oct 2026 +in total +1 +2 +restated +new rows in deployments-2\.csv:2\n"
    assert re.search(day, printed), "period, slice, both values and what brought it about"
    assert re.search(day.replace("in total", "service: api"), printed)
    assert len(out.read_text(encoding="utf-8").splitlines()) == 1 + len(told["values"])
    assert printed.endswith(f"{len(told['values'])} values written to {out}\n")
    said = (project.reports / "corrections.html").read_text(encoding="utf-8")
    assert "Deployment frequency" in said
    assert "new rows in deployments-2.csv:2" in said, "the one row that came is named with its line"
    told = project.json("explain", "deployment_frequency", "--period", "2026-10-03", "--exports", _exports(project))
    assert [one["is_restated"] for one in told["history"]] == [False, True]


def test_a_rebuild_gives_the_same_numbers(project: Project) -> None:
    """From the exports that are there, into an empty warehouse: every value as published."""
    before = project.values()
    project.roi("nightly", "--rebuild", "--exports", _exports(project))
    assert project.values() == before


def test_a_rebuild_names_what_is_not_there_any_more(tmp_path: Path) -> None:
    """A file that was tidied away is lost to it, and said to be; what was published before is set aside."""
    project, exports = _two_files(tmp_path)
    project.roi("nightly", "--exports", exports)
    kept = project.root / "data" / "archive" / "exports"
    before = (kept / "edition-0001.zip").read_bytes()
    (exports / "b.csv").unlink()
    said = project.roi("nightly", "--rebuild", "--exports", exports, exit_code=3).stdout
    told = f"1 file was loaded before and not read again, for {exports} does not hold it any more: b.csv; put it back"
    assert f"{told}, then make rebuild EXPORTS=exports" in said
    assert (kept / "before-1" / "edition-0001.zip").read_bytes() == before
    assert project.json("edition", "verify", "--exports", exports)["wrong"] == {}
    (kept / "edition-0001.zip").unlink()
    found = project.json("edition", "verify", "--exports", exports, exit_code=1)["wrong"]
    assert found == {"edition-0001.zip": "is missing"}


def test_a_rebuild_tells_of_rows_that_were_overwritten(tmp_path: Path) -> None:
    """As by mended rows copied over their file; not what stands elsewhere, grew, or is counted with another file."""
    project, exports = _two_files(tmp_path)
    project.roi("nightly", "--exports", exports)
    kept, grown = (exports / "a.csv").read_text("utf-8"), (exports / "b.csv").read_text("utf-8")
    (exports / "a.csv").write_text(f"{HEADER}\n{GOOD[0]}\n", "utf-8")
    (exports / "a-old.csv").write_text(kept, "utf-8")
    (exports / "b.csv").write_text(grown + GOOD[0].replace("dep-1", "dep-99") + "\n", "utf-8")
    project.roi("nightly", "--rebuild", "--exports", exports)
    (exports / "b.csv").write_text(f"{HEADER}\n{GOOD[2]}\n", "utf-8")
    said = project.roi("nightly", "--rebuild", "--exports", exports, exit_code=3).stdout
    rows = len(GOOD[2:]) + 1
    told = f"b.csv gave {rows} rows before and gives 1 now; what it held before is no longer among the exports"
    assert f"{told}: put it back under another name, then make rebuild EXPORTS=exports" in said
    assert "a.csv gave" not in said


def test_a_folder_that_lies_empty_is_told(tmp_path: Path) -> None:
    """As one that is not mounted tonight: the edition stands, and the run says so."""
    project, exports = _two_files(tmp_path)
    project.roi("nightly", "--exports", exports)
    for path in exports.iterdir():
        path.unlink()
    said = project.roi("nightly", "--exports", exports, exit_code=3).stdout
    assert f"{exports} holds no file, where 2 made edition 1: is it the folder that was meant" in said


def test_advice_in_a_folder_without_makefile_is_what_can_be_typed_there(tmp_path: Path) -> None:
    """As in a folder of one's own, which has the catalogue and no Makefile."""
    project, exports = _two_files(tmp_path)
    project.roi("nightly", "--exports", exports)
    (project.root / "Makefile").unlink()
    (project.root / "data" / "secrets" / "pseudonym.key").unlink()
    for words in (["nightly"], ["doctor"]):
        done = project.roi(*words, "--exports", exports, exit_code=1)
        assert "is not there, and the pseudonyms in " in done.stdout + done.stderr
        assert "a new pseudonym: roi nightly --rebuild --exports exports\n" in done.stdout + done.stderr
    assert not (project.root / "data" / "secrets" / "pseudonym.key").exists()
    (exports / "c.csv").write_text(f"{HEADER}\n{GOOD[0].replace('success', 'failed')}\n", "utf-8")
    project.roi("nightly", "--rebuild", "--exports", exports, exit_code=3)
    (entry,) = project.json("quarantine", "list", "--exports", exports)
    assert entry["next_step"].endswith("put it into the file it came from, and roi nightly --rebuild --exports exports")
    page = " ".join((project.reports / "run.html").read_text(encoding="utf-8").split())
    assert "put it back under the same name, run roi nightly --exports exports" in page
    sample = project.roi("nightly", exit_code=1).stderr
    assert "run `roi sample`, or name your folder: roi nightly --exports dir" in sample
    none = project.roi("explain", "mttr", exit_code=1).stderr
    assert "Run roi nightly first, which makes one of the sample, or roi nightly --exports dir for exports of" in none


def _two_files(tmp_path: Path) -> tuple[Project, Path]:
    """A project with two files of deployments."""
    project = Project.new(tmp_path / "project")
    exports = project.root / "exports"
    exports.mkdir()
    for name, rows in (("a.csv", GOOD[:2]), ("b.csv", GOOD[2:])):
        (exports / name).write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")
    return project, exports


def test_outputs_are_for_their_owner_alone(project: Project) -> None:
    """Key, warehouse, received files and pages carry no rights for others."""
    private = [
        project.root / "data" / "secrets" / "pseudonym.key",
        *(project.root / "data" / "warehouse").glob("*.duckdb"),
    ]
    private += [path for path in (project.root / "data" / "received").rglob("*") if path.is_file()]
    assert len(private) > 2
    private += [path for path in project.reports.rglob("*") if path.is_file()]
    assert {oct(path.stat().st_mode & 0o077) for path in private} == {"0o0"}


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_cannot_be_written_is_named_first(project: Project) -> None:
    """Before any work: the folder, and the right that is missing."""
    warehouse = project.root / "data" / "warehouse"
    warehouse.chmod(0o500)
    try:
        done = project.roi("nightly", "--exports", _exports(project), exit_code=1)
    finally:
        warehouse.chmod(0o700)
    assert "S002  cannot be written to" in done.stderr


def test_a_warehouse_of_an_older_version_is_not_gone_on_with(project: Project) -> None:
    """A table that has gained a column since: said with the table, the column and the way out; nothing is published."""
    held = project.root / "data" / "warehouse" / "exports.duckdb"
    aside = held.read_bytes()
    with duckdb.connect(str(held)) as con:
        con.execute("ALTER TABLE core.deployments DROP COLUMN service")
    exports = project.root / "exports"
    (exports / "deployments-9.csv").write_text("\n".join([HEADER, GOOD[0].replace("dep-1", "dep-99")]) + "\n", "utf-8")
    before = project.digests()
    try:
        done = project.roi("nightly", "--exports", _exports(project), exit_code=2)
    finally:
        held.write_bytes(aside)
        (exports / "deployments-9.csv").unlink()
    assert "exports.duckdb:deployments" in done.stderr
    assert "S005  the table lacks service; expected the columns of docs/tables.md" in done.stderr
    assert "anew from the exports: make rebuild EXPORTS=exports\n" in done.stderr
    assert project.digests() == before


def test_a_folder_that_holds_the_project_is_no_folder_of_exports(project: Project) -> None:
    """Everything there would be copied into the project, the project itself among it."""
    done = project.roi("nightly", "--exports", project.root.parent, exit_code=1)
    assert f"{project.root.parent}  S008  holds the project itself" in done.stderr


def test_columns_set_apart_by_semicolons_are_named(project: Project, tmp_path: Path) -> None:
    """A spreadsheet of half of Europe writes them; `deployments` is known by the name of its file."""
    odd = tmp_path / "deployments-1.csv"
    odd.write_text(HEADER.replace(",", ";") + "\n" + GOOD[0].replace(",", ";") + "\n", "utf-8")
    (found,) = project.json("sources", "probe", odd, exit_code=1)
    assert "its columns are set apart by semicolons where the mapping says commas; " in found["note"]
    copied = 'copy pipeline/sources/deployments_csv.yaml into sources/ and set `delimiter: ";"` there'
    assert copied in found["note"]
    project.roi("sources", "probe", odd, "--draft", tmp_path / "draft.yaml")
    assert 'reader: csv\ndelimiter: ";"\n' in (tmp_path / "draft.yaml").read_text("utf-8")


def test_rows_that_cannot_be_written_say_where_and_what_to_do(project: Project, tmp_path: Path) -> None:
    """A place that is a folder, as DuckDB refuses one that is read-only to this user."""
    (tmp_path / "rows.csv").mkdir()
    options = ("--rows", tmp_path / "rows.csv", "--exports", _exports(project))
    done = project.roi("explain", "deployment_frequency", *options, exit_code=1)
    assert "rows.csv" in done.stderr and "A fault of genai-roi" not in done.stderr


def test_doctor_opens_the_warehouse(project: Project) -> None:
    """One that is there and is none is told."""
    held = project.root / "data" / "warehouse" / "exports.duckdb"
    aside = held.read_bytes()
    held.write_bytes(b"rubbish")
    try:
        done = project.roi("doctor", "--exports", _exports(project), exit_code=1)
    finally:
        held.write_bytes(aside)
    assert f"BAD  warehouse: {held} cannot be opened" in done.stdout
    assert "Run `make rebuild EXPORTS=exports` to build it anew" in done.stdout


READING = (
    "nightly", "report", "explain mttr", "explain net_benefit", "edition list", "edition show 1", "edition diff 1 1",
    "quarantine list", "quarantine show x", "quarantine export out", "quarantine retry", "assumptions list",
    "reconcile", "what-if --set realisation=0.5",
)  # fmt: skip


def test_a_broken_warehouse_is_told_with_the_command_that_mends_it(project: Project) -> None:
    """Whichever command meets it: the folder of exports is named, for make rebuild alone would rebuild the sample."""
    held = project.root / "data" / "warehouse" / "exports.duckdb"
    aside = held.read_bytes()
    held.write_bytes(b"rubbish")
    try:
        for words in READING:
            said = project.roi(*words.split(), "--exports", _exports(project), exit_code=1).stderr
            assert "cannot be opened" in said and "Run `make rebuild EXPORTS=exports` to build it anew" in said, words
    finally:
        held.write_bytes(aside)


@pytest.mark.parametrize(
    ("folder", "told"),
    [("data/exports/sample", "make rebuild"), ("my exports", "make rebuild EXPORTS='my exports'"),
     ("../other", "make rebuild EXPORTS={beside}/other")],
)  # fmt: skip
def test_the_command_that_rebuilds_can_be_copied(tmp_path: Path, folder: str, told: str) -> None:
    """The sample needs no folder, one of the project is named as it is typed, with quotes where a shell needs them."""
    root, told = tmp_path / "project", told.replace("{beside}", str(tmp_path))
    root.mkdir()
    (root / "Makefile").touch()
    chosen = Settings(root=root, exports=Path(os.path.normpath(root / folder)), now=datetime(2026, 11, 1, tzinfo=UTC))
    assert chosen.rebuilding == told
    assert chosen.running == told.replace("make rebuild", "make nightly")


@pytest.mark.parametrize(
    ("key", "code", "said"),
    [(b"", 1, "S006  found 0 bytes, expected 32"), (b"short", 1, "S006  found 5 bytes, expected 32"),
     (b"k" * 32, 2, "S007  found another key than the one that the pseudonyms in this warehouse were made with")],
)  # fmt: skip
def test_a_key_that_is_damaged_or_another_is_refused(project: Project, key: bytes, code: int, said: str) -> None:
    """Pseudonyms of an empty key could be worked out by anybody, and with another one everybody is somebody else."""
    held = project.root / "data" / "secrets" / "pseudonym.key"
    aside, late = held.read_bytes(), project.root / "exports" / "deployments-9.csv"
    late.write_text("\n".join([HEADER, GOOD[0].replace("dep-1", "dep-99")]) + "\n", "utf-8")
    before = project.digests()
    try:
        held.write_bytes(key)
        done = project.roi("nightly", "--exports", _exports(project), exit_code=code)
        doctor = project.roi("doctor", "--exports", _exports(project), exit_code=1 if len(key) < 32 else 0)
    finally:
        held.write_bytes(aside)
        late.unlink()
    assert said in done.stderr and "make rebuild EXPORTS=exports" in done.stderr
    assert ("expected 32; put the old one back" in doctor.stdout + doctor.stderr) == (len(key) < 32)
    assert project.digests() == before


def test_two_folders_of_one_name_are_kept_apart(project: Project, tmp_path: Path) -> None:
    """Another organisation's folder called `exports` is refused before a row of it is taken in."""
    other = tmp_path / "exports"
    other.mkdir()
    (other / "deployments.csv").write_text("\n".join([HEADER, GOOD[0].replace("dep-1", "dep-77")]) + "\n", "utf-8")
    before = project.digests()
    done = project.roi("nightly", "--exports", other, exit_code=2)
    assert f"S004  found exports, expected {other}; give one of the folders another name" in done.stderr
    assert project.digests() == before


def test_what_is_mended_is_no_longer_open(project: Project) -> None:
    """A row that broke its contract is told of on every night until a newer file of that name is loaded."""
    rows = [row.replace("dep-", "new-") for row in GOOD * 4]
    rows = [row.replace("new-", f"new-{i}-") for i, row in enumerate(rows)]
    _write(project, "deployments-3.csv", [rows[0].replace("success", "?"), *rows[1:]])
    assert (
        project.json("nightly", "--exports", _exports(project), exit_code=3)["still_quarantined"] == "1 row quarantined"
    )
    assert "Still 1 row quarantined" in project.roi("nightly", "--exports", _exports(project)).stdout
    _write(project, "deployments-3.csv", rows)
    mended = project.json("nightly", "--exports", _exports(project))
    assert (mended["still_quarantined"], mended["rows"]["loaded"], mended["rows"]["duplicate"]) == ("", 1, 11)
