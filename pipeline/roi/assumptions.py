"""The register of assumptions: what stands on a day, what is wrong with it, and a template to fill."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final, Literal

from pipeline.catalog.units import parse_unit
from pipeline.engine.editions import latest_edition
from pipeline.errors import ConfigurationError, Problem
from pipeline.roi.inputs import Assumption
from pipeline.roi.read import assumption_rows
from pipeline.warehouse import ledger

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Standing = Literal["in force", "unapproved", "expired", "not yet valid", "superseded"]
RENEW_DAYS: Final = 60
"""So long before an assumption ends its owner is told."""

EXPIRED: Final = "R001"
UNAPPROVED: Final = "R002"
NO_OWNER: Final = "R003"
NO_RANGE: Final = "R004"
BAD_UNIT: Final = "R005"
OVERLAP: Final = "R006"
NO_USE_CASE: Final = "R007"
NO_ROLE: Final = "R008"
MEANINGS: Final = {
    EXPIRED: "an assumption has ended and no other row took its place",
    UNAPPROVED: "nobody has approved an assumption that is in its period",
    NO_OWNER: "an assumption has no owner",
    NO_RANGE: "an assumption without evidence (grade E) claims to be exact",
    BAD_UNIT: "a unit that cannot be read",
    OVERLAP: "two rows of an assumption hold on the same day",
    NO_USE_CASE: "an assumption is for a use case that is not in the portfolio",
    NO_ROLE: "an address of a person stands where a role should",
}
"""Every error code of the register, with its meaning in one line."""


def standing(row: Assumption, as_of: date, others: Sequence[Assumption] = ()) -> Standing:
    """Say how a row stands on a day: only one that is `in force` may be used as it is.

    `others` are the rows of the register (or those of the same assumption): a row after which a later one has begun is
    superseded. Without them a row that has ended is expired. An approval counts from its day.
    """
    if as_of < row.valid_from:
        return "not yet valid"
    if _successor(row, as_of, others) is not None:
        return "superseded"
    if not row.holds(as_of):
        return "expired"
    return "in force" if row.is_approved(as_of) else "unapproved"


def _successor(row: Assumption, as_of: date, others: Sequence[Assumption]) -> Assumption | None:
    """The latest row of the same assumption that began after this one, up to the day."""
    later = [
        one for one in others
        if one.assumption_id == row.assumption_id and row.valid_from < one.valid_from <= as_of
    ]  # fmt: skip
    return max(later, key=lambda one: one.valid_from, default=None)


def next_step(row: Assumption, as_of: date, others: Sequence[Assumption] = ()) -> str:
    """Say what its owner must do now; empty when nothing."""
    found = standing(row, as_of, others)
    if found == "in force":
        is_ending = row.valid_to is not None and row.valid_to - as_of <= timedelta(days=RENEW_DAYS)
        follows = any(one.assumption_id == row.assumption_id and one.valid_from == row.valid_to for one in others)
        return f"renew it: it ends on {row.valid_to}" if is_ending and not follows else ""
    if found == "unapproved":
        if row.approved_by and row.approved_at is not None:
            return f"none: its approval counts from {row.approved_at}"
        return "have it approved: approved_by and approved_on"
    if found == "expired":
        return f"add a row that is valid from {row.valid_to}"
    return ""


def in_force(register: Sequence[Assumption], as_of: date) -> dict[str, Assumption]:
    """The rows that may be used on a day, by assumption id."""
    return {one.assumption_id: one for one in register if standing(one, as_of, register) == "in force"}


def read_assumptions(con: DuckDBPyConnection) -> list[Assumption]:
    """The register of a warehouse, by id and day; empty where none was ever loaded."""
    return list(assumption_rows(con)) if _has(con, "assumptions") else []


def read_use_cases(con: DuckDBPyConnection) -> frozenset[str]:
    """The ids of the portfolio of a warehouse; empty where none was ever loaded."""
    if not _has(con, "use_cases"):
        return frozenset()
    return frozenset(name for (name,) in con.execute("SELECT DISTINCT use_case_id FROM core.use_cases").fetchall())


def _has(con: DuckDBPyConnection, table: str) -> bool:
    """Return whether the warehouse knows the table: one of an older release may not."""
    sql = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'core' AND table_name = ?"
    return bool(con.execute(sql, [table]).fetchall() == [(1,)])


def last_day(con: DuckDBPyConnection) -> date:
    """The day the newest edition has data through; raises ConfigurationError before the first."""
    edition = latest_edition(con)
    if edition is None:
        first = ledger.commands(con).make("nightly")
        raise ConfigurationError(f"The warehouse holds no edition yet; run {first}, or say --as-of.")
    return date.fromisoformat(str(edition["as_of"]))


def day_of(text: str) -> date:
    """Read a day as the command line writes it; raises ConfigurationError for anything else."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        problem = Problem("--as-of", "E008", f"found {text!r}, expected a day such as 2026-10-31")
        raise ConfigurationError("A day cannot be read.", [problem]) from None


def problems(register: Sequence[Assumption], as_of: date, *, use_cases: frozenset[str] = frozenset()) -> list[Problem]:
    """Everything wrong with the register on a day, row by row, each at its file and line.

    Superseded and expired rows are told for what they leave open alone. An empty portfolio says nothing of use cases.
    """
    by_id = [list(rows) for _, rows in groupby(_sorted(register), key=lambda row: row.assumption_id)]
    return [one for rows in by_id for one in (*_of_rows(rows, as_of, use_cases), *_overlaps(rows))]


