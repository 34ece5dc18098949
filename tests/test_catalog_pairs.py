"""No mistake hides another: two to six at once, of any stages, are all told, save where one makes the other unknowable."""
# ruff: noqa: E501 - a message stands in one piece

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import pytest
import test_catalog_benefits as lines
import test_catalog_mistakes as kpis
from project import ROOT
from test_catalog_examples import GAIN, HEAD, SECOND, SHARE

from pipeline.assurance import bound_facts
from pipeline.catalog.check import examine, wrong_keys
from pipeline.catalog.codes import HIDES
from pipeline.engine.examples import Bench, check_examples
from pipeline.warehouse.connection import create_schemas, warehouse

Mistake = tuple[str, str, str, str]
"""Text, what stands in its place, where the problem is (marked with §), and its code."""
PAIRS, SETS = (10**6, 2000) if os.environ.get("ALL_PAIRS") else (250, 60)
"""How many are drawn; `make proof-pairs` takes all pairs."""


def mistakes(params: Sequence[object]) -> list[Mistake]:
    """The breakers of another test, without their messages."""
    return [tuple(one.values[:4]) for one in params]  # type: ignore[attr-defined]


def planted(good: str, chosen: Sequence[Mistake]) -> str | None:
    """The text with every mistake in it; None when they need the same place."""
    for old, new, *_ in chosen:
        if good.count(old) != 1:
            return None
        good = good.replace(old, new)
    marks = ("".join(marked.split("§")) for _, _, marked, _ in chosen)
    return good if all(good.count(mark) == 1 for mark in marks) else None


def hidden(good: str, facts: dict[str, dict[str, str]], chosen: Sequence[Mistake], folder: Path) -> list[Mistake]:
    """Those of the mistakes that are not told at their place."""
    text = planted(good, chosen)
    if text is None:
        return []
    _, problems = examine(kpis.written(folder, text), facts=facts)
    told = {(one.where, one.code) for one in problems}
    return [one for one in chosen if (kpis.place(text, one[2]), one[3]) not in told]


def may_hide(chosen: Sequence[Mistake], lost: Mistake) -> bool:
    """Whether the list of exceptions on the page of codes has a code among the others that hides that of the lost one."""
    return any(lost[3] in HIDES.get(one[3], ()) for one in chosen if one is not lost)


@pytest.mark.parametrize("module", [kpis, lines], ids=["KPIs", "lines of benefit"])
def test_two_mistakes_are_both_told(tmp_path: Path, module: object) -> None:
    """Pairs drawn from all breakers that break one thing each, whatever their stage, in one KPI or two."""
    good, facts, known = module.GOOD, module.FACTS, mistakes(module.MISTAKES)  # type: ignore[attr-defined]
    pairs = list(combinations(known, 2))
    chosen = random.Random(15).sample(pairs, min(PAIRS, len(pairs)))
    lost = [(pair, one) for pair in chosen for one in hidden(good, facts, pair, tmp_path)]
    assert [(pair, one) for pair, one in lost if not may_hide(pair, one)] == []
    assert len(lost) < len(chosen) / 50


def test_many_mistakes_are_all_told(tmp_path: Path) -> None:
    """Three to six at once."""
    draw, known = random.Random(7), mistakes(kpis.MISTAKES)
    sets = [draw.sample(known, draw.randint(3, 6)) for _ in range(SETS)]
    lost = [(some, one) for some in sets for one in hidden(kpis.GOOD, kpis.FACTS, some, tmp_path)]
    assert [one for some, one in lost if not may_hide(some, one)] == []


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """A database of its own, with the columns of the project's facts."""
    with warehouse(Path(":memory:"), threads=1) as con:
        create_schemas(con)
        yield Bench(con, bound_facts())


def told(folder: Path, bench: Bench, text: str) -> list[str]:
    """Line, column and code of everything that is wrong with a catalogue, examples run."""
    reading, problems = examine(kpis.written(folder, text), facts=bench.facts)
    assert reading.catalog is not None
    wrong = wrong_keys(reading, problems)
    problems += check_examples(reading.catalog, reading.positions, bench, wrong=wrong)
    return sorted(f"{one.where.partition(':')[2]} {one.code}" for one in problems)


