"""Lines of benefit: one thing broken gives one problem at its place, and nothing is claimed twice."""
# ruff: noqa: E501 - a message stands in one piece

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog.benefits import Benefit
from pipeline.catalog.check import examine, load_checked
from pipeline.catalog.difference import difference
from pipeline.catalog.hashes import benefit_hash, catalog_hash
from pipeline.errors import Problem

GOOD = """\
version: 1
roles:
  head: {title: Head, layer: strategic, tier: 1, question: Is it worth it?}
metrics:
  settled:
    name: Settled
    owner: head
    question: How many?
    kind: ratio
    fact: contacts
    numerator: sum(is_settled)
    denominator: count(*)
    unit: ratio
    direction: up
    cadence: monthly
    min_n: 5
    interval: wilson
    leaves_out: Spam.
    pitfall: Silence.
  saved:
    name: Saved
    owner: head
    question: How long?
    kind: total
    fact: tasks
    total: sum(hours_saved)
    unit: h
    direction: up
    cadence: monthly
    dimensions: [use_case]
    min_n: 5
    interval: exact
    leaves_out: Guesses.
    pitfall: Felt time.
  worth:
    name: Worth
    owner: head
    question: How much?
    kind: formula
    inputs: {amount: USD}
    formula: amount
    awaits: the ROI model
    unit: USD
    direction: up
    cadence: monthly
    interval: simulation
    leaves_out: Nothing.
    pitfall: None.
benefits:
  contacts_settled:
    name: Contacts settled
    owner: head
    use_cases: [support]
    ledger: cash
    claims: contact
    factors:
      - {kpi: settled, part: numerator, unit: contact}
      - {assumption: cost_per_contact, unit: USD/contact}
    attribution: due_to_us
    realisation: left_the_budget
    risk: goes_wrong
    deductions:
      - name: Review
        factors:
          - {assumption: reviewed, unit: contact/month}
          - {assumption: review_time, unit: min/contact}
          - {assumption: loaded_rate, unit: USD/h}
    evidence: {design: before_after, says: Settled before and after the launch}
  hours_saved:
    name: Hours saved
    owner: head
    use_cases: [every]
    ledger: capacity
    claims: hour
    factors:
      - {kpi: saved, unit: h}
      - {assumption: loaded_rate, unit: USD/h}
    attribution: due_to_us
    realisation: becomes_money
    risk: goes_wrong
    evidence: {design: before_after, says: Minutes against a baseline}
  seats:
    name: Seats given back
    owner: head
    use_cases: [coding, drafting]
    ledger: cash
    claims: seat
    factors: [{assumption: seats_saved, unit: USD/month}]
    attribution: due_to_us
    realisation: left_the_budget
    risk: goes_wrong
    evidence: {design: randomised, experiment: exp-1, metric: seats, says: Teams drawn by lot}
    excludes: [hours_saved]
  reputation:
    name: Reputation
    owner: head
    use_cases: [every]
    ledger: strategic
    says: Applicants name the assistant as a reason to join.
"""
FACTS = {"contacts": {"day": "DATE", "is_settled": "INTEGER"}, "tasks": {"day": "DATE", "hours_saved": "DECIMAL(18,9)",
         "use_case": "VARCHAR"}}  # fmt: skip

