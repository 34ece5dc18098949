"""Slices that lie within those of another dimension give no group of a few people away, told beside each other."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate, combinations, groupby, product
from operator import or_

import numpy as np
import pandas as pd
import pytest
from engine_room import CATALOG, empty, values
from numpy.typing import NDArray
from oracles import put, restricted
from oracles_intervals import Row
from test_suppression import CLOSE
from test_suppression_deeds import BEGIN, DAYS, FACT_OF, SUMS, Facts, no_rows, two_editions, worked

from pipeline.assurance import bound_facts
from pipeline.catalog.people import SMALLEST_GROUP

ORGANISATIONS = int(os.environ.get("ROI_PROOF_GROUPED", "0"))
QUICK = [
    ("successes", "use_case", "intent"),
    ("cost", "use_case", "department"),
    ("reports", "use_case", "channel"),
    ("requests", "provider", "use_case"),
]
"""Sums and pairs of dimensions that are solved in `make test`; `make proof-groups` solves all."""
INTENTS = {"a": ["a1", "a2", "a3"], "b": ["b1"], "c": ["c1", "c2"], "d": ["d1", "d2"]}
"""Of a use case; `any` is one of several."""
Sums = NDArray[np.float64]
Group = tuple[int, int, tuple[int, ...]]
"""First day, day after the last one, and places of pairs."""


def solved() -> list[tuple[str, str, str]]:
    """Every sum, by every two dimensions of a KPI that tells it."""
    if not ORGANISATIONS:
        return QUICK
    return sorted({(what, *pair) for kpi, sums in SUMS.items() for what in sums.values()
                   for pair in combinations(sorted(CATALOG.metrics[kpi].dimensions), 2)})  # fmt: skip


def nested(chance: random.Random) -> Facts:
    """Teams of a few people and one of thirty, whose use cases, intents, channels and topics lie in each other.

    Intents are those of one use case, and in every other organisation one is of several. The first team has use case
    `a` alone, `b` is that of the second alone, who do little else, `d` that of the last one, `b` is all there is on the
    channel `ide`, and `a` is on `web` only.
    """
    sizes, is_mixed = [chance.randint(1, 9), chance.randint(9, 14), chance.randint(1, 9), 30], chance.random() < 0.5
    people = [(f"p{team}x{at}", team) for team, size in enumerate(sizes) for at in range(size)]
    facts = no_rows()
    for day, (at, (person, team)) in ((day, one) for day in range(DAYS) for one in enumerate(people)):
        if chance.random() < (0.2 if day % 7 < 5 else 0.03):
            case = chance.choice(["a", "bbbbbbbbba", "aaac", "aaaaaccddd"][team])
            intent = "any" if is_mixed and chance.random() < 0.2 else chance.choice(INTENTS[case])
            channel = {"a": "web", "b": "ide"}.get(case) or chance.choice(["web", "mail", "mail", "mail"])
            worked(chance, facts, {"day": BEGIN + timedelta(day), "person_id": person, "department": f"team {team}",
                                   "use_case": case, "intent": intent, "channel": channel,
                                   "topic": f"{channel} {chance.choice('xxxy')}",
                                   "provider": {"b": "one", "c": "two"}.get(case) or ["two", "any"][(at + day) % 2],
                                   "tool": f"{case} {'xxxy'[at % 4]}",
                                   "session_key": f"{at} {day}"})  # fmt: skip
    return facts


@dataclass(frozen=True)
class Cells:
    """Sums by day and pair of slices of two dimensions, of those pairs that an intruder does not know to be empty."""

    dimensions: tuple[str, str]
    pairs: list[tuple[str, str]]

    @classmethod
    def of(cls, dimensions: tuple[str, str], rows: list[Row]) -> Cells:
        """A slice of one dimension with rows in a single one of the other is known to lie within it."""
        seen = {(row[dimensions[0]], row[dimensions[1]]) for row in rows}
        ones, others = ({pair[at] for pair in seen} for at in (0, 1))
        whole = {(at, name): {pair[1 - at] for pair in seen if pair[at] == name}
                 for at, names in enumerate((ones, others)) for name in names}  # fmt: skip
        return cls(dimensions, [(one, other) for one, other in sorted(product(ones, others))
                                if (len(whole[0, one]) > 1 or other in whole[0, one])
                                and (len(whole[1, other]) > 1 or one in whole[1, other])])  # fmt: skip

    def row(self, first: int, end: int, chosen: Sequence[int]) -> Sums:
        """What a window adds up of the pairs in these places."""
        cells = np.zeros((DAYS, len(self.pairs)))
        cells[first:end, list(chosen)] = 1
        return cells.ravel()

    def places(self, dimension: str, name: str) -> list[int]:
        """Those of the pairs of a slice, or of all in total."""
        return [place for place, pair in enumerate(self.pairs)
                if not dimension or pair[self.dimensions.index(dimension)] == name]  # fmt: skip


def equations(cells: Cells, editions: list[tuple[pd.DataFrame, int]], what: str) -> Sums:
    """Every told sum of one kind; a slice that has no row beside a total has nothing, which is told as well."""
    found = []
    slices = [("", ""), *sorted({(one, pair[at]) for pair in cells.pairs for at, one in enumerate(cells.dimensions)})]
    for frame, until in editions:
        keys = ["kpi_id", "grain", "period_start", "period_end", "dimension", "dimension_value"]
        listed = set(frame[keys].itertuples(index=False, name=None))
        told = set(frame.loc[~frame["reason"].str.startswith("suppressed"), keys].itertuples(index=False, name=None))
        for kpi in (kpi for kpi, sums in SUMS.items() if what in sums.values()):
            for key in {key[:4] for key in listed if key[0] == kpi}:
                span = (max((key[2] - BEGIN).days, 0), min((key[3] - BEGIN).days, until))
                found += [cells.row(*span, cells.places(*one)) for one in slices
                          if one[0] in ("", *CATALOG.metrics[kpi].dimensions)
                          and ((*key, *one) in told or (*key, *one) not in listed)]  # fmt: skip
    return np.unique(np.array(found), axis=0)


def small_groups(cells: Cells, rows: list[Row]) -> list[Group]:
    """One or two pairs, and a slice or what is left of it without one or two pairs, that are one to four people."""
    known = np.zeros((DAYS, len(cells.pairs)), dtype=object)
    for at in np.ndindex(known.shape):
        known[at] = set()
    place = {pair: at for at, pair in enumerate(cells.pairs)}
    for row in rows:
        day, pair = (row["day"] - BEGIN).days, (row[cells.dimensions[0]], row[cells.dimensions[1]])
        known[day, place[pair]] |= {row["person_id"]}
    slices = [
        tuple(cells.places(one, name))
        for at, one in enumerate(cells.dimensions)
        for name in sorted({pair[at] for pair in cells.pairs})
    ]
    unions = {some for many in (1, 2) for some in combinations(range(len(cells.pairs)), many)}
    unions |= {
        tuple(sorted({*one} - {*less})) for one in slices for many in (0, 1, 2) for less in combinations(one, many)
    }
    found = []
    for some in sorted(unions - {()}):
        by_day = [set().union(*known[day, list(some)]) for day in range(DAYS)]
        for first in range(DAYS):
            for end, people in enumerate(accumulate(by_day[first:], or_), first + 1):
                found += [(first, end, some)] if 0 < len(people) < SMALLEST_GROUP else []
    return found


def recovered(cells: Cells, told: Sums, groups: list[Group]) -> list[Group]:
    """The groups whose sums follow from the told ones: their length is that of their projection on what was told."""
    _, size, base = np.linalg.svd(told, full_matrices=False)
    base = base[size > CLOSE].reshape(-1, DAYS, len(cells.pairs))
    found = []
    for some, same in groupby(groups, key=lambda group: group[2]):
        spans = np.array([(first, end) for first, end, _ in same])
        until = np.pad(base[:, :, list(some)].sum(axis=2).cumsum(axis=1), ((0, 0), (1, 0)))
        along = until[:, spans[:, 1]] - until[:, spans[:, 0]]
        rest = (spans[:, 1] - spans[:, 0]) * len(some) - (along**2).sum(axis=0)
        found += [(int(first), int(end), some) for first, end in spans[rest < CLOSE]]
    return found


@pytest.mark.parametrize("seed", sorted({*range(ORGANISATIONS), 1, 17, 19, 28}))
def test_two_dimensions_give_no_small_group_away(seed: int) -> None:
    """No sum of what one to four people did follows from what two dimensions tell in two editions.

    In organisation 1 an intent is of several use cases. In 17 months begin before the first row, so that their first
    day is another one than that of a week, and the same. In 19 a provider is the same as a use case, and in 28 the last
    month links days that the edition before told apart.
    """
    chance = random.Random(seed)
    facts = nested(chance)
    with empty() as con:
        editions = list(two_editions(con, facts, chance.randint(9, 33)))
    for what, *pair in solved():
        rows = facts[FACT_OF[what]]
        cells = Cells.of((pair[0], pair[1]), rows)
        small, told = small_groups(cells, rows), equations(cells, editions, what)
        assert len(told) > 5, (what, pair)
        assert len(small) >= 100, (what, pair)
        found = recovered(cells, told, small)
        assert not found, (what, pair, [(*span, [cells.pairs[at] for at in some]) for *span, some in found[:9]])


def test_the_solver_finds_small_groups_where_each_dimension_is_decided_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The test above can fail: where nothing is taken to lie in anything, every two dimensions give some away."""
    monkeypatch.setattr("pipeline.engine.nesting._within", lambda *_: [])
    chance = random.Random(17)
    facts = nested(chance)
    with empty() as con:
        editions = list(two_editions(con, facts, chance.randint(9, 33)))
    for what, *pair in QUICK:
        rows = facts[FACT_OF[what]]
        cells = Cells.of((pair[0], pair[1]), rows)
        assert recovered(cells, equations(cells, editions, what), small_groups(cells, rows)), (what, pair)


