"""A target holds from its day on: a period is judged by the one of its last day, and by none before the first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from engine_room import CATALOG, empty, fill, value, values
from test_reports_edition import edition

from pipeline.archive import diff
from pipeline.catalog.difference import difference
from pipeline.catalog.hashes import definition_hash
from pipeline.catalog.load import load_catalog
from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.catalog.target import Target, in_force, read, written
from pipeline.engine.editions import create_editions
from pipeline.reports import charts, formats, rows, words
from pipeline.reports.worse import worse
from pipeline.roi.kpis import _verdict
from pipeline.targets import retarget, target_lines

PEOPLE = ("ann", "bea", "cyd", "dan", "eve")


def aim(since: str, **side: str) -> Target:
    """A target since a day."""
    return Target.model_validate({"since": date.fromisoformat(since), "source": "a plan", **{
        name: Decimal(number) for name, number in side.items()}})  # fmt: skip


def aimed(kpi_id: str, *targets: Target, catalog: Catalog = CATALOG) -> Catalog:
    """The catalogue with other targets of one KPI, the oldest first."""
    change = {"target": targets[-1] if targets else None, "earlier_targets": targets[:-1]}
    return catalog.model_copy(
        update={"metrics": {**catalog.metrics, kpi_id: catalog.metrics[kpi_id].model_copy(update=change)}}
    )


def test_which_target_holds() -> None:
    """The newest whose day has come; on the day itself it holds."""
    loose, tight = aim("2026-03-01", at_least="0.2"), aim("2026-04-01", at_least="0.5")
    days = ("2026-02-28", "2026-03-01", "2026-03-31", "2026-04-01", "2030-01-01")
    assert [in_force((loose, tight), date.fromisoformat(day)) for day in days] == [None, loose, loose, tight, tight]
    assert in_force((), date(2026, 3, 1)) is None


@pytest.fixture(scope="module")
def adoption() -> dict[str, pd.DataFrame]:
    """Two of five people active on each of eight days, judged by two targets that follow each other, and by none."""
    usage = [
        {"person_id": name, "product": "copilot", "feature": "chat", "date": day, "active": name in ("ann", "bea")}
        for name in PEOPLE for day in (f"2026-03-0{number}" for number in range(1, 9))
    ]  # fmt: skip
    with empty() as con:
        fill(con, "entitlements", *({"person_id": one, "product": "copilot", "valid_from": "2026-03-01"} for one in
                                    PEOPLE))  # fmt: skip
        fill(con, "usage_daily", *usage)
        two = aimed("adoption_rate", aim("2026-03-02", at_least="0.5"), aim("2026-03-03", at_least="0.3"))
        return {"two": values(con, two), "none": values(con, aimed("adoption_rate"))}


@pytest.mark.parametrize(
    ("grain", "start", "verdict"),
    [
        ("day", "2026-03-01", ""),  # nobody had set one
        ("day", "2026-03-02", "missed"),  # 0.4 under at least 0.5
        ("day", "2026-03-03", "met"),  # 0.4 under at least 0.3
        ("week", "2026-02-23", ""),  # its last day is the first of March
        ("week", "2026-03-02", "met"),  # what holds on the eighth judges it
        ("month", "2026-03-01", "inconclusive"),  # provisional
    ],
)
def test_a_period_is_judged_by_the_target_of_its_last_day(
    adoption: Mapping[str, pd.DataFrame], grain: str, start: str, verdict: str
) -> None:
    """The same share, 0.4, under three targets."""
    row = value(adoption["two"], "adoption_rate", grain, start)
    assert (row["value"], row["verdict"]) == (pytest.approx(0.4), verdict)


def test_targets_change_verdicts_and_nothing_else(adoption: Mapping[str, pd.DataFrame]) -> None:
    """Without any target every other column is the same, and so is the definition."""
    two, none = (one.drop(columns="verdict") for one in adoption.values())
    pd.testing.assert_frame_equal(two, none)
    assert set(adoption["none"].loc[adoption["none"]["kpi_id"] == "adoption_rate", "verdict"]) == {""}


def test_a_value_that_cannot_be_judged_is_inconclusive_only_where_a_target_holds() -> None:
    """Five of six people are too few; before the target there is nothing to be inconclusive about."""
    aims = aimed("adoption_rate", aim("2026-03-02", at_least="0.5"))
    metric = aims.metrics["adoption_rate"].model_copy(update={"min_n": 6})
    seat = {"product": "copilot", "valid_from": "2026-03-01"}
    used = {"product": "copilot", "feature": "chat", "active": True}
    with empty() as con:
        fill(con, "entitlements", *({**seat, "person_id": one} for one in PEOPLE))
        days = ("2026-03-01", "2026-03-02")
        fill(con, "usage_daily", *({**used, "person_id": one, "date": day} for one in PEOPLE for day in days))
        found = values(con, aims.model_copy(update={"metrics": {"adoption_rate": metric}}))
    told = [value(found, "adoption_rate", "day", day) for day in ("2026-03-01", "2026-03-02")]
    assert [(row["status"], row["verdict"]) for row in told] == [
        ("insufficient_data", ""), ("insufficient_data", "inconclusive"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("end", "status", "verdict"),
    [
        (date(2026, 5, 1), "computed", ""), (date(2026, 6, 1), "computed", "met"),
        (date(2026, 6, 1), "immature", "inconclusive"), (date(2026, 6, 1), "not_available", ""),
    ],
)  # fmt: skip
def test_the_return_is_judged_by_date_too(end: date, status: str, verdict: str) -> None:
    """An exact value of 3 under at least 2, which holds from the last day of May on."""
    metric = (
        aimed("programme_roi", aim("2026-05-31", at_least="2"))
        .metrics["programme_roi"]
        .model_copy(update={"interval": "exact"})
    )
    row = {"value": 3.0, "interval_low": 3.0, "interval_high": 3.0, "status": status}
    day = date.fromordinal(end.toordinal() - 1)
    assert _verdict(metric.target_on(day), metric, row) == verdict


def test_targets_before_are_no_part_of_the_definition() -> None:
    """They change verdicts; the diff says so, and the hash of what the number means stays."""
    early, late = aim("2026-03-01", at_least="0.5"), aim("2026-03-03", at_least="0.3")
    old, new = aimed("adoption_rate", late), aimed("adoption_rate", early, late)
    (change,) = difference(old, new).records
    assert (change.id, change.effect) == ("adoption_rate", "verdicts")
    assert definition_hash(old.metrics["adoption_rate"]) == definition_hash(new.metrics["adoption_rate"])


def held(data: Any, kpi_id: str) -> AnyMetric:
    """A KPI as pages know it."""
    return rows.indexed(data).catalog.metrics[kpi_id]


def test_pages_tell_the_target_that_holds_and_the_one_to_come() -> None:
    """Before its day a target is named as one to come; afterwards as the target, and the one before it is gone."""
    data = edition()
    now = rows.indexed(data).current("availability")
    assert now is not None
    coming = date.fromordinal(now.end.toordinal())  # the day after the headlined period
    later = aim(coming.isoformat(), at_least="0.9999")
    first = aim("2026-01-01", at_least="0.999")
    both = replace(data, catalog=aimed("availability", first, later, catalog=data.catalog))
    assert words.target(held(both, "availability")) == "at least 99.9\u202f%"
    alone = replace(data, catalog=aimed("availability", later, catalog=data.catalog))
    said = words.target(held(alone, "availability"))
    assert said.startswith("no number set; ")
    assert said.endswith(f"at least 99.99\u202f% from {formats.day(coming)} on")
    assert held(alone, "availability").target is None
    since_then = aimed("availability", first, aim(now.start.isoformat(), at_least="0.9999"), catalog=data.catalog)
    assert words.target(held(replace(data, catalog=since_then), "availability")) == "at least 99.99\u202f%"


def test_a_moved_target_is_no_change_for_the_worse() -> None:
    """Met under the old target and missed under a tighter one: the target moved, not the value."""
    data = edition()
    frame = data.values.copy()
    now = rows.indexed(data).current("availability")
    assert now is not None
    mine = (frame["kpi_id"] == "availability") & (frame["grain"] == now.grain) & (frame["dimension"] == "")
    frame.loc[mine, ["verdict", "signal"]] = ["met", "none"]
    frame.loc[mine & (frame["period_end"] == now.end), "verdict"] = "missed"
    frame.loc[(frame["kpi_id"] == "availability") & (frame["signal"] != ""), "signal"] = "none"
    told = []
    for targets in (
        [aim("2026-01-01", at_least="0.999")],
        [aim("2020-01-01", at_least="0.9"), aim(now.start.isoformat(), at_least="0.999")],
    ):
        changed = replace(data, values=frame, catalog=aimed("availability", *targets, catalog=data.catalog))
        told.append([one.what for one in worse(rows.indexed(changed), ["availability"]).items])
    assert len(told[0]) == 1
    assert "misses it now" in told[0][0]
    assert told[1] == []


def test_the_line_of_the_target_steps_where_it_moved() -> None:
    """No line before the first target, then a step; one that always held is a line through the chart."""
    data = edition()
    series = [row for row in rows.indexed(data).values.series("availability", "month") if row.value is not None]
    assert len(series) >= 3
    starts = [row.start for row in series]
    assert all(one.end == after.start for one, after in pairwise(series))

    def drawn(*targets: Target) -> dict[str, Any]:
        metric = aimed("availability", *targets, catalog=data.catalog).metrics["availability"]
        return next(one for one in charts.figure(series, metric)["data"] if str(one["name"]).startswith("target"))

    last = aim(starts[-1].isoformat(), at_least="0.999")
    stepped = drawn(aim(starts[-2].isoformat(), at_least="0.99"), last)
    assert stepped["x"] == [*(one.isoformat() for one in starts), series[-1].end.isoformat()]
    assert stepped["y"] == [*[None] * (len(series) - 2), 0.99, 0.999, 0.999]
    assert stepped["name"] == "target: at least 99.9\u202f%; before, at least 99\u202f%"
    assert drawn(aim("2020-01-01", at_least="0.999"))["y"] == [0.999, 0.999]


@pytest.mark.parametrize(
    ("kept", "verdicts", "line"),
    [
        (  # the edition was judged by a target that the catalogue does not have any more
            [aim("2026-09-01", at_least="0.15"), aim("2027-01-01", at_least="0.9")], [("", ""), ("met", "missed")],
            "deflection_rate: at least 0.15 -> at least 0.3, since 2026-09-01; 1 of 2 verdicts change",
        ),
        (  # one that is to come was no target yet, so every value is judged
            [aim("2027-01-01", at_least="0.9")], [("", "missed"), ("met", "missed")],
            "deflection_rate: no target -> at least 0.3; 2 of 2 verdicts change",
        ),
        (  # an edition of before kept none, so that of the catalogue is taken
            None, [("", ""), ("met", "missed")],
            "deflection_rate: at least 0.1 -> at least 0.3, since 2026-08-31; 1 of 2 verdicts change",
        ),
    ],
)  # fmt: skip
def test_another_target_judges_from_the_day_of_the_one_it_replaces(
    kept: list[Target] | None, verdicts: list[tuple[str, str]], line: str
) -> None:
    """What if: values of periods before that day keep their verdicts; what held is told by the edition."""
    notes = {} if kept is None else {"dated_targets": {"deflection_rate": written(kept)}}
    assert kept is None or read(written(kept)) == tuple(kept)
    with empty() as con:
        create_editions(con)
        con.execute("INSERT INTO kpi.editions (number, as_of, notes) VALUES (1, '2026-09-30', ?)", [json.dumps(notes)])
        for start, end, word in (("2026-08-01", "2026-08-31", ""), ("2026-09-01", "2026-10-01", "met")):
            con.execute(
                "INSERT INTO kpi.values (kpi_id, grain, period_start, period_end, dimension, dimension_value, value, "
                "unit, interval_low, interval_high, status, verdict, first_edition) VALUES ('deflection_rate', "
                "'month', ?, ?, '', '', 0.2, 'ratio', 0.18, 0.22, 'computed', ?, 1)", [start, end, word],
            )  # fmt: skip
        catalog = aimed("deflection_rate", aim("2026-08-31", at_least="0.1"))
        (found,) = retarget(con, catalog, {"deflection_rate": Decimal("0.3")})
    assert [(one.old, one.new) for one in found.values] == verdicts
    assert next(target_lines([found])) == line


def test_editions_that_differ_by_verdicts_alone_are_told_apart() -> None:
    """Met, then missed: the value stands and its verdict does not; of what has no value there is none to tell."""
    with empty() as con:
        create_editions(con)
        con.execute("INSERT INTO kpi.editions (number, as_of, run_id, notes) VALUES (1, '2026-09-30', 1, '{}'), "
                    "(2, '2026-09-30', 2, '{}')")  # fmt: skip
        for kpi_id, value, old, new in (("deflection_rate", 0.2, "met", "missed"), ("mttr", None, "inconclusive", "")):
            for word, first, last in ((old, 1, 1), (new, 2, None)):
                con.execute(
                    "INSERT INTO kpi.values (kpi_id, grain, period_start, period_end, dimension, dimension_value, "
                    "value, unit, status, verdict, definition_hash, first_edition, last_edition) VALUES (?, 'month', "
                    "'2026-09-01', '2026-10-01', '', '', ?, 'ratio', ?, ?, 'h', ?, ?)",
                    [kpi_id, value, "not_available" if value is None else "computed", word, first, last],
                )
        found = diff(con, 1, 2)
        same = diff(con, 2, 2)
    assert found.counts == (("deflection_rate", "verdict", 1),)
    assert [(row["old_verdict"], row["new_verdict"]) for row in found.values] == [("met", "missed")]
    assert same.counts == ()


def test_a_catalogue_with_dated_targets_is_read(tmp_path: Path) -> None:
    """As YAML has them, the oldest first."""
    text = (Path(__file__).parent.parent / "metrics_catalog.yaml").read_text(encoding="utf-8")
    line = next(one for one in text.splitlines() if one.startswith("    target: {at_least: 0.999"))
    before = "    earlier_targets: [{at_least: 0.99, since: 2025-01-01, source: a plan}]\n"
    path = tmp_path / "metrics_catalog.yaml"
    path.write_text(text.replace(line, before + line), encoding="utf-8")
    metric = load_catalog(path).metrics["availability"]
    assert [(one.since, one.value) for one in metric.targets] == [
        (date(2025, 1, 1), Decimal("0.99")), (date(2026, 1, 1), Decimal("0.999")),
    ]  # fmt: skip
