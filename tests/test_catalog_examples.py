"""Worked examples go through the engine: a right one is silent, anything else is told at its place."""
# ruff: noqa: E501 - a message stands in one piece

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.assurance import bound_facts
from pipeline.catalog.check import examine
from pipeline.catalog.load import read_catalog
from pipeline.engine.examples import Bench, check_examples
from pipeline.warehouse.connection import create_schemas, warehouse

HEAD = """\
version: 1
roles:
  head: {title: Head, layer: strategic, tier: 1, question: Is it so?}
metrics:
"""
SHARE = """\
  share:
    name: Share
    owner: head
    question: Which share was settled?
    kind: ratio
    fact: contacts
    numerator: sum(is_deflected)
    denominator: count(*)
    unit: ratio
    direction: up
    cadence: weekly
    dimensions: [topic]
    min_n: 1
    interval: wilson
    leaves_out: Spam.
    pitfall: Silence.
    examples:
      - says: one of four
        rows: [{is_deflected: 1, topic: a}, {is_deflected: 0, topic: a, times: 3}]
        value: 0.25
        numerator: 1
        low: 0.04559
        high: 0.6994
"""
SECOND = """\
      - says: nothing to divide by
        by: topic=b
        grain: week
        rows: [{is_deflected: 0, topic: b}, {is_deflected: 1, topic: a}]
        value: 0
"""
GAIN = """\
  gain:
    name: Gain
    owner: head
    question: Is it worth it?
    kind: formula
    inputs: {benefit_usd: USD, cost_usd: USD}
    formula: (benefit_usd - cost_usd) / cost_usd
    awaits: the model
    unit: ratio
    direction: up
    cadence: monthly
    interval: exact
    leaves_out: Nothing.
    pitfall: Licences.
    examples:
      - {says: half as much again, inputs: {benefit_usd: 150, cost_usd: 100}, value: 0.5}
      - {says: no cost, inputs: {benefit_usd: 1, cost_usd: 0}}
"""


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """A database of its own, with the columns of the project's facts."""
    with warehouse(Path(":memory:")) as con:
        create_schemas(con)
        yield Bench(con, bound_facts())


def told(tmp_path: Path, bench: Bench, text: str) -> list[str]:
    """What is said of the examples of a catalogue, without the file's name."""
    path = tmp_path / "c.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    _, problems = examine(path, facts=bench.facts)
    assert problems == []
    reading = read_catalog(path)
    assert reading.catalog is not None
    return [str(one).removeprefix("c.yaml:") for one in check_examples(reading.catalog, reading.positions, bench)]


def test_right_examples_are_silent(tmp_path: Path, bench: Bench) -> None:
    """1 of 4 is 0.25, with Wilson's 0.0456 to 0.6994; (150 - 100) / 100 is 0.5; nothing is over 0."""
    assert told(tmp_path, bench, SHARE + SECOND + GAIN) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("value: 0.25", "value: 0.26", "22:9  C062  found value 0.25 in the example 'one of four', expected 0.26"),
        ("numerator: 1\n", "numerator: 2\n", "22:9  C062  found numerator 1 in the example 'one of four', expected 2"),
        ("high: 0.6994", "high: 0.7", "22:9  C062  found high 0.699358157 in the example 'one of four', expected 0.7"),
        ("        value: 0\n", "", "28:9  C062  found value 0 in the example 'nothing to divide by', expected none: not available"),
        ("value: 0.5}", "value: 0.4}", "48:9  C062  found value 0.5 in the example 'half as much again', expected 0.4"),
        ("cost_usd: 0}}", "cost_usd: 0}, value: 1}",
         "49:9  C062  found value not available in the example 'no cost', expected 1; there is none: the formula divides by 0"),
        ("rows: [{is_deflected: 0, topic: b}, {is_deflected: 1, topic: a}]\n        value: 0\n",
         "rows: [{is_deflected: null, topic: b, day: 2026-01-05}, {is_deflected: 1, topic: a, day: 2026-01-13}]\n"
         "        value: 0\n",
         "28:9  C061  found no value per week for 'topic=b', expected a slice the rows have: "),
        ("{is_deflected: 1, topic: a}, {", "{is_deflecte: 1, topic: a}, {",
         "22:9  C061  found column 'is_deflecte', expected one of "),
        ("times: 3", "times: 0", "22:9  C061  found times 0, expected 1 to 10000"),
        ("by: topic=b", "by: topik=b", "28:9  C061  found by 'topik=b', expected one of topic"),
        ("by: topic=b", "by: topic=c", "28:9  C061  found no value per week for 'topic=c', expected a slice the rows have: a, b"),
        ("{is_deflected: 0, topic: b}", "{is_deflected: much}", "28:9  C061  found a row that does not fit: "),
        ("benefit_usd: 1, ", "", "49:9  C061  found inputs cost_usd, expected benefit_usd, cost_usd"),
        (SECOND, "", "5:3  C060  found 1 example, expected at least 2: what it is, and its trap; `roi catalog example ratio` prints some"),
    ],
)  # fmt: skip
def test_each_wrong_example_is_told_at_its_place(tmp_path: Path, bench: Bench, old: str, new: str, said: str) -> None:
    """One thing changed in a right example gives one problem, at the example."""
    text = SHARE + SECOND + GAIN
    assert text.count(old) == 1
    (found,) = told(tmp_path, bench, text.replace(old, new))
    assert found.startswith(said)


def test_an_example_that_gives_nothing_says_why(tmp_path: Path, bench: Bench) -> None:
    """Nothing settled in four contacts, and the KPI divides by what was settled: 4 over 0."""
    rate = SHARE.replace("numerator: sum(is_deflected)\n    denominator: count(*)",
                         "numerator: count(*)\n    denominator: sum(is_deflected)")  # fmt: skip
    rate = rate.replace("is_deflected: 1, topic: a}", "is_deflected: 0, topic: a}")
    found = [one for one in told(tmp_path, bench, rate + SECOND) if "found value not available" in one]
    assert found[0] == (
        "22:9  C062  found value not available in the example 'one of four', expected 0.25; there is none: "
        "zero denominator (numerator 4, denominator 0, n 0)"
    )