def _told(crew: Sequence[tuple[str, str, int]], dimension: str) -> dict[str, set[str]]:
    """Which use cases, and slices of another dimension, a day tells of tasks by so many people of (use case, slice)."""
    rows = [{"day": BEGIN, "use_case": case, "intent": "i", "department": "d", dimension: name, "is_success": 1,
             **dict.fromkeys(("person_id", "user_key", "task_id"), f"{at} {who}")}
            for at, (case, name, many) in enumerate(crew) for who in range(many)]  # fmt: skip
    with empty() as con:
        put(con, bound_facts(), {"started_tasks": rows})
        frame = values(con, restricted(["task_success_rate"]), made_up=False)
    day = frame[(frame["grain"] == "day") & ~frame["reason"].str.startswith("suppressed")]
    return {one: set(day.loc[day["dimension"] == one, "dimension_value"]) for one in ("use_case", dimension)}


def test_intents_of_a_use_case_are_withheld_among_each_other() -> None:
    """Two people ask to `sum`: of the intents of `write` another is withheld with it, those of `search` are not."""
    crew = [
        ("write", "mail", 9),
        ("write", "sum", 2),
        ("write", "draft", 20),
        ("search", "find", 6),
        ("search", "go", 7),
    ]
    assert _told(crew, "intent") == {"use_case": {"write", "search"}, "intent": {"draft", "find", "go"}}