def _sorted(register: Sequence[Assumption]) -> list[Assumption]:
    return sorted(register, key=lambda row: (row.assumption_id, row.valid_from))


def _of_rows(rows: Sequence[Assumption], as_of: date, use_cases: frozenset[str]) -> Iterator[Problem]:
    for row in rows:
        stands = standing(row, as_of, rows)
        if stands == "expired":
            yield _problem(row, EXPIRED, f"ended on {row.valid_to}; {next_step(row, as_of, rows)}, or end its use")
        if stands == "unapproved":
            yield _problem(row, UNAPPROVED, _unapproved(row, as_of))
        if stands not in ("expired", "superseded"):
            yield from _of_row(row, use_cases)


def _unapproved(row: Assumption, as_of: date) -> str:
    if row.approved_by and row.approved_at is not None:
        return f"was approved on {row.approved_at}, after {as_of}; the approval counts from its day"
    return f"nobody has approved it by {as_of}; fill approved_by and approved_on"


def _of_row(row: Assumption, use_cases: frozenset[str]) -> Iterator[Problem]:
    if not row.owner:
        yield _problem(row, NO_OWNER, "has no owner; name the role that keeps it up to date")
    if row.grade == "E" and row.low == row.base == row.high:
        yield _problem(row, NO_RANGE, f"low, base and high are all {row.base:g} at grade E; say how wrong it may be")
    try:
        parse_unit(row.unit)
    except ValueError as error:
        yield _problem(row, BAD_UNIT, str(error))
    if row.use_case and use_cases and row.use_case not in use_cases:
        yield _problem(row, NO_USE_CASE, f"is for use case {row.use_case!r}, which is not in the portfolio")
    for name, role in (("owner", row.owner), ("approved_by", row.approved_by)):
        if role and "@" in role:
            yield _problem(row, NO_ROLE, f"{name} is an address; name the role, for the register is published")


def _overlaps(rows: Sequence[Assumption]) -> Iterator[Problem]:
    """Rows of one assumption, by day: each must end before the next begins."""
    for earlier, later in pairwise(rows):
        if earlier.valid_to is None or earlier.valid_to > later.valid_from:
            ends = f"ends on {earlier.valid_to}" if earlier.valid_to else "has no end"
            message = f"holds from {later.valid_from}, but the row from {earlier.valid_from} {ends}; end it on that day"
            yield _problem(later, OVERLAP, message)


def _problem(row: Assumption, code: str, message: str) -> Problem:
    return Problem(row.place or "assumptions", code, f"{row.assumption_id} {message}")


HEADER: Final = (
    "assumption", "use_case", "low", "base", "high", "unit", "distribution", "evidence_grade", "source", "owner",
    "approved_by", "approved_on", "valid_from", "valid_to", "note", "updated_on",
)  # fmt: skip
"""The columns of the register as a spreadsheet, which the source `assumptions_csv` reads."""

_KINDS: Final = (
    ("loaded_rate.my_use_case", "my_use_case", "52", "60", "71", "USD/h", "C", "Payroll incl. employer's share, 2026"),
    ("cost_per_contact.my_use_case", "my_use_case", "4.1", "5.3", "7", "USD/contact", "C", "Cost centre 4100, 2025"),
    ("realisation", "", "0", "0.25", "0.5", "ratio", "E", "House rule until hours freed are followed up"),
    ("attribution.my_use_case", "my_use_case", "0.6", "0.8", "1", "ratio", "E", "Other changes of the same months"),
    ("risk.my_use_case", "my_use_case", "0.02", "0.05", "0.15", "ratio", "E", "Share of work that may be redone"),
    ("review_minutes.my_use_case", "my_use_case", "0.5", "1", "2.5", "min/task", "C", "Time sheet of 30 tasks"),
    ("rework_minutes.my_use_case", "my_use_case", "0", "0.3", "1.2", "min/task", "D", "Asked of 12 people"),
    ("quality_loss.my_use_case", "my_use_case", "0", "0.1", "0.6", "USD/task", "E", "Wrong answers times their cost"),
    ("seat_price", "", "19", "19", "19", "USD/month", "C", "Contract 2026-114"),
    ("discount_rate", "", "0.06", "0.08", "0.1", "ratio", "E", "Treasury, cost of capital 2026"),
)  # fmt: skip
"""Each kind of assumption with figures to overwrite: id, use case, low, base, high, unit, grade, source."""


def template() -> str:
    """The register as CSV: its header, and one filled row of each kind to overwrite."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_example(kind) for kind in _KINDS)
    return text.getvalue()


def _example(kind: tuple[str, ...]) -> Mapping[str, str]:
    names = ("assumption", "use_case", "low", "base", "high", "unit", "evidence_grade", "source")
    said = {"owner": "ROI analyst", "approved_by": "Finance director", "approved_on": "2026-01-15"}
    period = {"valid_from": "2026-01-01", "valid_to": "2027-01-01", "distribution": "pert"}
    return dict(zip(names, kind, strict=True)) | said | period
