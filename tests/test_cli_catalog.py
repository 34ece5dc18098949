"""The catalogue's commands, and what another catalogue does to the numbers of a real, small warehouse."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from engine_room import empty, fill, values
from jsonschema import Draft202012Validator
from project import Project
from typer.testing import CliRunner

from pipeline import comparison
from pipeline.assurance import bound_facts
from pipeline.catalog.document import parse_document
from pipeline.catalog.hashes import catalog_hash
from pipeline.catalog.load import load_catalog
from pipeline.catalog.model import Catalog
from pipeline.catalog.reference import errors_page, keys_page
from pipeline.cli import app
from pipeline.comparison import Comparison, KpiNumbers, Told, compare
from pipeline.comparison_text import as_markdown, as_text
from pipeline.engine.editions import create_editions, store_edition
from pipeline.errors import ConfigurationError, RoiError
from pipeline.facts import create_views
from pipeline.settings import Settings, settings
from pipeline.warehouse.connection import create_schemas, warehouse
from pipeline.warehouse.lock import run_lock

SMALL = """\
version: 1
roles:
  ops: {title: Operations, layer: build_operate, tier: 1, question: Does it stay up?}
metrics:
  failures:
    name: Failures
    owner: ops
    question: Which share of deployments failed?
    kind: ratio
    fact: deployments
    numerator: sum(is_failed)
    denominator: count(*)
    unit: ratio
    direction: down
    cadence: monthly
    dimensions: [service]
    min_n: 1
    interval: exact
    target: {at_most: 0.3, since: 2026-01-01, source: a plan}
    leaves_out: Cancelled ones.
    pitfall: Incidents are not deployments.
  served:
    name: Served
    owner: ops
    question: How many requests were served?
    kind: total
    fact: availability_windows
    total: sum(good)
    unit: count
    direction: up
    cadence: monthly
    min_n: 1
    interval: exact
    leaves_out: Maintenance.
    pitfall: None known.
"""
OF_CODE = ("numerator: sum(is_failed)", "numerator: sum(is_failed) where change_type = 'code'")
AIM = ("at_most: 0.3", "at_most: 0.6")
MORE = "min_n: 3\n    interval: exact\n    target"
VALID = ("total: sum(good)", "total: sum(valid)")
KEY = ["grain", "period_start", "period_end", "dimension", "dimension_value"]

# service, day, what was deployed, how it ended
DEPLOYED = [
    ("api", "2026-09-10", "code", "failed"), ("api", "2026-09-20", "prompt", "success"),
    ("api", "2026-10-05", "code", "failed"), ("api", "2026-10-06", "prompt", "rolled_back"),
    ("web", "2026-10-07", "code", "success"), ("web", "2026-10-31", "model", "success"),
]  # fmt: skip


def fill_all(con: Any) -> None:
    """Six deployments and two days of availability."""
    for number, (service, day, change, result) in enumerate(DEPLOYED):
        at = f"{day} 10:00:00Z"
        fill(con, "deployments", {"deployment_id": f"d{number}", "service": service, "change_type": change,
                                  "environment": "production", "started_at": at, "finished_at": at,
                                  "result": result})  # fmt: skip
    for day, good in (("2026-09-10", 90), ("2026-10-05", 80)):
        fill(con, "availability", {"service": "api", "window_start": f"{day} 00:00:00Z", "good": good, "valid": 100})


def publish(root: Path, catalog: Catalog) -> None:
    """Put a warehouse with one edition under this catalogue in place."""
    path = root / "data" / "warehouse" / "exports.duckdb"
    path.parent.mkdir(parents=True, exist_ok=True)
    with warehouse(path, threads=1) as con:
        create_schemas(con)
        create_views(con)
        fill_all(con)
        frame = values(con, catalog)
        create_editions(con)
        store_edition(con, frame, as_of="2026-10-31", catalog_hash=catalog_hash(catalog), input_hash="i", run_id=1,
                      why="", notes={})  # fmt: skip
        con.execute("CHECKPOINT")


def catalog_of(folder: Path, *changes: tuple[str, str]) -> Path:
    """A file with the small catalogue, changed."""
    text = SMALL
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / f"catalog-{hashlib.sha256(text.encode()).hexdigest()[:8]}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose small catalogue has been published."""
    root = tmp_path_factory.mktemp("catalog") / "project"
    root.mkdir()
    shutil.copyfile(catalog_of(root), root / "metrics_catalog.yaml")
    publish(root, load_catalog(root / "metrics_catalog.yaml"))
    return root