def test_intents_of_a_use_case_that_is_withheld_are_withheld() -> None:
    """`search` is withheld for the sake of `rare`; were its intents told, it could be added up from them."""
    crew = [("rare", "ask", 2), ("search", "find", 6), ("search", "go", 7), ("write", "mail", 19), ("write", "sum", 8)]
    assert _told(crew, "intent") == {"use_case": {"write"}, "intent": {"mail", "sum"}}


def test_a_department_is_withheld_of_which_a_use_case_leaves_few() -> None:
    """Legal reviews contracts, and three of it write: Legal less the reviews is three, and so Legal is withheld."""
    crew = [("review", "Legal", 12), ("write", "Legal", 3), ("write", "Sales", 30), ("write", "Finance", 9)]
    assert _told(crew, "department") == {"use_case": {"review", "write"}, "department": {"Sales"}}


def test_a_department_is_withheld_where_too_much_would_have_to_be_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Legal less the reviews is nine; were there more use cases to take away than can be tried, it is taken for few."""
    crew = [("review", "Legal", 12), ("write", "Legal", 9), ("write", "Sales", 30), ("write", "Finance", 9)]
    assert _told(crew, "department")["department"] == {"Legal", "Sales", "Finance"}
    monkeypatch.setattr("pipeline.engine.people._MOST", 0)
    assert _told(crew, "department")["department"] == set()


def test_an_intent_of_several_use_cases_is_withheld_where_it_tells_its_part_of_one() -> None:
    """`any` is of both use cases: told beside all of `write`, it would tell that two of it are of `search`."""
    crew = [
        ("write", "mail", 20),
        ("write", "any", 20),
        ("search", "find", 6),
        ("search", "any", 2),
        ("search", "go", 3),
    ]
    assert _told(crew, "intent") == {"use_case": {"write", "search"}, "intent": {"mail"}}
