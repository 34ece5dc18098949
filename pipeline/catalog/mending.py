"""Stand-ins for what cannot be read in a catalogue, so that one run tells everything else that is wrong with it.

A key that cannot be read gets a value that is never told to anybody, and a place at 0:0: whatever is found there is
dropped, for it follows from what has been told. A key that is misspelled is read as the one that it may have been
meant to be, a kind that does not exist as the one that the keys fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import ValidationError

from pipeline.catalog.document import Document, KeyPath, Positions
from pipeline.catalog.model import KINDS, Catalog
from pipeline.catalog.validation import Finding, fitting_kind, found_by, problem_of, value_at
from pipeline.catalog.wording import near
from pipeline.errors import Problem

_ROUNDS = 12
"""How often what was mended is read again: a kind or a target that can be read shows more of what is beside it."""
_COMMON = frozenset.intersection(*(frozenset(model.model_fields) for model in KINDS.values()))
"""Keys of every kind."""
Record = dict[str, Any]
_Held = TypeVar("_Held")
_NOBODY = "not_known"
"""Stands in for a name, a text and a measure; there is no column, fact or role of that name, and it is no measure."""


def _factor() -> Record:
    return {"assumption": _NOBODY, "unit": "ratio"}


def _direction(record: Record) -> str:
    target = record.get("target")
    return "down" if isinstance(target, Mapping) and "at_most" in target else "up"


def _interval(record: Record) -> str:
    """The one that goes with what stands beside it."""
    choices = KINDS[record["kind"]].model_fields["interval"].annotation.__args__  # type: ignore[union-attr]
    return "clustered" if "clustered" in choices and record.get("cluster") else str(choices[0])


_STAND_INS: dict[str, Callable[[Record], object]] = {
    "version": lambda _: 1, "fiscal_year_begins": lambda _: 1,
    **dict.fromkeys(("roles", "metrics", "benefits", "inputs", "disjoint"), lambda _: {}),
    **dict.fromkeys(("subscribes", "dimensions", "references", "examples", "factors", "deductions", "excludes",
                     "earlier_targets"), lambda _: []),
    **dict.fromkeys(("target", "aim", "worst_of", "claims", "until"), lambda _: None),
    "layer": lambda _: "strategic", "tier": lambda _: 3,
    "unit": lambda record: "USD" if "kind" in record else "ratio",
    "direction": _direction, "interval": _interval, "cadence": lambda _: "monthly", "people": lambda _: True,
    "headline": lambda _: "value", "cumulative": lambda _: False, "min_n": lambda _: 1, "per": lambda _: 2,
    "matures_after_days": lambda _: 0, "percentile": lambda _: 0.5, "at_least": lambda _: 2, "at_most": lambda _: 1,
    "gap_minutes": lambda _: 1, "measure": lambda _: "nDCG", "since": lambda _: "2000-01-01",
    "use_cases": lambda _: ["every"], "ledger": lambda _: "strategic", "part": lambda _: "value",
    "remainder": lambda _: False, "design": lambda _: "assumption", "better": lambda _: "more",
    "evidence": lambda _: {"design": "assumption", "says": _NOBODY},
}  # fmt: skip
"""Key -> what stands in for it, given the record it is a key of; `_NOBODY` for any other."""
_ITEMS: dict[str, Callable[[], object]] = {
    "examples": lambda: {"says": _NOBODY},
    "earlier_targets": lambda: {"at_least": 1, "since": "2000-01-01", "source": _NOBODY},
    "factors": _factor,
    "deductions": lambda: {"name": _NOBODY, "factors": [_factor()]},
}
"""Key of a list -> what stands in for an item of it."""


class Draft:
    """A document on its way to a catalogue: its data with stand-ins, and what was told of them."""

    def __init__(self, document: Document) -> None:
        self.places, self.texts = dict(document.positions.places), dict(document.texts)
        self.document = replace(document, data=deepcopy(document.data), texts=self.texts)
        self.unknown = set(document.broken)
        self.guessed: set[KeyPath] = set()
        self.mended: dict[KeyPath, int] = {}
        self.round = 0
        self.problems: list[Problem] = []
        self.catalog = self._read()

    @property
    def positions(self) -> Positions:
        """Where the keys stand; those with stand-ins nowhere."""
        return Positions(self.document.positions.file, self.places, frozenset(self.unknown), self.document.doubled)

    @property
    def set_aside(self) -> frozenset[KeyPath]:
        """Records that are in the file but not in the catalogue."""
        records = {path for path in self.unknown if len(path) == 2}
        return frozenset(path for path in records if value_at(self.document.data, path) is None)

    def _read(self) -> Catalog | None:
        for self.round in range(_ROUNDS):
            try:
                return Catalog.model_validate(self.document.data)
            except ValidationError as error:
                self._take(found_by(error, self.document))
            if not isinstance(self.document.data, dict):
                break
        return None

    def _take(self, findings: list[Finding]) -> None:
        """Tell what was found, and mend it."""
        known = [one for one in findings if not self.positions.is_unknown(*one.path)]
        shown = replace(self.document, positions=self.positions)
        self.problems += [problem_of(one, shown) for one in known if not self._follows(one)]
        for finding in findings:
            if finding in known:
                self._mend(finding)
            else:
                self._put_in(finding.path)

    def _follows(self, finding: Finding) -> bool:
        """Whether it is about a key that only kinds have of which nobody knows whether they are meant."""
        key = finding.path[2] if len(finding.path) == 3 else ""
        if finding.path[:2] not in self.guessed or key in _COMMON:
            return False
        return finding.sort == "missing" or (finding.sort == "extra_forbidden" and finding.meant is None)

    def _mend(self, finding: Finding) -> None:
        path, sort = finding.path, finding.sort
        if path[:1] == ("metrics",) and path[2:3] == ("examples",) and len(path) > 4:
            self._put_in(path[:4])
        elif sort == "extra_forbidden":
            self._take_out(path, meant=finding.meant)
        elif sort == "id" and len(path) == 2:
            self._move(path, (path[0], f"id_{len(self.places)}"))
        elif sort == "id":
            self._put_in(path[:-1])
        elif sort in ("union_tag_invalid", "union_tag_not_found"):
            self._guess_kind(path)
        elif sort == "target_sides":
            self._take_side(path)
        else:
            self._put_in(path)

    def _put_in(self, path: KeyPath) -> None:
        """Put a stand-in under a path; a record with none, or whose stand-in does not fit, is left out."""
        if len(path) == 2 or self.mended.get(path, self.round) < self.round:
            path = path[:2]
            self._pop(path)
        elif path:
            container, key = value_at(self.document.data, path[:-1]), path[-1]
            if isinstance(container, list) and isinstance(key, int) and key < len(container):
                item = _ITEMS.get(str(path[-2]))
                container[key] = item() if item else _NOBODY
            elif isinstance(container, dict):
                stand_in = _STAND_INS.get(str(key))
                container[key] = stand_in(container) if stand_in else _NOBODY
        else:
            self.document = replace(self.document, data=None)
        self.mended[path] = self.round
        self.unknown.add(path)

    def _pop(self, path: KeyPath) -> object:
        container = value_at(self.document.data, path[:-1])
        return container.pop(path[-1], None) if isinstance(container, dict) else None

    def _take_out(self, path: KeyPath, *, meant: str | None) -> None:
        """Take a key out that the record does not have, or read it as the one that was meant."""
        if meant is not None:
            self._move(path, (*path[:-1], meant))
        else:
            self._pop(path)

    def _move(self, path: KeyPath, to: KeyPath) -> None:
        value, container = self._pop(path), value_at(self.document.data, path[:-1])
        if isinstance(container, dict):
            container[to[-1]] = value
        self.places |= _moved(self.places, path, to)
        self.texts |= _moved(self.texts, path, to)

    def _guess_kind(self, path: KeyPath) -> None:
        """Take a KPI for one of the kind that is written most alike, or else that its keys fit best."""
        record = value_at(self.document.data, path)
        if not isinstance(record, dict):
            self._put_in(path)
            return
        best = fitting_kind(record)
        if best != near(str(record.get("kind", "")), KINDS):
            self.guessed.add(path)
        record["kind"] = best
        self.unknown.add((*path, "kind"))

    def _take_side(self, path: KeyPath) -> None:
        """Leave a target the side that its KPI should move to."""
        target, metric = value_at(self.document.data, path), value_at(self.document.data, path[:2])
        assert isinstance(target, dict) and isinstance(metric, dict)  # noqa: S101 - else it has no sides
        sides = ("at_most", "at_least") if metric.get("direction") == "down" else ("at_least", "at_most")
        if target.get("at_least") is None and target.get("at_most") is None:
            target[sides[0]] = 1
            self.unknown.add((*path, sides[0]))
        else:
            target.pop(sides[1])


def _moved(held: Mapping[KeyPath, _Held], path: KeyPath, to: KeyPath) -> dict[KeyPath, _Held]:
    """What is held of a path and of all below it, under another one."""
    return {(*to, *one[len(path) :]): what for one, what in held.items() if one[: len(path)] == path}