@pytest.fixture(scope="module")
def facts() -> dict[str, dict[str, str]]:
    """The columns of every fact."""
    return bound_facts()


@pytest.fixture
def chosen(published: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of the published project; its catalogue is put back afterwards."""
    monkeypatch.setenv("ROI_ROOT", str(published))
    return settings(exports=published / "exports")


def under(
    chosen: Settings, facts: dict[str, dict[str, str]], *changes: tuple[str, str], old: Path | None = None
) -> Any:
    """The project's catalogue changed, compared with the published one or another."""
    before = chosen.catalog.read_bytes()
    shutil.copyfile(catalog_of(chosen.root, *changes), chosen.catalog)
    try:
        return compare(chosen, str(old or catalog_of(chosen.root)), facts=facts)
    finally:
        chosen.catalog.write_bytes(before)


def kpis(found: Comparison) -> dict[str, KpiNumbers]:
    """The numbers by KPI."""
    assert found.numbers is not None, found.why_not
    return {one.change.id: one for one in found.numbers.kpis}


def told(side: Told | None) -> tuple[float | None, str]:
    """Value and verdict."""
    assert side is not None
    return side.value, side.verdict


def test_old_and_new_values_stand_side_by_side(chosen: Settings, facts: Any) -> None:
    """October had 2 failures of 4 deployments, 1 of them of code; September 1 of 2, and that was code."""
    found = under(chosen, facts, OF_CODE)
    numbers = kpis(found)
    assert [*numbers] == ["failures"]
    september, october = numbers["failures"].periods
    assert (october.start, october.end) == (date(2026, 10, 1), date(2026, 11, 1))
    assert (told(september.old), told(september.new)) == ((1 / 2, "missed"), (1 / 2, "missed"))
    assert (told(october.old), told(october.new)) == ((2 / 4, "missed"), (1 / 4, "met"))
    assert found.numbers.edition == 1
    assert found.numbers.as_of == ("2026-10-31", "2026-10-31")


def alone(path: Path) -> pd.DataFrame:
    """The values of the small KPI in a warehouse that knows this catalogue only."""
    with empty() as con:
        fill_all(con)
        frame = values(con, load_catalog(path))
    return frame[frame["kpi_id"] == "failures"].set_index(KEY).sort_index()


@pytest.mark.parametrize("change", [OF_CODE, ("min_n: 1\n    interval: exact\n    target", MORE), AIM], ids=str)
def test_the_counts_are_those_of_two_warehouses(chosen: Settings, facts: Any, change: tuple[str, str]) -> None:
    """What differs is what differs between two warehouses, each of which knows one of the catalogues only."""
    found = kpis(under(chosen, facts, change))["failures"]
    one, other = alone(catalog_of(chosen.root)), alone(catalog_of(chosen.root, change))
    assert list(one.index) == list(other.index)
    counts = {}
    for name in ("value", "status", "verdict"):
        pairs = zip(one[name], other[name], strict=True)
        counts[name] = sum(old != new and not (pd.isna(old) and pd.isna(new)) for old, new in pairs)
    assert {"value": found.differing, "status": found.statuses, "verdict": found.verdicts} == counts
    assert found.compared == len(one)
    assert sum(counts.values()) > 0


def test_a_target_moves_verdicts_and_no_value(chosen: Settings, facts: Any) -> None:
    """With at most 0.6 in place of 0.3, one half is met; every value is what it was."""
    numbers = kpis(under(chosen, facts, AIM))["failures"]
    assert (numbers.differing, numbers.change.effect) == (0, "verdicts")
    assert told(numbers.periods[-1].old) == (0.5, "missed")
    assert told(numbers.periods[-1].new) == (0.5, "met")


def test_prose_computes_nothing(chosen: Settings, facts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither definition nor target differs, the warehouse is not even copied."""
    monkeypatch.setattr(comparison, "_copy", lambda _: pytest.fail("copied"))
    found = under(chosen, facts, ("pitfall: None known.", "pitfall: Known."))
    assert kpis(found) == {}
    assert "No definition and no target differs, so every number of edition 1 of exports stands." in as_text(found)


def test_kpis_that_come_and_go_have_one_side(chosen: Settings, facts: Any) -> None:
    """A renamed KPI is one that went and one that came: 80 requests in October, on one side each."""
    found = under(chosen, facts, ("  served:\n", "  answered:\n"))
    numbers = kpis(found)
    assert [*numbers] == ["answered", "served"]
    came, went = numbers["answered"], numbers["served"]
    assert (came.compared, came.only_old, went.only_new) == (0, 0, 0)
    assert came.only_new == went.only_old > 0
    assert (told(came.periods[-1].new), came.periods[-1].old) == ((80.0, ""), None)
    assert (told(went.periods[-1].old), went.periods[-1].new) == ((80.0, ""), None)
    text = as_text(found)
    assert f"answered: {came.only_new} values are only in the new" in text
    assert "    2026-10-01 to 2026-10-31  nothing  80   no target\n" in text


def test_it_does_not_matter_which_catalogue_was_published(tmp_path: Path, facts: Any, monkeypatch: Any) -> None:
    """Published under the new catalogue in place of the old one: the same numbers, the same way round."""
    monkeypatch.setenv("ROI_ROOT", str(tmp_path))
    new = catalog_of(tmp_path, OF_CODE, VALID)
    shutil.copyfile(new, tmp_path / "metrics_catalog.yaml")
    publish(tmp_path, load_catalog(new))
    numbers = kpis(compare(settings(exports=tmp_path / "exports"), str(catalog_of(tmp_path)), facts=facts))
    assert [told(side) for side in (numbers["failures"].periods[-1].old, numbers["failures"].periods[-1].new)] == [
        (0.5, "missed"),
        (0.25, "met"),
    ]
    assert [told(pair.old)[0] for pair in numbers["served"].periods] == [90, 80]
    assert [told(pair.new)[0] for pair in numbers["served"].periods] == [100, 100]


def test_nothing_is_touched_and_nobody_waited_for(
    chosen: Settings, facts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a run holds the lock: the same bytes of the warehouse, no file beside it, and no copy left behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with run_lock(chosen.lock):
        before = {path: path.read_bytes() for path in chosen.warehouse.parent.iterdir()}
        assert kpis(under(chosen, facts, OF_CODE))["failures"].differing > 0
        assert {path: path.read_bytes() for path in chosen.warehouse.parent.iterdir()} == before
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told(chosen: Settings, facts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the copy finds no room: the folder, the size, and what to do."""
    copy = shutil.copyfile

    def full(source: Path, target: Path) -> Path:
        if str(source).endswith(".duckdb"):
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        return Path(copy(source, target))

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(RoiError, match=r"no room for a copy of the warehouse .* set TMPDIR to a folder that has"):
        under(chosen, facts, OF_CODE)


def test_without_data_the_reason_is_told(tmp_path: Path, facts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A KPI that no export feeds any more is not available, with the reason, and never 0."""
    monkeypatch.setenv("ROI_ROOT", str(tmp_path))
    requests = (
        "fact: availability_windows\n    total: sum(good)",
        "fact: screened_outputs\n    total: sum(is_flagged)",
    )
    shutil.copyfile(catalog_of(tmp_path, requests), tmp_path / "metrics_catalog.yaml")
    publish(tmp_path, load_catalog(catalog_of(tmp_path)))
    found = compare(settings(exports=tmp_path / "exports"), str(catalog_of(tmp_path)), facts=facts)
    october = kpis(found)["served"].periods[-1]
    assert (told(october.old), told(october.new)) == ((80.0, ""), (None, ""))
    assert "  80   not available (no export fills " in as_text(found)


def test_all_problems_of_both_catalogues_are_told(chosen: Settings, facts: Any) -> None:
    """Each under the name of its file; nothing is compared."""
    old = catalog_of(chosen.root, ("owner: ops\n    question: Which", "owner: opps\n    question: Which"))
    with pytest.raises(ConfigurationError, match="2 problems; nothing was compared") as caught:
        under(chosen, facts, ("unit: count", "unit: h"), ("    pitfall: None known.\n", ""), old=old)
    (first, second) = caught.value.problems
    assert (first.where, first.code) == (f"{old}:7:5", "C020")
    assert (second.where, second.code) == ("metrics_catalog.yaml:22:3", "C011")


def test_an_outgrown_catalogue_is_compared_by_its_definitions(chosen: Settings, facts: Any) -> None:
    """A column that was renamed since is no mistake of the old catalogue, but gives it no numbers; of the new it is."""
    old = catalog_of(chosen.root, ("sum(is_failed)", "sum(has_failed)"))
    found = under(chosen, facts, old=old)
    assert [one.id for one in found.definitions.records] == ["failures"]
    assert found.numbers is None
    assert found.why_not.startswith("The old catalogue does not fit the facts of today (")
    assert "C032" in found.why_not
    with pytest.raises(ConfigurationError, match="1 problem; nothing was compared"):
        under(chosen, facts, ("sum(is_failed)", "sum(has_failed)"))


def test_numbers_in_a_pull_request(chosen: Settings, facts: Any) -> None:
    """A row per KPI with the newest period, and the others folded away."""
    page = as_markdown(under(chosen, facts, OF_CODE))
    assert "| `failures` | " in page
    assert "| 2026-10-01 to 2026-10-31 | 0.5 | 0.25 | missed → met |" in page
    assert "<details><summary><code>failures</code>, month in total</summary>\n\n| Period |" in page
    assert "| 2026-09-01 to 2026-09-30 | 0.5 | 0.5 | missed |" in page


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with the small catalogue in a git checkout, and no warehouse."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    project = Project.new(tmp_path_factory.mktemp("cli") / "project")
    (project.root / "metrics_catalog.yaml").write_text(SMALL, encoding="utf-8")
    for words in (("init",), ("add", "."), ("commit", "-m", "small")):
        who = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
        subprocess.run(["git", *who, *words], cwd=project.root, check=True, capture_output=True)
    return project


def test_the_schema_is_printed_or_written(project: Project, tmp_path: Path) -> None:
    """To the terminal, or into a file that an editor is pointed to; both accept the catalogue."""
    printed = project.json("catalog", "schema")
    out = tmp_path / "catalog.schema.json"
    assert CliRunner().invoke(app, ["catalog", "schema", "--out", str(out)]).stdout == f"Written: {out}\n"
    assert json.loads(out.read_text(encoding="utf-8")) == printed
    Draft202012Validator(printed).validate(parse_document(SMALL, file="").data)


def test_an_example_is_printed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A KPI of the catalogue, a kind, and for any other word what was meant."""
    monkeypatch.setenv("ROI_ROOT", str(project.root))
    shown, template = (CliRunner().invoke(app, ["catalog", "example", *words]) for words in
                       (["served"], ["total", "--json"]))  # fmt: skip
    assert shown.stdout.startswith("  served:\n    name: Served\n")
    assert json.loads(template.stdout)["yaml"].startswith("  your_total:\n    kind: total ")
    refused = project.roi("catalog", "example", "serverd", exit_code=2)
    assert "E005  found 'serverd'; did you mean served?" in refused.stderr


def test_a_difference_is_printed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a revision, without a warehouse: the definitions, and that there are no numbers."""
    monkeypatch.setenv("ROI_ROOT", str(project.root))
    file = project.root / "metrics_catalog.yaml"
    file.write_text(SMALL.replace(*AIM), encoding="utf-8")
    try:
        text = project.roi("catalog", "diff", "HEAD").stdout
        record, page, both = (CliRunner().invoke(app, ["catalog", "diff", "HEAD", *words]) for words in
                              (["--json"], ["--markdown"], ["--json", "--markdown"]))  # fmt: skip
    finally:
        file.write_text(SMALL, encoding="utf-8")
    assert text.startswith("metrics_catalog.yaml against HEAD:metrics_catalog.yaml: 1 KPI differs\n")
    assert "    target.at_most: 0.3 -> 0.6\n" in text
    assert text.endswith("\nThere is no warehouse sample.duckdb yet, so only definitions are compared.\n")
    assert [one["id"] for one in json.loads(record.stdout)["definitions"]["records"]] == ["failures"]
    assert "| `target.at_most`: `0.3 -> 0.6` |" in page.stdout
    assert (both.exit_code, "exclude each other" in both.stderr) == (2, True)


def test_broken_catalogues_are_told_as_the_check_tells_them(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line per problem and how many on standard output, exit 2; the same as JSON, and as a list in Markdown."""
    monkeypatch.setenv("ROI_ROOT", str(project.root))
    file = project.root / "metrics_catalog.yaml"
    file.write_text(SMALL.replace("total: sum(good)", "total: sum(god)"), encoding="utf-8")
    try:
        text, record, page = (CliRunner().invoke(app, ["catalog", "diff", "HEAD", *words]) for words in
                              ([], ["--json"], ["--markdown"]))  # fmt: skip
    finally:
        file.write_text(SMALL, encoding="utf-8")
    assert [one.exit_code for one in (text, record, page)] == [2, 2, 2]
    line, count = text.stdout.splitlines()
    where = f"metrics_catalog.yaml:{SMALL[: SMALL.index('total: sum')].count(chr(10)) + 1}:5"
    assert line.startswith(f"{where}  C032  found column 'god' in total") and count == "1 problem"
    told = json.loads(record.stdout)
    assert (told["ok"], [one["code"] for one in told["problems"]]) == (False, ["C032"])
    assert page.stdout.startswith("### HEAD:metrics_catalog.yaml") and f"- `{where}` C032: found column" in page.stdout


def test_the_module_is_the_command(project: Project) -> None:
    """`python -m pipeline.cli` says what `roi` says."""
    asked = ("catalog", "example", "served")
    said = [
        subprocess.run(words, env=project.environment(), capture_output=True, text=True, check=True).stdout
        for words in ([sys.executable, "-m", "pipeline.cli", *asked], project.command(*asked))
    ]
    assert [*said, project.roi(*asked).stdout] == said[:1] * 3 != [""] * 3


def test_a_wrong_revision_is_refused(project: Project) -> None:
    """Exit 2, what was found, and no traceback."""
    assert "REV  E006  found 'HEAD~7': it is neither" in project.roi("catalog", "diff", "HEAD~7", exit_code=2).stderr


def test_the_pages_about_the_catalogue_are_generated(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and codes come from the declarations, and a page that was edited by hand is told."""
    monkeypatch.setenv("ROI_ROOT", str(project.root))
    assert CliRunner().invoke(app, ["catalog", "docs"]).exit_code == 0
    docs = project.root / "docs"
    assert (docs / "catalog-keys.md").read_text(encoding="utf-8") == keys_page()
    assert (docs / "catalog-errors.md").read_text(encoding="utf-8") == errors_page()
    (docs / "catalog-errors.md").write_text("other", encoding="utf-8")
    assert "catalog-errors.md  D001" in project.roi("catalog", "docs", "--check", exit_code=2).stderr


def test_facts_are_listed_with_what_their_columns_fit() -> None:
    """One fact by name, all without one, and near misses are told."""
    one = CliRunner().invoke(app, ["catalog", "facts", "session_costs"])
    assert one.exit_code == 0
    assert "read from calls, sessions, prices" in one.stdout
    assert "cost_usd       DECIMAL(38,12) in USD: sum, value of a mean, median or percentile, condition" in one.stdout
    assert "session_key    VARCHAR: distinct, cluster, condition" in one.stdout
    told = json.loads(CliRunner().invoke(app, ["catalog", "facts", "--json"]).stdout)["facts"]
    assert [record["fact"] for record in told] == sorted(bound_facts())
    assert all(record["columns"] and record["meaning"] for record in told)
    missed = CliRunner().invoke(app, ["catalog", "facts", "sesion_costs"])
    assert isinstance(missed.exception, ConfigurationError)
    assert "did you mean session_costs?" in str(missed.exception.problems[0])