def at(text: str, passage: str, code: str) -> str:
    """Line, column and code of a problem where the one passage that reads so begins."""
    assert text.count(passage) == 1, passage
    before = text[: text.index(passage)]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))} {code}"


def other(name: str) -> str:
    """The good KPI under another id and name."""
    return (SHARE + SECOND).replace("  share:\n    name: Share", f"  {name}:\n    name: {name.title()}")


FAILS = ("value: 0.25", "value: 0.5")


@pytest.mark.parametrize(
    ("old", "new", "at_new", "code"),
    [
        ("owner: head", "owner: haed", "owner: haed", "C020"),
        ("    pitfall: Silence.\n", "", "share:", "C011"),
        ("    pitfall: Silence.\n", "    pitfal: Silence.\n", "pitfal:", "C010"),
        ("min_n: 1", "min_n: one", "min_n: one", "C012"),
        ("name: Share", "name: *a", "*a", "C006"),
        ("name: Share", "name: Share\n    name: Part", "name: Part", "C005"),
        ("dimensions: [topic]", "dimensions: [topik]", "topik]", "C034"),
        ("dimensions: [topic]", "dimensions: [topic, topic]", "topic]", "C025"),
        ("pitfall: Silence.", "pitfall: Silence.\n    target: {at_most: 0.5, since: 2026-01-01, source: us}",
         "at_most: 0.5", "C041"),
        ("pitfall: Silence.", "pitfall: Silence.\n    target: {at_least: 20, since: 2026-01-01, source: us}",
         "at_least: 20", "C042"),
    ],
)  # fmt: skip
def test_a_failing_example_is_told_beside_what_its_value_does_not_rest_on(
    tmp_path: Path, bench: Bench, old: str, new: str, at_new: str, *, code: str
) -> None:
    """1 of 4 is said to be 0.5, and something else is wrong in the same KPI: both are told, and nothing that follows."""
    text = (HEAD + SHARE + SECOND).replace(old, new).replace(*FAILS)
    expected = [at(text, at_new, code), at(text, "says: one of four", "C062")]
    assert told(tmp_path, bench, text) == sorted(expected)


@pytest.mark.parametrize(
    ("old", "new", "at_new", "code"),
    [
        ("kind: ratio", "kind: ration", "kind: ration", "C013"),
        ("fact: contacts", "fact: contact", "fact: contact\n", "C030"),
        ("numerator: sum(is_deflected)", "numerator: sums(is_deflected)", "numerator: sums", "C031"),
        ("numerator: sum(is_deflected)", "numerator: sum(is_deflectd)", "numerator: sum(is_deflectd)", "C032"),
        ("interval: wilson", "interval: wilsson", "interval: wilsson", "C012"),
        ("denominator: count(*)", "denominator: sum(is_deflected)", "denominator: sum", "C044"),
    ],
)  # fmt: skip
def test_what_follows_from_a_wrong_definition_is_not_told(
    tmp_path: Path, bench: Bench, old: str, new: str, at_new: str, *, code: str
) -> None:
    """An example is not run while what it is computed from is wrong, and the sound KPI beside it is."""
    text = HEAD + (SHARE + SECOND).replace(old, new) + other("part").replace(*FAILS)
    expected = [at(text, at_new, code), at(text[text.index("  part:") :], "says: one of four", "C062")]
    line = int(expected[1].partition(":")[0]) + text[: text.index("  part:")].count("\n")
    expected[1] = f"{line}:{expected[1].partition(':')[2]}"
    assert told(tmp_path, bench, text) == sorted(expected)


def test_a_wrong_definition_does_not_hide_an_unreadable_example(tmp_path: Path, bench: Bench) -> None:
    """Columns and values of its rows are judged against the fact, though the measure is wrong; both columns are told."""
    text = HEAD + SHARE.replace("topic: a}, {is_d", "topik: a}, {is_d").replace("times: 3", "chanel: b")
    text = text.replace("sum(is_deflected)", "sum(is_deflectd)") + SECOND.replace("is_deflected: 0", "is_deflected: no")
    expected = [at(text, "numerator: sum", "C032"), at(text, "says: one of four", "C061"),
                at(text, "says: one of four", "C061"), at(text, "says: nothing to", "C061")]  # fmt: skip
    assert told(tmp_path, bench, text) == sorted(expected)


