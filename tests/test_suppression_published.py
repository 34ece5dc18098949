"""An intruder with everything two editions published works out no group of fewer than five people, and sees no trace.

The editions are those of small organisations through the real nightly run and onto real pages.
`make proof-groups` does so for some; `make test` sees that the intruder is no straw man, and searches the pages of the
sample for traces (tests/test_nightly_sample.py).
"""

from __future__ import annotations

import logging
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from attack_room import (
    PEOPLE,
    Census,
    Told,
    census,
    equations,
    is_pinned,
    read,
    small_groups,
    traces,
    worked_out,
)
from crowd import BEGIN, DAYS, crowd, write
from project import Project

from pipeline.catalog.people import SMALLEST_GROUP

LOG = logging.getLogger("groups")
ORGANISATIONS = int(os.environ.get("ROI_PROOF_PUBLISHED", "0"))
needs_time = pytest.mark.skipif(not ORGANISATIONS, reason="minutes long: make proof-groups")
POPULATIONS = {
    "adoption_rate": ("department", False, """
        SELECT min(day), max(day) + 1, any_value(department) FROM facts.entitled_days GROUP BY person_id"""),
    "post_training_usage_rate": ("department", True, """
        SELECT day, day + 1, department FROM facts.trained_people WHERE was_user = 0"""),
    "stakeholder_satisfaction": ("audience_role", True, """
        SELECT day, day + 1, audience_role FROM facts.survey_answers WHERE answer_score IS NOT NULL"""),
}  # fmt: skip
"""Dimension, whether each is counted on one day alone, and who belongs from when to when, by KPI: the truth."""


@dataclass(frozen=True)
class Nights:
    """An organisation after two nights, and what was published each time with the day after its data."""

    project: Project
    editions: tuple[tuple[Told, date], ...]

    def census(self, kpi: str) -> Census:
        """The truth about the groups of a KPI."""
        _, once, sql = POPULATIONS[kpi]
        rows = self.project.rows("exports", sql)
        return census([((a - BEGIN).days, (b - BEGIN).days, name) for a, b, name in rows], days=DAYS, once=once)


def _two_teams() -> Census:
    """Six people of one team and three of another, each on one of two days: 4 and 2, 1 and 2."""
    people = [(0, "a")] * 4 + [(1, "a")] * 2 + [(0, "b")] + [(1, "b")] * 2
    return census([(day, day + 1, name) for day, name in people], days=2, once=True)


def test_the_intruder_takes_sums_apart() -> None:
    """Nine in all and six of the first team leave three of the second; neither sum alone tells of them."""
    held = _two_teams()
    total, team, rest = (held.row(0, 2, name) for name in ("", "a", "b"))
    assert worked_out(np.array([total, team]), np.array([rest])).tolist() == [True]
    assert worked_out(np.array([total]), np.array([rest])).tolist() == [False]
    assert rest in small_groups(held, days=2)


def test_the_intruder_knows_that_people_come_whole() -> None:
    """Two unknown numbers of sum 9 may be anything; that twice one and the other are 9 as well makes the first 0."""
    held = census([(0, 1, "a")] * 0 + [(1, 2, "a")] * 9, days=2, once=True)
    first, both = held.row(0, 1), held.row(0, 2)
    assert not is_pinned(held, np.array([both]), first)
    assert is_pinned(held, np.array([both, both + first]), first)


def test_who_has_a_seat_for_some_days_counts_in_each_of_them_and_once_in_a_union() -> None:
    """A seat of two days: one person on the first, on the second, and over both."""
    held = census([(0, 2, "a")], days=3, once=False)
    assert [int(held.row(*span).dot(held.truth.ravel())) for span in ((0, 1), (1, 2), (0, 2), (2, 3))] == [1, 1, 1, 0]


@pytest.fixture(scope="module", params=range(ORGANISATIONS))
def nights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    """Two nights of a small organisation, the second with two weeks or so more."""
    chance = random.Random(request.param)
    project = Project.new(tmp_path_factory.mktemp("crowd") / "project")
    people, told = crowd(chance), []
    for number, until in enumerate((chance.randrange(15, 29), DAYS), 1):
        write(people, project.root / "exports", until=until)
        project.roi("nightly", "--exports", project.root / "exports")
        kept = Path(shutil.copytree(project.reports, project.root / f"edition-{number}"))
        told.append((read(kept), BEGIN + timedelta(days=until)))
    yield Nights(project, tuple(told))
    shutil.rmtree(project.root)


@needs_time
def test_what_is_withheld_leaves_no_trace(nights: Nights) -> None:
    """No number, no signal and no point of it, in any download, table, drawing or mail of either edition."""
    for told, _ in nights.editions:
        assert list(traces(told)) == []
        LOG.info("%d of %d values of people withheld", len(told.hidden), len(told.rows))


@needs_time
@pytest.mark.parametrize("kpi", POPULATIONS)
def test_no_small_group_is_worked_out(nights: Nights, kpi: str) -> None:
    """Neither by adding and taking away, nor by whole numbers that leave one answer alone."""
    held, dimension = nights.census(kpi), POPULATIONS[kpi][0]
    rows = equations(held, nights.editions, kpi, dimension, begin=BEGIN)
    small = small_groups(held, days=DAYS)
    found = small[worked_out(rows, small)]
    assert not len(found), _named(held, found[0])
    for at in random.Random(0).sample(range(len(small)), min(12, len(small))):
        assert not is_pinned(held, rows, small[at]), _named(held, small[at])
    LOG.info("%s: %d sums told, %d small groups, none worked out", kpi, len(rows), len(small))


def _named(held: Census, cells: np.ndarray) -> list[tuple[object, ...]]:
    shaped = cells.reshape(held.truth.shape)
    return [(*held.kinds[at].tolist(), held.names[of], int(held.truth[at, of])) for at, of in np.argwhere(shaped)
            if held.truth[at, of]]  # fmt: skip


@needs_time
def test_of_each_period_what_is_left_to_the_withheld_is_no_small_group(nights: Nights) -> None:
    """The total less the slices told is nobody or five and more, for every KPI about people and each dimension."""
    for told, _ in nights.editions:
        for key, row in told.rows.items():
            if key[4] or key in told.hidden or not row["n"]:
                continue
            for dimension in {one[4] for one in told.rows if one[0] == key[0]} - {""}:
                slices = [one for one in told.rows if one[:4] == key[:4] and one[4] == dimension]
                rest = int(row["n"]) - sum(int(told.rows[one]["n"]) for one in slices if one not in told.hidden)
                assert not 0 < rest < SMALLEST_GROUP, (key, dimension)


@needs_time
def test_no_told_group_is_small(nights: Nights) -> None:
    """Every n of a KPI about people is 0, or five and more."""
    for told, _ in nights.editions:
        counted = {key: int(row["n"]) for key, row in told.rows.items() if row["n"] and key[0] in PEOPLE}
        assert not {key for key, n in counted.items() if 0 < n < SMALLEST_GROUP}
        assert {key[0] for key in told.rows} >= set(PEOPLE)
        assert len(counted) > 100
