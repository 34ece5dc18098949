"""A comparison of catalogues as text for people, as Markdown for a pull request, and as plain data."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from pipeline.catalog.difference import KeyChange, RecordChange
from pipeline.comparison import SHOWN, BrokenCatalogError, Comparison, KpiNumbers, Numbers, PeriodPair, Told

_SECTIONS = {"metrics": "KPI", "roles": "role", "benefits": "benefit line"}
_UNITLESS = ("ratio", "count")
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def as_record(comparison: Comparison) -> dict[str, Any]:
    """The whole comparison for `--json`; `same` is true when a reader of pages would see nothing new."""
    return {"same": comparison.definitions.is_empty, **asdict(comparison)}


def as_text(comparison: Comparison) -> str:
    """The comparison for people: each record that differs, its keys, and then the numbers."""
    found = comparison.definitions
    lines = [f"{comparison.new_name} against {comparison.old_name}: {_counted(found.records)}"]
    if found.is_empty:
        return f"{comparison.new_name} against {comparison.old_name}: no difference\n"
    lines += [f"  {one.key}: {_change(one)}" for one in found.keys]
    lines += [f"  {name} stand in another order" for name in found.reordered]
    for record in found.records:
        lines += [f"{_SIGNS[record.change]} {_named(record)}{_hashes(record)}: {record.means}"]
        lines += [f"    {one.key}: {_change(one)}" for one in record.keys]
    lines += ["", *_numbers_text(comparison.numbers)] if comparison.numbers else ["", comparison.why_not]
    return "\n".join(lines) + "\n"


def as_markdown(comparison: Comparison) -> str:
    """The comparison as tables that a pull request shows."""
    found = comparison.definitions
    title = f"### `{comparison.new_name}` against `{comparison.old_name}`"
    if found.is_empty:
        return f"{title}\n\nNo difference.\n"
    rows = [
        [_named(one, mark="`"), "<br>".join(map(_code_change, one.keys)) or one.change, _hashes(one, mark="`"),
         one.means]
        for one in found.records
    ]  # fmt: skip
    rows += [["catalogue", _code_change(one), "", ""] for one in found.keys]
    rows += [[name, "stand in another order", "", "no number changes"] for name in found.reordered]
    blocks = [title, _table(["What", "Change", "Definition", "Effect"], rows)]
    blocks += _numbers_markdown(comparison.numbers) if comparison.numbers else [comparison.why_not]
    return "\n\n".join(blocks) + "\n"


def broken_as_markdown(error: BrokenCatalogError) -> str:
    """The problems of catalogues that cannot be compared, as a list that a pull request shows."""
    lines = [f"- `{one.where}` {one.code}: {_cell(one.message)}" for one in error.problems]
    return f"### {_cell(error.message)}\n\n" + "\n".join(lines) + "\n"


def _counted(records: Sequence[RecordChange]) -> str:
    """How many records of each section differ."""
    parts = []
    for section in dict.fromkeys(one.section for one in records):
        number, name = sum(one.section == section for one in records), _SECTIONS.get(section, section)
        parts.append(f"{number} {name}{'' if number == 1 else 's'}")
    return " and ".join(parts) + (" differs" if len(records) == 1 else " differ") if parts else "no record differs"


def _named(record: RecordChange, *, mark: str = "") -> str:
    return f"{_SECTIONS.get(record.section, record.section)} {mark}{record.id}{mark} {record.change}"


def _hashes(record: RecordChange, *, mark: str = "") -> str:
    """The hash of the definition, and the one before it where it is another; a role has none."""
    known = list(dict.fromkeys(one for one in (record.old_hash, record.new_hash) if one is not None))
    arrow = " → " if mark else " -> "
    told = arrow.join(f"{mark}{one}{mark}" for one in known)
    return told if mark or not told else f" (definition {told})"


def _change(one: KeyChange) -> str:
    """Old -> new; of two lists what came and what went."""
    if isinstance(one.old, list) and isinstance(one.new, list):
        return _list_change(one.old, one.new)
    return f"{_value(one.old)} -> {_value(one.new)}"


def _list_change(old: list[object], new: list[object]) -> str:
    came = [f"+ {_value(one)}" for one in new if one not in old]
    went = [f"- {_value(one)}" for one in old if one not in new]
    return ", ".join([*came, *went]) or "another order"


def _value(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(one)}" for key, one in value.items())
    return ", ".join(map(_value, value)) or "none" if isinstance(value, list) else str(value)


def _code_change(one: KeyChange) -> str:
    """A change within a cell; what stands in the catalogue is shown as code, so that nothing of it is markup."""
    return f"`{one.key}`: " + _code(_change(one))


def _code(text: str) -> str:
    return "`" + text.replace("`", "'").replace("|", r"\|") + "`"


def _numbers_text(numbers: Numbers) -> Iterator[str]:
    yield _basis(numbers)
    for kpi in numbers.kpis:
        yield ""
        yield f"{kpi.change.id}: {_tally(kpi)}"
        header = ("period", "old", "new", "verdict")
        rows = [(_period(pair), *_shown(pair), _verdict(pair, " -> ")) for pair in kpi.periods]
        yield f"  {kpi.grain} in total, the newest {len(rows)}:" if len(rows) == SHOWN else f"  {kpi.grain} in total:"
        yield from _columns([header, *rows])


def _numbers_markdown(numbers: Numbers) -> Iterator[str]:
    yield _basis(numbers)
    if numbers.kpis:
        header = ["KPI", "What differs", "Newest period", "Old", "New", "Verdict"]
        yield _table(header, [_newest(kpi) for kpi in numbers.kpis])
    for kpi in numbers.kpis:
        rows = [[_period(pair), *map(_cell, _shown(pair)), _verdict(pair, " → ")] for pair in kpi.periods]
        summary = f"<details><summary><code>{kpi.change.id}</code>, {kpi.grain} in total</summary>"
        yield f"{summary}\n\n{_table(['Period', 'Old', 'New', 'Verdict'], rows)}\n\n</details>"


def _newest(kpi: KpiNumbers) -> list[str]:
    cells = [f"`{kpi.change.id}`", _tally(kpi)]
    if not kpi.periods:
        return [*cells, "", "", "", ""]
    pair = kpi.periods[-1]
    return [*cells, _period(pair), *map(_cell, _shown(pair)), _verdict(pair, " → ")]


def _basis(numbers: Numbers) -> str:
    """What the numbers were computed from."""
    where = f"edition {numbers.edition} of {numbers.warehouse}"
    if not numbers.kpis:
        return f"No definition and no target differs, so every number of {where} stands."
    old, new = numbers.as_of
    through = f"data through {new}" if old == new else f"data through {old or 'no day'} (old), {new or 'no day'} (new)"
    return f"Numbers under both catalogues, computed on a copy of {where} ({through}):"


def _tally(kpi: KpiNumbers) -> str:
    """How many values, verdicts and statuses are others, over every period and slice."""
    counts = (
        (kpi.verdicts, "verdicts differ"),
        (kpi.statuses, "statuses differ"),
        (kpi.only_new, "values are only in the new"),
        (kpi.only_old, "values are only in the old"),
    )
    parts = [f"{kpi.differing} of {kpi.compared} values differ"] if kpi.compared else []
    return ", ".join([*parts, *(f"{count} {words}" for count, words in counts if count)]) or "no value under either"


def _period(pair: PeriodPair) -> str:
    last = pair.end - timedelta(days=1)
    return str(last) if pair.start == last else f"{pair.start} to {last}"


def _shown(pair: PeriodPair) -> tuple[str, str]:
    """Both values, with as many digits as it takes to tell them apart."""
    both = [_told(side, digits=6) for side in (pair.old, pair.new)]
    values = [None if side is None else side.value for side in (pair.old, pair.new)]
    if both[0] == both[1] and values[0] != values[1]:
        both = [_told(side, digits=17) for side in (pair.old, pair.new)]
    return both[0], both[1]


def _told(side: Told | None, *, digits: int) -> str:
    if side is None:
        return "nothing"
    if side.value is None:
        return f"not available ({side.reason})" if side.reason else "not available"
    unit = "" if side.unit in _UNITLESS else f" {side.unit}"
    status = "" if side.status == "computed" else f" ({side.status.replace('_', ' ')})"
    return f"{side.value:.{digits}g}{unit}{status}"


def _verdict(pair: PeriodPair, arrow: str) -> str:
    """The verdict, and the one before it where it is another."""
    sides = [side for side in (pair.old, pair.new) if side is not None]
    verdicts = [side.verdict or ("not judged" if side.value is None else "no target") for side in sides]
    return arrow.join(dict.fromkeys(verdicts))


def _cell(text: str) -> str:
    return html.escape(text, quote=False).replace("|", r"\|")


def _table(header: list[str], rows: Iterable[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        yield ("    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
