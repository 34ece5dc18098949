"""An intruder with every published table of two editions and a solver works out no group of fewer than five people."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

from pipeline.catalog.people import SMALLEST_GROUP
from pipeline.engine.differences import Counts, levels

Rows = NDArray[np.float64]
SPANS = (28, 14, 7, 1)
"""Lengths of windows in days, those that matter most first; a month of 28 days is two spans of 14, four of 7."""
CLOSE = 1e-6
UNBOUNDED = 3
"""What linprog says where nothing that was told limits a sum."""
ORGANISATIONS = int(os.environ.get("ROI_PROOF_ORGANISATIONS", "4"))
"""How many the linear programs are run on."""


@dataclass
class Organisation:
    """People by day and team, each counted once; `told` are the windows told so far: (first day, end, level)."""

    people: NDArray[np.int64]
    told: list[tuple[int, int, int]] = field(default_factory=list)

    @classmethod
    def made(cls, chance: random.Random, *, days: int) -> Organisation:
        """Teams of one to eight people, of whom a few come on a day."""
        teams = chance.randint(1, 4)
        busy = [chance.choice((0.2, 0.6, 1.0)) for _ in range(teams)]
        many = [[chance.randint(0, 8) if chance.random() < rate else 0 for rate in busy] for _ in range(days)]
        return cls(np.array(many, dtype=np.int64))

    def windows(self, until: int) -> list[tuple[int, int, int]]:
        """(rank, first day, end) of what an edition can tell: spans from day 0 on, and trailing ones of ten days."""
        begun = range(0, until)
        found = [(rank, day, min(day + span, until)) for rank, span in enumerate(SPANS) for day in begun[::span]]
        return found + [(2, max(end - 10, 0), end) for end in {*range(7, until + 1, 7), until}]

    def edition(self, until: int, *, is_running: bool = True) -> None:
        """Tell what may be told of the days before `until`; when not `is_running`, as if no two periods overlapped."""
        windows = sorted(set(self.windows(until)), key=lambda one: (one[2] - one[1] < SPANS[one[0]], *one))
        slices = np.array([self.people[first:end].sum(axis=0) for _, first, end in windows], dtype=float)
        starts, ends = (np.array([one[at] for one in windows]) for at in (1, 2))
        counts = Counts(starts, ends, slices.sum(axis=1), slices)
        found = levels(counts, range(len(windows)), told=tuple(self.told), is_running=is_running)
        teams = slices.shape[1]
        self.told += [(one[1], one[2], int(at)) for one, at in zip(windows, found, strict=True) if at <= teams]


def two_editions(seed: int, *, is_running: bool = True) -> Organisation:
    """An organisation of four weeks after two nights."""
    chance = random.Random(seed)
    organisation = Organisation.made(chance, days=28)
    for until in (chance.randint(8, 27), 28):
        organisation.edition(until, is_running=is_running)
    return organisation


def equations(organisation: Organisation) -> tuple[Rows, Rows]:
    """What was told, as sums over unknown cells (day, team): totals, and each team that a window tells."""
    days, teams = organisation.people.shape
    rows, right = [], []
    for first, end, level in sorted(set(organisation.told)):
        for chosen in [slice(None), *(slice(at, at + 1) for at in range(level, teams))]:
            cells = np.zeros((days, teams))
            cells[first:end, chosen] = 1
            rows.append(cells.ravel())
            right.append(float(organisation.people[first:end, chosen].sum()))
    return np.array(rows).reshape(-1, days * teams), np.array(right)


def in_span(rows: Rows, wanted: Rows) -> NDArray[np.bool_]:
    """Which sums follow from the told ones by adding and subtracting them, shape (wanted,)."""
    if not rows.size:
        return np.zeros(len(wanted), dtype=bool)
    _, size, base = np.linalg.svd(rows, full_matrices=False)
    base = base[size > CLOSE]
    rest = wanted - (wanted @ base.T) @ base
    return np.asarray(np.abs(rest).max(axis=1) < CLOSE)


def groups(organisation: Organisation) -> Rows:
    """Neighbouring teams on a run of days, or on two runs with a gap between, where that is one to four people."""
    days, teams = organisation.people.shape
    found = []
    spans = [(first, end) for first in range(days) for end in range(first + 1, days + 1)]
    around = [(0, first, end, days) for first, end in spans if first > 0 and end < days]
    for begin, last in [(one, other) for one in range(teams) for other in range(one + 1, teams + 1)]:
        for edges in [*spans, *around]:
            cells = np.zeros((days, teams))
            for first, end in zip(edges[::2], edges[1::2], strict=True):
                cells[first:end, begin:last] = 1
            if 0 < (cells * organisation.people).sum() < SMALLEST_GROUP:
                found.append(cells.ravel())
    return np.array(found).reshape(-1, days * teams)


def bounds(rows: Rows, right: Rows, wanted: Rows) -> tuple[float, float]:
    """Least and greatest number of people a sum can stand for, when no cell is below zero."""
    ends = []
    for sign in (1, -1):
        found = linprog(sign * wanted, A_eq=rows, b_eq=right, bounds=(0, None), method="highs")
        assert found.status in (0, UNBOUNDED), found.message
        ends.append(-sign * np.inf if found.status == UNBOUNDED else sign * found.fun)
    return ends[0], ends[1]


@pytest.mark.parametrize("seed", range(25))
def test_no_sum_of_what_two_editions_tell_is_a_group_of_fewer_than_five(seed: int) -> None:
    """Teams of up to eight, told on two nights: nothing small comes of adding told counts and taking them away."""
    organisation = two_editions(seed)
    rows, _ = equations(organisation)
    assert not in_span(rows, groups(organisation)).any()


@pytest.mark.parametrize("seed", range(0, ORGANISATIONS))
def test_a_solver_pins_no_group_of_fewer_than_five_down(seed: int) -> None:
    """Nor does a linear program find it, that knows besides that nobody is counted less than zero times."""
    organisation = two_editions(seed)
    rows, right = equations(organisation)
    hidden = groups(organisation)
    for wanted in hidden[random.Random(seed).sample(range(len(hidden)), min(30, len(hidden)))]:
        low, high = bounds(rows, right, wanted)
        assert high - low > 0.5, wanted.reshape(organisation.people.shape).nonzero()


def test_the_solver_wins_where_differences_of_periods_are_not_looked_at() -> None:
    """With groups hidden period by period alone, small groups can be worked out: the intruder above is no straw man."""
    won = 0
    for seed in range(5):
        organisation = two_editions(seed, is_running=False)
        won += int(in_span(equations(organisation)[0], groups(organisation)).sum())
    assert won > 0


def test_two_hidden_groups_have_five_people_together() -> None:
    """Of teams of 1, 2, 6 and 9 the smallest three are left to one pool: 1 + 2 are 3, which is 18 less 6 less 9."""
    counts = Counts(np.array([0]), np.array([7]), np.array([18.0]), np.array([[1.0, 2.0, 6.0, 9.0]]))
    assert levels(counts, [0], is_running=False).tolist() == [3]


def test_what_nobody_can_place_counts_with_those_left_out() -> None:
    """Of 11 people 2 have no team: a team of 9 told beside the total would tell of these 2; with 5 of them it may."""
    for total, level in ((11.0, 1), (14.0, 0)):
        counts = Counts(np.array([0]), np.array([7]), np.array([total]), np.array([[9.0]]))
        assert levels(counts, [0], is_running=False).tolist() == [level]


def test_a_total_is_withheld_where_the_period_around_it_would_tell_the_rest() -> None:
    """A fortnight of 8 people is told; its second week of 6 is not, for it would leave 2 for the first."""
    counts = Counts(np.array([0, 7, 0]), np.array([14, 14, 7]), np.array([8.0, 6.0, 2.0]), np.zeros((3, 0)))
    assert levels(counts, [0, 1, 2], is_running=True).tolist() == [0, 1, 1]
    assert levels(counts, [1, 0, 2], is_running=True).tolist() == [1, 0, 1], "what matters most is told first"


def test_what_an_earlier_edition_told_is_remembered() -> None:
    """Told yesterday were the 9 of eight days, so the 11 of nine days are not told today: they differ by 2."""
    counts = Counts(np.array([0, 8]), np.array([9, 9]), np.array([11.0, 2.0]), np.zeros((2, 0)))
    assert levels(counts, [0, 1], is_running=True).tolist() == [0, 1]
    assert levels(counts, [0, 1], told=[(0, 8, 0)], is_running=True).tolist() == [1, 1]


def test_no_period_is_told_that_would_stand_in_the_way_of_one_to_come() -> None:
    """A period of the cadence still open keeps its end free: who may come until then is not known."""
    counts = Counts(np.array([0]), np.array([9]), np.array([40.0]), np.zeros((1, 0)))
    assert levels(counts, [0], to_come=[(0, 30)], is_running=True).tolist() == [1]


def test_people_of_two_slices_do_not_make_the_rest_look_like_nobody() -> None:
    """Of eight people eight are of one slice and four of another: nobody is left over, and yet four are hidden."""
    counts = Counts(np.array([0]), np.array([7]), np.array([8.0]), np.array([[4.0, 8.0]]))
    assert levels(counts, [0], is_running=False).tolist() == [2]


def test_what_was_told_is_told_again() -> None:
    """Told were nine days; that eight of them are told as well now does not take the nine back."""
    counts = Counts(np.array([0, 0, 8]), np.array([9, 8, 9]), np.array([11.0, 9.0, 2.0]), np.zeros((3, 0)))
    told = [(0, 8, 0), (0, 9, 0)]
    assert levels(counts, [0, 1, 2], told=told, is_running=True).tolist() == [0, 0, 1]
    assert levels(counts, [0, 1, 2], told=told[:1], is_running=True).tolist() == [1, 0, 1]


def test_an_open_quarter_with_the_days_of_a_closed_month_is_told_like_it() -> None:
    """The quarter heeds the open week, of whose days two people are known yet; the month matters more and is told.

    Kept back at first, the quarter was told by the next edition without new data, for its days had been told.
    """
    counts = Counts(np.array([0, 0, 26]), np.array([31, 31, 31]), np.array([40.0, 40.0, 2.0]), np.zeros((3, 0)))
    first = levels(counts, [0, 1, 2], to_come=[(26, 33)], foremost=1, is_running=True)
    told = [(0, 31, 0)]
    again = levels(counts, [0, 1, 2], told=told, to_come=[(26, 33)], foremost=1, is_running=True)
    assert (first.tolist(), again.tolist()) == ([0, 0, 1], [0, 0, 1])
