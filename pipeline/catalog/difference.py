"""What differs between two catalogues, record by record and key by key, and what that can do to the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel

from pipeline.catalog.benefits import Benefit
from pipeline.catalog.hashes import benefit_hash, catalog_hash, definition_hash
from pipeline.catalog.model import AnyMetric, Catalog

Change = Literal["added", "removed", "changed"]
Effect = Literal["numbers", "verdicts", "words"]
"""The most a change can do: to values, only to how they are judged, or only to what is read beside them."""
_TARGETS = ("target", "earlier_targets")


@dataclass(frozen=True)
class KeyChange:
    """A key with another value; nested keys are joined by a point, and a key that is not there is None."""

    key: str
    old: object
    new: object


@dataclass(frozen=True)
class RecordChange:
    """A record that came, went or changed; hashes are those of definitions: of KPIs and lines of benefit."""

    section: str
    id: str
    change: Change
    effect: Effect
    keys: tuple[KeyChange, ...] = ()
    old_hash: str | None = None
    new_hash: str | None = None

    @property
    def means(self) -> str:
        """What the change can do, in words."""
        if self.effect == "numbers":
            return {"added": "new numbers", "removed": "its numbers go", "changed": "numbers can change"}[self.change]
        return "verdicts can change, numbers cannot" if self.effect == "verdicts" else "no number changes"


@dataclass(frozen=True)
class Difference:
    """Everything that differs between two catalogues, in the order of the new one."""

    old_hash: str
    new_hash: str
    records: tuple[RecordChange, ...]
    keys: tuple[KeyChange, ...] = ()
    """Keys of the catalogue itself, such as its version."""
    reordered: tuple[str, ...] = ()
    """Sections whose records stand in another order, which is that of pages."""

    @property
    def is_empty(self) -> bool:
        """Return whether a reader of pages would see nothing new."""
        return not (self.records or self.keys or self.reordered)

    def recomputed(self) -> list[RecordChange]:
        """The KPIs whose numbers or verdicts may be others."""
        return [one for one in self.records if one.section == "metrics" and one.effect != "words"]


def difference(old: Catalog, new: Catalog) -> Difference:
    """What it takes to come from the old catalogue to the new; a default written out is no difference."""
    before, after = _sections(old), _sections(new)
    names = list(dict.fromkeys([*after, *before]))
    records = [change for name in names for change in _records(name, before.get(name, {}), after.get(name, {}))]
    return Difference(
        old_hash=catalog_hash(old),
        new_hash=catalog_hash(new),
        records=tuple(records),
        keys=tuple(_key_changes(_own_keys(old), _own_keys(new))),
        reordered=tuple(name for name in names if _order_differs(before.get(name, {}), after.get(name, {}))),
    )


def _sections(catalog: Catalog) -> dict[str, Mapping[str, BaseModel]]:
    """The keys of a catalogue that hold records by id."""
    held = {name: getattr(catalog, name) for name in type(catalog).model_fields}
    return {name: value for name, value in held.items() if isinstance(value, dict)}


def _own_keys(catalog: Catalog) -> dict[str, object]:
    return catalog.model_dump(exclude=set(_sections(catalog)))


def _records(section: str, before: Mapping[str, BaseModel], after: Mapping[str, BaseModel]) -> Iterator[RecordChange]:
    for name in dict.fromkeys([*after, *before]):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield _record(section, name, old, new)


def _record(section: str, name: str, old: BaseModel | None, new: BaseModel | None) -> RecordChange:
    """The change of one record; of one that is new or gone no key is told, for each of them is."""
    change: Change = "added" if old is None else "removed" if new is None else "changed"
    keys = tuple(_key_changes(old.model_dump(), new.model_dump())) if old is not None and new is not None else ()
    hashes = [_hash(one) for one in (old, new)]
    return RecordChange(section, name, change, _effect(hashes, keys), keys, *hashes)


def _hash(record: BaseModel | None) -> str | None:
    if isinstance(record, Benefit):
        return benefit_hash(record)
    return definition_hash(record) if isinstance(record, AnyMetric) else None


def _effect(hashes: list[str | None], keys: tuple[KeyChange, ...]) -> Effect:
    if hashes[0] != hashes[1]:
        return "numbers"
    is_kpi = hashes[0] is not None
    return "verdicts" if is_kpi and any(one.key.partition(".")[0] in _TARGETS for one in keys) else "words"


def _key_changes(old: Mapping[str, object], new: Mapping[str, object], prefix: str = "") -> Iterator[KeyChange]:
    """Keys whose value differs; of two nested records the keys within."""
    for key in dict.fromkeys([*new, *old]):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _key_changes(before, after, f"{prefix}{key}.")
        else:
            yield KeyChange(f"{prefix}{key}", plain(before), plain(after))


def _order_differs(before: Mapping[str, object], after: Mapping[str, object]) -> bool:
    both = before.keys() & after.keys()
    return [name for name in before if name in both] != [name for name in after if name in both]


def plain(value: object) -> object:
    """A value as JSON has it: numbers as they were written, dates as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items() if one is not None}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date) else value
