"""Inputs and result of an edition, kept with it in the warehouse, so that it is explained and varied as it was."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb
from pydantic import TypeAdapter

from pipeline.errors import RoiError
from pipeline.roi.evidence import grade_shares
from pipeline.roi.inputs import Inputs
from pipeline.roi.records import RoiResult, Worth
from pipeline.warehouse import ledger

_TABLE = "CREATE TABLE IF NOT EXISTS kpi.roi(edition BIGINT PRIMARY KEY, inputs VARCHAR, result VARCHAR)"


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter({"Inputs": Inputs, "RoiResult": RoiResult}[name])


def as_text(record: Inputs | RoiResult) -> str:
    """A record as JSON text that `inputs_of` and `result_of` read back as it was."""
    return str(_adapter(type(record).__name__).dump_json(record).decode("utf-8"))


def inputs_of(text: str) -> Inputs:
    """Inputs from their text."""
    found: Inputs = _adapter("Inputs").validate_json(text)
    return found


def result_of(text: str) -> RoiResult:
    """A result from its text; its table of grades is made anew, for older editions kept fewer columns of it."""
    found: RoiResult = _adapter("RoiResult").validate_json(text)
    return replace(
        found, grades=grade_shares(found.claims), use_cases=tuple(_graded(found, one) for one in found.use_cases)
    )


def _graded(result: RoiResult, one: Worth) -> Worth:
    if one.brief is None:
        return one
    mine = [claim for claim in result.claims if claim.use_case == one.name]
    return replace(one, brief=replace(one.brief, grades=grade_shares(mine)))


def store_roi(con: duckdb.DuckDBPyConnection, *, edition: int, inputs: Inputs, result: RoiResult) -> None:
    """Keep what an edition was worked out from and what came out."""
    con.execute(_TABLE)
    con.execute("INSERT OR REPLACE INTO kpi.roi VALUES (?, ?, ?)", [edition, as_text(inputs), as_text(result)])


def stored_result(con: duckdb.DuckDBPyConnection, edition: int) -> RoiResult | None:
    """The result of an edition; None for one that was made before there was a model."""
    found = _stored(con, edition)
    return None if found is None else result_of(found[1])


def stored_inputs(con: duckdb.DuckDBPyConnection, edition: int) -> Inputs:
    """The inputs of an edition; raises RoiError when it has none."""
    found = _stored(con, edition)
    if found is None:
        raise RoiError(no_result(con, edition))
    return inputs_of(found[0])


def no_result(con: duckdb.DuckDBPyConnection, edition: int) -> str:
    """That an edition is from before there was a model, and what to do."""
    return f"Edition {edition} has no ROI result; run {ledger.commands(con).make('nightly')}, which makes one."


def _stored(con: duckdb.DuckDBPyConnection, edition: int) -> tuple[str, str] | None:
    sql = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'kpi' AND table_name = 'roi'"
    if con.execute(sql).fetchall() == [(0,)]:
        return None
    found = con.execute("SELECT inputs, result FROM kpi.roi WHERE edition = ?", [edition]).fetchall()
    return (found[0][0], found[0][1]) if found else None


def plain(value: object) -> object:
    """A record as dictionaries and lists: money as the text of its digits, days as ISO text, months as YYYY-MM."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date) else value