MISTAKES = [
    pytest.param("owner: head\n    use_cases: [support]", "owner: haed\n    use_cases: [support]", "§owner: haed", "C020",
                 "found owner 'haed', expected one of head, did you mean head?", id="owner"),
    pytest.param("    claims: contact\n", "    claim: contact\n", "    §claim: contact", "C010",
                 "found the key 'claim', expected a key of the record, did you mean claims?", id="typo in a key"),
    pytest.param("unit: USD/contact}", "units: USD/contact}", "§units: USD/contact", "C010",
                 "found the key 'units', expected one of kpi, part, assumption, effect, remainder, unit, did you mean unit?",
                 id="typo in a factor"),
    pytest.param("{assumption: cost_per_contact, unit", "{assumption: cost_per_contact, kpi: saved, unit",
                 "      - §{assumption: cost_per_contact, kpi", "C070",
                 "found kpi and assumption of kpi, assumption and effect, expected one of the three", id="two in one"),
    pytest.param("{assumption: cost_per_contact, unit", "{unit", "      - §{unit: USD/contact", "C070",
                 "found none of kpi, assumption and effect, expected one of the three", id="none in one"),
    pytest.param("- {kpi: saved, unit: h}", "- {kpi: saved, remainder: true, unit: h}", "§remainder: true", "C070",
                 "found remainder of h, expected unit: ratio, for only a share leaves a remainder", id="remainder of hours"),
    pytest.param("- {kpi: saved, unit: h}", "- {kpi: savd, unit: h}", "§kpi: savd", "C071",
                 "found KPI 'savd', expected one of settled, saved, did you mean saved?", id="unknown KPI"),
    pytest.param("- {kpi: saved, unit: h}", "- {kpi: worth, unit: USD}", "§kpi: worth", "C071",
                 "found KPI 'worth', which is a formula, expected one of settled, saved", id="formula"),
    pytest.param("- {kpi: saved, unit: h}", "- {kpi: saved, part: numerator, unit: h}", "§part: numerator, unit: h}", "C071",
                 "found the numerator of a total, expected part: value", id="part"),
    pytest.param("unit: USD/contact}", "unit: USD/task}", "    §factors:\n      - {kpi: settled, part: numerator, unit: contact}\n      - {assumption: cost_per_contact", "C072",
                 "found contact × USD/task = contact·USD/task, expected USD, or USD/month", id="no money"),
    pytest.param("unit: min/contact", "unit: min", "        §factors:\n          - {assumption: reviewed", "C072",
                 "found contact/month × min × USD/h = contact·USD/month, expected USD, or USD/month", id="deduction"),
    pytest.param("- {kpi: saved, unit: h}", "- {kpi: saved, unit: task}", "§unit: task}", "C072",
                 "found unit 'task', expected h, the unit of the value of saved", id="unit of a KPI"),
    pytest.param("use_cases: [support]", "use_cases: [support, sales]", "§kpi: settled", "C073",
                 "found settled, which is not told by use case, in a line of support, sales, expected one use case",
                 id="not by use case"),
    pytest.param("excludes: [hours_saved]", "excludes: [hour_saved]", "[§hour_saved", "C075",
                 "found 'hour_saved' in excludes, expected one of contacts_settled, hours_saved, reputation, "
                 "did you mean hours_saved?", id="unknown line"),
    pytest.param("excludes: [hours_saved]", "excludes: [hours_saved]\n    disjoint: {hours_saved: Never the same}", "{§hours_saved: Never", "C075",
                 "found 'hours_saved' in disjoint and in excludes, expected it in one of excludes and disjoint", id="both"),
    pytest.param("    says: Applicants", "    claims: risk\n    says: Applicants", "§ledger: strategic", "C076",
                 "found a strategic line with claims, expected says: the benefit in words, and no factors", id="strategic"),
    pytest.param("    risk: goes_wrong\n    deductions", "    deductions", "§ledger: cash\n    claims: contact", "C076",
                 "found a cash line without risk, expected claims, factors, attribution, realisation, risk, evidence, and no says",
                 id="no risk"),
    pytest.param("      - {kpi: saved, unit: h}\n      - {assumption: loaded_rate, unit: USD/h}\n",
                 "      - {assumption: loaded_rate, unit: USD/h}\n      - {kpi: saved, unit: h}\n", "    §factors:\n      - {assumption: loaded_rate", "C076",
                 "found 1 factors in USD/h, not at the end, expected hours first, then one rate in USD/h as the last factor",
                 id="money before hours"),
    pytest.param("    ledger: capacity\n", "    ledger: cash\n", "§ledger: cash\n    claims: hour", "C076",
                 "found a cash line with a rate in USD/h, expected ledger: capacity, for an hour that is freed is no money yet",
                 id="hours as cash"),
    pytest.param("design: randomised, experiment: exp-1, metric: seats", "design: randomised, metric: seats", "{§design: randomised", "C077",
                 "found design randomised without experiment and metric, expected the data it rests on", id="no experiment"),
    pytest.param("[{assumption: seats_saved, unit: USD/month}]", "[{effect: Seats per team, unit: seat}, {assumption: price, unit: USD/seat}]\n"
                 "    since: 2026-02-01\n    until: 2026-01-01", "§until: 2026-01-01", "C076",
                 "found until 2026-01-01 with since 2026-02-01, expected a later day", id="until before since"),
    pytest.param("- {kpi: saved, unit: h}", "- {effect: Hours, unit: h}", "{§design: before_after, says: Minutes", "C077",
                 "found an effect with design before_after, expected evidence with experiment and metric, which give the effect",
                 id="effect without data"),
]  # fmt: skip


def problems(folder: Path, text: str) -> list[Problem]:
    """What is wrong with the text of a catalogue."""
    path = folder / "metrics_catalog.yaml"
    path.write_text(text, encoding="utf-8")
    return examine(path, facts=FACTS)[1]


def place(text: str, marked: str) -> str:
    """`file:line:column` of the spot marked with § in the one passage of the text that reads so."""
    before, after = marked.split("§")
    assert text.count(before + after) == 1, f"{marked!r} is not one passage"
    head = text[: text.index(before + after) + len(before)]
    return f"metrics_catalog.yaml:{head.count(chr(10)) + 1}:{len(head) - head.rfind(chr(10))}"


def test_the_good_lines_are_good(tmp_path: Path) -> None:
    """Nothing is wrong with the text that mistakes are seeded in."""
    assert problems(tmp_path, GOOD) == []
    assert list(load_checked(tmp_path / "metrics_catalog.yaml", facts=FACTS).benefits) == [
        "contacts_settled", "hours_saved", "seats", "reputation",
    ]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "at", "code", "message"), MISTAKES)
