"""What is never of few people is not looked at: the decisions must be the same as if it were."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.engine.differences import Between, Counts, Crowd, Remainder, levels
from pipeline.engine.people import Doers, Seen

DAYS = 42
WEEKS = [(day, day + 7) for day in range(0, DAYS, 7)]
WINDOWS = [(0, 28), *WEEKS, *((day, day + 1) for day in range(DAYS)), *((day, day + 28) for day in range(DAYS - 28))]
TO_COME = [[], [(28, 56)], [(28, 56), (42, 49)]]
"""Open periods: on their days to come people are expected as four weeks before, and twice as many are enough."""
NAMES = ["a", "b"]
crowds = st.lists(st.sampled_from([0, 1, 4, 5, 6, 9, 10, 12]), min_size=7, max_size=7)
"""How many people come on each day of the week."""


def _seen(week: list[int], of: str, *, are_strangers: bool) -> Seen:
    """So many people on each day of the week, the same ones as far as there are as many."""
    base = 100 * (1 + "ab".find(of))
    many = [week[day % 7] for day in range(DAYS)]
    if are_strangers:
        return Seen([frozenset()] * DAYS, [(1 << one) - 1 for one in many], sum(many))
    return Seen([frozenset(range(base, base + one)) if one < 10 else None for one in many], [0] * DAYS, sum(many))


def _decided(crowd: Crowd, remainders: list[Remainder], to_come: list[tuple[int, int]]) -> NDArray[np.int64]:
    told = [(0, 7, 0), (7, 14, 1)]
    return levels(crowd, range(len(WINDOWS)), told=told, to_come=to_come, remainders=remainders, is_running=True)


SPANS = (np.array([first for first, _ in WINDOWS]), np.array([end for _, end in WINDOWS]))


@settings(max_examples=150, deadline=None)
@example(weeks=([0] * 7, [7] * 7, [12] * 7), inside=[6] * 7, are_strangers=False, to_come=[(28, 56)])
@given(
    weeks=st.tuples(crowds, crowds, crowds),
    inside=crowds,
    are_strangers=st.booleans(),
    to_come=st.sampled_from(TO_COME),
)
def test_people_who_are_never_few_are_left_out_without_a_difference(
    weeks: tuple[list[int], ...], inside: list[int], to_come: list[tuple[int, int]], *, are_strangers: bool
):
    """Of two slices, a rest, and slices of another dimension within the first, told of some days."""
    rest, *slices = (_seen(week, of, are_strangers=are_strangers) for week, of in zip(weeks, "-ab", strict=True))
    part, left = (_seen(week, "a", are_strangers=are_strangers) for week in (inside, weeks[1]))
    parted = {"other": {("a", "x"): part, ("a", ""): left}}

    def decided() -> NDArray[np.int64]:
        doers = Doers(0, rest, dict(zip(NAMES, slices, strict=True)), parted)
        told = {("other", "x"): frozenset(day for span in WEEKS for day in span)}
        return _decided(doers.in_order(NAMES, *SPANS), list(doers.remainders(NAMES, told)), to_come)

    with patch.object(Seen, "is_ever_few", lambda self, enough: True):
        looked_at = decided()
    assert decided().tolist() == looked_at.tolist()


@settings(max_examples=100, deadline=None)
@given(weeks=st.tuples(crowds, crowds, crowds), to_come=st.sampled_from(TO_COME))
def test_counts_that_are_never_few_are_left_out_without_a_difference(
    weeks: tuple[list[int], ...], to_come: list[tuple[int, int]]
):
    """Of people of whom nothing is known but how many they are."""
    by_day = np.array([[week[day % 7] for week in weeks] for day in range(DAYS)], dtype=float)
    people = np.array([by_day[first:end].sum(axis=0) for first, end in WINDOWS])

    def decided() -> NDArray[np.int64]:
        return _decided(Counts(*SPANS, people.sum(axis=1), people[:, :2]), [], to_come)

    with patch.object(Between, "is_ever_small", lambda self, level, until: True):
        looked_at = decided()
    assert decided().tolist() == looked_at.tolist()