def test_where_the_yaml_breaks_only_its_record_is_lost(tmp_path: Path, bench: Bench) -> None:
    """A colon, a tab and an open quote in three KPIs are told, each once, with every mistake of the others."""
    broken = [
        other("colon").replace("says: one of four", "says: one of four: a quarter"),
        other("tab").replace("    unit: ratio", "\tunit: ratio"),
        other("quote").replace("leaves_out: Spam.", 'leaves_out: "Spam.'),
    ]
    text = (
        HEAD
        + broken[0]
        + other("sound").replace("owner: head", "owner: haed")
        + broken[1]
        + GAIN.replace("value: 0.5", "value: 0.6")
    )
    text += broken[2] + other("last").replace("unit: ratio", "unit: USD")
    expected = [
        at(text, '"Spam.', "C004"), at(text, ": a quarter", "C004"), at(text, "\tunit", "C004"), at(text, "owner: haed", "C020"),
        at(text, "{says: half", "C062"), at(text, "unit: USD\n", "C040"),
    ]  # fmt: skip
    assert told(tmp_path, bench, text) == sorted(expected)


def test_what_stands_beside_a_trap_of_the_whole_file_is_told(tmp_path: Path, bench: Bench) -> None:
    """A directive, bytes that are not UTF-8 and a second document, and a wrong owner before it."""
    text = "%YAML 1.2\n---\n" + (HEAD + SHARE + SECOND).replace("owner: head", "owner: haed") + "---\nversion: 1\n"
    path = tmp_path / "metrics_catalog.yaml"
    path.write_bytes(text.replace("Spam", "Sp\xe4m").encode("latin-1"))
    _, problems = examine(path, facts=bench.facts)
    assert [one.code for one in problems] == ["C006", "C020", "C003", "C006"]


def test_the_second_of_two_kpis_of_one_id_is_judged(tmp_path: Path, bench: Bench) -> None:
    """Copied and not renamed: its id, its name and the mistakes in it are told."""
    copy = (SHARE + SECOND).replace("unit: ratio", "unit: USD").replace("one of four", "a quarter").replace(*FAILS)
    text = HEAD + SHARE + SECOND + copy
    found = [one.split()[1] for one in told(tmp_path, bench, text)]
    assert sorted(found) == ["C005", "C024", "C040"]


def test_a_kind_nobody_knows_is_read_as_the_one_its_keys_fit(tmp_path: Path) -> None:
    """Percentile and value make it a percentile, whose column is then judged; keys of other kinds are not guessed at."""
    text = kpis.broken("kind: percentile", "kind: tail").replace("value: latency_s", "value: latency_z")
    _, problems = examine(kpis.written(tmp_path, text), facts=kpis.FACTS)
    assert [one.code for one in problems] == ["C013", "C032"]
    text = kpis.broken("    kind: snapshot\n", "").replace(
        "unit: ratio\n    direction: up\n    cadence: monthly\n    dim",
        "unit: h\n    direction: up\n    cadence: monthly\n    dim",
    )
    _, problems = examine(kpis.written(tmp_path, text), facts=kpis.FACTS)
    assert [one.code for one in problems] == ["C011", "C040"]


def test_what_follows_from_an_id_that_stands_twice_is_not_told(tmp_path: Path) -> None:
    """A KPI that took the id of another: the lines of the return that mean the other one are no mistake.

    Told are the id, and the subscription that now leads nowhere; units and parts of the wrong one are not held against
    the lines, nor its owner against the roles.
    """
    text = (ROOT / "metrics_catalog.yaml").read_text(encoding="utf-8")
    twice = text.replace("\n  pilot_to_production_rate:\n", "\n  deflection_rate:\n")
    line = twice.splitlines().index("  deflection_rate:", twice.splitlines().index("  deflection_rate:") + 1) + 1
    path = tmp_path / "metrics_catalog.yaml"
    path.write_text(twice, encoding="utf-8")
    _, problems = examine(path, facts=bound_facts())
    assert [one.code for one in problems] == ["C021", "C005"]
    assert problems[0].message.startswith("found a subscription to 'pilot_to_production_rate'")
    assert problems[1].where == f"metrics_catalog.yaml:{line}:3"
