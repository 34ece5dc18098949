"""Dated targets, and which of them holds on a day."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from pipeline.catalog.records import Day, Number, Strict, Text


class Target(Strict):
    """A dated target: a value to reach (`at_least`) or to stay under (`at_most`), since when, and who says so."""

    at_least: Number | None = None
    at_most: Number | None = None
    since: Day
    source: Text

    @model_validator(mode="after")
    def _one_side(self) -> Target:
        if (self.at_least is None) == (self.at_most is None):
            found = "neither" if self.at_least is None else "both"
            raise PydanticCustomError("target_sides", "{found}", {"found": found})
        return self

    @property
    def side(self) -> Literal["at_least", "at_most"]:
        """The side it bounds."""
        return "at_most" if self.at_least is None else "at_least"

    @property
    def value(self) -> Decimal:
        """The value to reach or to stay under."""
        return Decimal(getattr(self, self.side))


def written(targets: Sequence[Target]) -> list[dict[str, object]]:
    """Targets as JSON has them, for an edition to keep."""
    return [one.model_dump(mode="json", exclude_none=True) for one in targets]


def read(kept: Sequence[Mapping[str, object]]) -> tuple[Target, ...]:
    """Targets that an edition kept."""
    texts: dict[str, Callable[[str], object]] = {"since": date.fromisoformat, "at_least": Decimal, "at_most": Decimal}
    return tuple(
        Target.model_validate({key: texts.get(key, str)(str(value)) for key, value in one.items()}) for one in kept
    )


def in_force(targets: Sequence[Target], day: date) -> Target | None:
    """The newest target that holds on a day, of some in the order of their days; None before the first."""
    return next((one for one in reversed(targets) if one.since <= day), None)
