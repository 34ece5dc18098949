"""The reasons of quarantined rows, with the names that the columns have in the file itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.sources.model import SourceMapping
from pipeline.sources.shapes import raw_names

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BARE = re.compile(r'"([^"]+)"|([A-Za-z_][A-Za-z0-9_]*)')
_ORDER = re.compile(r"(\w+) after (\w+)")


def file_names(mapping: SourceMapping, table: str) -> dict[str, str]:
    """Canonical columns whose expression is one column of the file that has another name there, and that name."""
    known = {name.lower(): name for name in raw_names(mapping.known)}
    names = {}
    for column, expression in mapping.tables[table].columns.items():
        found = _BARE.fullmatch(expression.strip())
        name = known.get((found[1] or found[2]).lower()) if found else None
        if name is not None and name.lower() != column.lower():
            names[column] = name
    return names


def name_columns(con: DuckDBPyConnection, verdicts: str, names: Mapping[str, str]) -> None:
    """Add to the reasons in the relation `verdicts` what their columns are called in the file."""
    if not names:
        return
    reasons = [row[0] for row in con.execute(f"SELECT DISTINCT reason FROM {verdicts} ORDER BY reason").fetchall()]
    said = {reason: "; ".join(_named(one, names) for one in reason.split("; ")) for reason in reasons}
    changed = {before: after for before, after in said.items() if before != after}
    if changed:
        con.execute(
            f"""UPDATE {verdicts} SET reason = said.after
                FROM (SELECT unnest($before::VARCHAR[]) AS before, unnest($after::VARCHAR[]) AS after) AS said
                WHERE reason = said.before""",
            {"before": list(changed), "after": list(changed.values())},
        )


def _named(reason: str, names: Mapping[str, str]) -> str:
    """One reason with the names in the file behind it: `feedback_id: missing (response_id in the file)`."""
    order = _ORDER.fullmatch(reason)
    if order and (order[1] in names or order[2] in names):
        earlier, later = (names.get(column, column) for column in order.groups())
        return f"{reason} ({earlier} after {later} in the file)"
    column = reason.partition(": ")[0]
    return f"{reason} ({names[column]} in the file)" if column in names else reason
