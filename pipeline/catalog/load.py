"""Read the catalogue: YAML to typed records, with everything that is wrong told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from pipeline.catalog import codes
from pipeline.catalog.document import Document, KeyPath, Positions, read_document
from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.catalog.validation import found_by
from pipeline.catalog.wording import problem
from pipeline.errors import ConfigurationError, Problem


@dataclass(frozen=True)
class Reading:
    """What could be read of a catalogue, sound or not."""

    catalog: Catalog | None
    """The sound records; None when the file has no order that records could be taken from."""
    positions: Positions
    problems: tuple[Problem, ...] = ()
    set_aside: frozenset[KeyPath] = frozenset()
    """Records, as ("roles", "metrics" or "benefits", id), that have problems of their own and are not in `catalog`."""
    patched: Mapping[str, AnyMetric] = field(default_factory=dict)
    """KPIs of `set_aside` whose other keys can still be judged: stand-ins are put in for those that cannot be read."""
    stood_in: frozenset[KeyPath] = frozenset()
    """The keys that stand-ins were put in for."""


_STAND_INS: dict[str, object] = {
    "name": "a name", "owner": "nobody", "question": "a question", "leaves_out": "nothing", "pitfall": "none",
    "cadence": "monthly", "min_n": 1, "matures_after_days": 0, "dimensions": [], "references": [], "examples": [],
    "target": None, "aim": None,
}  # fmt: skip
"""Keys of a KPI that say nothing about what its other keys must be, with a value that is never told to anybody."""


def load_catalog(path: Path) -> Catalog:
    """The catalogue in a file; raises one ConfigurationError with every problem of its YAML and its records."""
    reading = read_catalog(path)
    if reading.problems or reading.catalog is None:
        raise configuration_error(path, reading.problems)
    return reading.catalog


def read_catalog(path: Path) -> Reading:
    """Read a catalogue without raising: the sound records, where each key stands, and every problem."""
    document = read_document(path)
    problems = list(document.problems)
    if not document.readable:
        return Reading(None, document.positions, tuple(problems))
    if document.data is None:
        empty = problem(document.positions.where(), codes.NOT_YAML, found="an empty file", expected="a catalogue")
        return Reading(None, document.positions, (*problems, empty))
    catalog, findings = _validate(document)
    bad = {path for path, _ in findings} | document.broken
    problems.extend(finding for _, finding in findings)
    set_aside = frozenset(path[:2] for path in bad if len(path) >= 2)
    if catalog is not None:
        return Reading(catalog, document.positions, in_file_order(problems), set_aside)
    stood_in = frozenset(path[:3] for path in bad if len(path) >= 3 and path[2] in _STAND_INS)
    whole = {path[:2] for path in bad if path[:1] == ("metrics",)} - {
        path[:2] for path in bad if path[:3] not in stood_in
    }
    catalog = _sound_part(document.data, set_aside)
    patched = {str(kpi_id): _patched(document.data, str(kpi_id), stood_in) for _, kpi_id in whole} if catalog else {}
    return Reading(catalog, document.positions, in_file_order(problems), set_aside, patched, stood_in)


def in_file_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems by line, column and code."""
    return tuple(sorted(problems, key=_place))


def configuration_error(path: Path, problems: Iterable[Problem]) -> ConfigurationError:
    """The one error that carries all problems of a catalogue."""
    found = in_file_order(problems)
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    return ConfigurationError(f"{path.name}: {count}; nothing was run", found)


def _validate(document: Document) -> tuple[Catalog | None, list[tuple[KeyPath, Problem]]]:
    try:
        return Catalog.model_validate(document.data), []
    except ValidationError as error:
        return None, found_by(error, document)


def _sound_part(data: object, set_aside: frozenset[KeyPath]) -> Catalog | None:
    """The catalogue without the records that have problems, or None when problems lie outside of records."""
    if not isinstance(data, dict):
        return None
    sections = {name: data.get(name) for name in ("roles", "metrics", "benefits")}
    kept = {
        name: {key: value for key, value in section.items() if (name, key) not in set_aside}
        for name, section in sections.items()
        if isinstance(section, dict)
    }
    try:
        return Catalog.model_validate({"version": 1, **kept})
    except ValidationError:
        return None


def _patched(data: object, kpi_id: str, stood_in: frozenset[KeyPath]) -> AnyMetric:
    """This KPI with stand-ins for the keys that cannot be read."""
    metrics = cast("Mapping[str, Mapping[str, Mapping[str, object]]]", data)["metrics"]
    stand_ins = {str(path[2]): _STAND_INS[str(path[2])] for path in stood_in if path[1] == kpi_id}
    metric = {**metrics[kpi_id], **stand_ins}
    return Catalog.model_validate({"version": 1, "roles": {}, "metrics": {kpi_id: metric}}).metrics[kpi_id]


def _place(found: Problem) -> tuple[int, int, str, str]:
    numbers = [int(part) for part in found.where.rsplit(":", 2)[1:] if part.isdigit()]
    line, column = numbers if len(numbers) == 2 else (0, 0)
    return line, column, found.code, found.message
