"""Read the catalogue: YAML to typed records, with everything that is wrong told at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.catalog import codes
from pipeline.catalog.document import KeyPath, Positions, read_document
from pipeline.catalog.mending import Draft
from pipeline.catalog.model import Catalog
from pipeline.catalog.salvage import parse_what_can_be
from pipeline.catalog.wording import problem
from pipeline.errors import ConfigurationError, Problem, in_file_order


@dataclass(frozen=True)
class Reading:
    """What could be read of a catalogue, sound or not."""

    catalog: Catalog | None
    """Every record that can be judged, with stand-ins for keys that cannot be read, which are `unknown` in `positions`;
    None when the file has no order that records could be taken from."""
    positions: Positions
    problems: tuple[Problem, ...] = ()
    set_aside: frozenset[KeyPath] = frozenset()
    """Records, as ("roles", "metrics" or "benefits", id), that are in the file but not in `catalog`."""
    doubled: frozenset[KeyPath] = frozenset()
    """Keys that stand twice."""


def load_catalog(path: Path) -> Catalog:
    """The catalogue in a file; raises one ConfigurationError with every problem of its YAML and its records."""
    reading = read_catalog(path)
    if reading.problems or reading.catalog is None:
        raise configuration_error(path, reading.problems)
    return reading.catalog


def read_catalog(path: Path) -> Reading:
    """Read a catalogue without raising: its records, where each key stands, and every problem."""
    document = read_document(path, parse_what_can_be)
    if not document.readable:
        return Reading(None, document.positions, document.problems)
    if document.data is None:
        empty = problem(document.positions.where(), codes.NOT_YAML, found="an empty file", expected="a catalogue")
        return Reading(None, document.positions, (*document.problems, empty))
    draft = Draft(document)
    problems = in_file_order([*document.problems, *draft.problems])
    return Reading(draft.catalog, draft.positions, problems, draft.set_aside, document.doubled)


def configuration_error(path: Path, problems: Iterable[Problem]) -> ConfigurationError:
    """The one error that carries all problems of a catalogue."""
    found = in_file_order(problems)
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    return ConfigurationError(f"{path.name}: {count}; nothing was run", found)