def test_one_mistake_gives_one_problem(tmp_path: Path, old: str, new: str, at: str, *, code: str, message: str) -> None:
    """Breaking one thing gives exactly that problem, at its place, with its code and words."""
    assert GOOD.count(old) == 1, old
    text = GOOD.replace(old, new)
    assert problems(tmp_path, text) == [Problem(place(text, at), code, message)]


SECOND = """\
  more_contacts:
    name: More contacts
    owner: head
    use_cases: {use_cases}
    ledger: cash
    claims: {claims}
    factors:
      - {{kpi: settled, part: {part}, unit: contact}}
      - {{assumption: cost_per_contact, unit: USD/contact}}
    attribution: due_to_us
    realisation: left_the_budget
    risk: goes_wrong
    evidence: {{design: assumption, says: A guess}}
"""


def with_second(*extra: str, use_cases: str = "[support]", claims: str = "contact", part: str = "denominator") -> str:
    """The good catalogue with a second line about contacts."""
    return (
        GOOD + SECOND.format(use_cases=use_cases, claims=claims, part=part) + "".join(f"    {one}\n" for one in extra)
    )


OVERLAPS = [
    pytest.param(with_second(), "contacts_settled and more_contacts both claim contact for support", id="same claim"),
    pytest.param(with_second(part="numerator"), "contacts_settled and more_contacts both count the same number for support",
                 id="same number"),
    pytest.param(with_second(part="numerator", claims="task"),
                 "contacts_settled and more_contacts both count the same number for support", id="same number, other claim"),
    pytest.param(with_second("excludes: [contacts_settled]"),
                 "contacts_settled and more_contacts exclude each other and both claim for support", id="excluded"),
    pytest.param(with_second("excludes: [contacts_settled]", claims="spend"),
                 "contacts_settled and more_contacts exclude each other and both claim for support",
                 id="excluded, other claim"),
    pytest.param(with_second("disjoint: {contacts_settled: Other contacts}", part="numerator"),
                 "contacts_settled and more_contacts are called disjoint and both count the same number for support",
                 id="disjoint in words alone"),
    pytest.param(with_second("since: 2026-03-01").replace("says: Settled before and after the launch}",
                 "says: Settled before and after the launch}\n    until: 2026-03-02"),
                 "contacts_settled and more_contacts both claim contact for support", id="one day in common"),
    pytest.param(GOOD.replace("claims: seat", "claims: hour").replace("    excludes: [hours_saved]\n", ""),
                 "hours_saved and seats both claim hour for every use case", id="every use case"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), OVERLAPS)
def test_a_planted_overlap_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """Eight overlaps that the catalogue alone tells; each names both lines."""
    (problem,) = problems(tmp_path, text)
    assert problem.code == "C074"
    assert problem.message.startswith(f"found {message}, expected one of them there")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(with_second("disjoint: {contacts_settled: Only contacts a person answered}"), id="disjoint"),
        pytest.param(with_second("since: 2026-03-01").replace("says: Settled before and after the launch}",
                     "says: Settled before and after the launch}\n    until: 2026-03-01"), id="one after the other"),
        pytest.param(with_second("excludes: [contacts_settled]", use_cases="[sales]"), id="another use case"),
        pytest.param(GOOD, id="every use case: only data tell"),
    ],
)  # fmt: skip
def test_lines_that_do_not_meet_are_accepted(tmp_path: Path, text: str) -> None:
    """Disjoint for a reason, apart in time, apart in use case; the rest is for the run to tell."""
    assert problems(tmp_path, text) == []


def test_words_change_no_number(tmp_path: Path) -> None:
    """The hash of a line follows its factors and not its name; a catalogue without lines keeps its hash."""
    assert problems(tmp_path, GOOD) == []
    old = load_checked(tmp_path / "metrics_catalog.yaml", facts=FACTS)
    line = old.benefits["seats"]
    assert benefit_hash(line.model_copy(update={"name": "Chairs"})) == benefit_hash(line)
    assert benefit_hash(line.model_copy(update={"risk": "other"})) != benefit_hash(line)
    renamed = old.model_copy(update={"benefits": {**old.benefits, "seats": line.model_copy(update={"name": "Chairs"})}})
    moved = old.model_copy(update={"benefits": {**old.benefits, "seats": line.model_copy(update={"risk": "other"})}})
    assert [(one.section, one.id, one.effect) for one in difference(old, renamed).records] == [
        ("benefits", "seats", "words")
    ]
    assert [(one.section, one.id, one.effect) for one in difference(old, moved).records] == [
        ("benefits", "seats", "numbers")
    ]
    bare = old.model_copy(update={"benefits": {}})
    assert catalog_hash(bare) != catalog_hash(old)
    assert Benefit.model_validate(line.model_dump()) == line
