"""What an edition has that the one before had not: definitions of KPIs, lines of benefit, and assumptions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.reports import evidence, formats, returns
from pipeline.reports.model import EditionData
from pipeline.roi.records import LineSummary, RoiResult, Standing

DEFINITIONS = {"changed": "Definition changed", "new": "New", "retired": "Retired"}
OWNERS = (returns.OWNER, evidence.OWNER)
"""Roles on whose pages changes of the return stand."""


def changes(data: EditionData, role_id: str, kpi_ids: Iterable[str]) -> tuple[str, ...]:
    """What changed in the definitions behind a role's page, in sentences."""
    of_return = list(_of_return(data.before, data.roi)) if role_id in OWNERS else []
    return (*redefined(data, set(kpi_ids)), *of_return)


def redefined(data: EditionData, kpi_ids: Iterable[str]) -> list[str]:
    """KPIs by what became of their definition since the edition before, in words; retired ones belong to everybody."""
    metrics, wanted = data.catalog.metrics, set(kpi_ids)
    said = []
    for change, words_of in DEFINITIONS.items():
        ids = [str(row["kpi_id"]) for row in data.definitions if row["change"] == change]
        names = [metrics[kpi].name if kpi in metrics else kpi for kpi in ids if kpi in wanted or kpi not in metrics]
        said += [f"{words_of}: {formats.listed(names)}."] if names else []
    return said + [one.text for one in moved_targets(data, data.edition["number"]) if one.kpi_id in wanted]


@dataclass(frozen=True)
class MovedTarget:
    """A target that an edition told otherwise than the one before it."""

    kpi_id: str
    name: str
    edition: str
    old: str
    new: str

    @property
    def text(self) -> str:
        """The change as a sentence."""
        return f"Target changed: {self.name}, {self.old} to {self.new}."


def moved_targets(data: EditionData, number: int | None = None) -> list[MovedTarget]:
    """The targets that editions moved, the newest first; of one edition alone when its `number` is given."""
    metrics = data.catalog.metrics
    return [
        MovedTarget(one["kpi_id"], metrics[one["kpi_id"]].name, str(one["edition"]), one["old"], one["new"])
        for one in data.targets
        if one["kpi_id"] in metrics and number in (None, one["edition"])
    ]


def _of_return(before: RoiResult | None, now: RoiResult | None) -> Iterator[str]:
    if before is None or now is None:
        return
    yield from _lines({one.line: one for one in before.lines}, {one.line: one for one in now.lines})
    yield from _assumptions(
        {(one.assumption_id, one.use_case): one for one in before.assumptions},
        {(one.assumption_id, one.use_case): one for one in now.assumptions},
    )


def _lines(before: dict[str, LineSummary], now: dict[str, LineSummary]) -> Iterator[str]:
    """Lines of benefit that are new, defined otherwise, graded otherwise, or gone."""
    for key, one in now.items():
        old = before.get(key)
        if old is None:
            grade = f", grade {one.grade}" if one.grade else ""
            yield f"New line of benefit: {one.name} ({one.ledger}{grade}), answered for by {one.owner}."
        elif old.definition_hash != one.definition_hash:
            yield f"Line of benefit changed: {one.name}, definition {old.definition_hash} to {one.definition_hash}."
        elif old.grade != one.grade:
            yield f"Evidence changed: {one.name}, grade {old.grade or 'none'} to {one.grade or 'none'}."
    yield from (f"Line of benefit retired: {old.name}." for key, old in before.items() if key not in now)


def _assumptions(before: dict[tuple[str, str], Standing], now: dict[tuple[str, str], Standing]) -> Iterator[str]:
    """Assumptions that are new, have other figures, stand otherwise, or are gone."""
    for key, one in now.items():
        old, name = before.get(key), _name(one)
        if old is None:
            yield f"New assumption: {name}, {_figures(one)}, {one.standing}."
        elif (old.low, old.base, old.high, old.unit) != (one.low, one.base, one.high, one.unit):
            yield f"Assumption changed: {name}, {_figures(old)} to {_figures(one)}."
        elif old.standing != one.standing:
            yield f"Assumption stands otherwise: {name}, {old.standing} to {one.standing}."
    yield from (f"Assumption no longer used: {_name(old)}." for key, old in before.items() if key not in now)


def _name(one: Standing) -> str:
    return f"{one.assumption_id} ({one.use_case.replace('_', ' ')})" if one.use_case else one.assumption_id


def _figures(one: Standing) -> str:
    return returns.assumed(one).text
