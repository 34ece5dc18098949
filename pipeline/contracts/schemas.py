"""The rules of a table as a pandera schema, and the verdicts that schema gives about a frame of typed rows."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from pipeline.contracts.casting import text_columns, text_name
from pipeline.contracts.rules import rules_of
from pipeline.tables import Column, Table, quoted

if TYPE_CHECKING:
    import pandas as pd
    from pandera.errors import SchemaError, SchemaErrors
    from pandera.pandas import DataFrameSchema

_DTYPES = {
    "VARCHAR": "str",
    "BOOLEAN": "boolean",
    "BIGINT": "Int64",
    "DOUBLE": "float64",
    "TIMESTAMPTZ": "datetime64[us]",
    "DATE": "datetime64[us]",
}


@lru_cache(maxsize=64)
def schema(table: Table, now: datetime) -> DataFrameSchema:
    """The pandera schema of a table, derived from its declaration; `now` is the run's clock, with a time zone.

    It is for frames as `frame_sql` fetches them: index `_row`, the typed columns that some rule looks at, and beside
    each column whose text may fail to cast the text that did, as `_text_<column>`, which the checks of whole rows read.
    Decimals come as doubles, which is exact enough to see the sign.
    """
    import pandera.pandas as pa

    declared, judged = rules_of(table, now), _judged(table)
    columns = {
        column.name: pa.Column(
            dtype_of(column),
            [rule.check() for rule in declared if rule.on == column.name],
            nullable=True,
            required=column in judged,
        )
        for column in table.columns
    }
    whole = [rule.check() for rule in declared if rule.on is None]
    return pa.DataFrameSchema(columns, checks=whole, index=pa.Index("int64", name="_row"), name=table.name)


def _judged(table: Table) -> list[Column]:
    """The columns a rule looks at: a text that need not be there and may be anything is in order."""
    return [one for one in table.columns if one.required or one.values or not one.column_type.is_text]


def dtype_of(column: Column) -> str:
    """The pandas dtype a column is validated in."""
    return _DTYPES.get(column.sql_type, "float64")


def frame_sql(table: Table, *, typed: str) -> str:
    """SELECT that fetches typed rows with the staged texts their rules need: those that gave no value."""
    values = [f"{_fetched(column)} AS {quoted(column.name)}" for column in _judged(table)]
    texts = [
        f"CASE WHEN typed.{quoted(name)} IS NULL THEN typed.{text} END AS {text}"
        for name, text in ((name, quoted(text_name(name))) for name in text_columns(table))
    ]
    return f"SELECT {', '.join(['_row', *values, *texts])} FROM {typed} AS typed ORDER BY _row"


def _fetched(column: Column) -> str:
    """Decimals as doubles; NaN as infinity, for pandas takes NaN for a missing value and both break the same rule.

    Times come without their zone, which is UTC while judging: DuckDB converts those with a zone at ten times the cost.
    """
    value = f"typed.{quoted(column.name)}"
    if column.sql_type == "TIMESTAMPTZ":
        return f"CAST({value} AS TIMESTAMP)"
    if column.column_type.is_double:
        return f"CASE WHEN isnan({value}) THEN CAST('infinity' AS DOUBLE) ELSE {value} END"
    return f"CAST({value} AS DOUBLE)" if dtype_of(column) == "float64" else value


def as_typed_frame(table: Table, fetched: pd.DataFrame) -> pd.DataFrame:
    """The fetched rows with the dtypes of the schema, whatever columns happened to be empty."""
    frame = fetched.set_index("_row")
    dtypes = {column.name: dtype_of(column) for column in _judged(table)}
    return frame.astype({name: dtype for name, dtype in dtypes.items() if frame[name].dtype != dtype})


def broken_rules(table: Table, frame: pd.DataFrame, now: datetime) -> dict[int, list[str]]:
    """The reasons against each bad row, by `_row`, in declaration order; good rows are not in it."""
    broken: dict[int, list[str]] = {}
    outcomes = _outcomes(schema(table, now), frame)
    for rule in rules_of(table, now):
        held = outcomes.get(rule.reason)
        if held is not None:
            for row in held.index[~held.to_numpy(dtype=bool)]:
                broken.setdefault(int(row), []).append(rule.reason)
    return broken


def _outcomes(contract: DataFrameSchema, frame: pd.DataFrame) -> dict[str, pd.Series]:
    """What each failed check said about each row, by reason; what the environment sets for pandera has no say."""
    from pandera.config import ValidationDepth, config_context
    from pandera.errors import SchemaErrors

    full = ValidationDepth.SCHEMA_AND_DATA
    failures: SchemaErrors | None = None
    with config_context(validation_enabled=True, validation_depth=full, use_narwhals_backend=False):
        try:
            contract.validate(frame, lazy=True)
        except SchemaErrors as errors:
            failures = errors
    return {_reason(failure): failure.check_output for failure in failures.schema_errors} if failures else {}


def _reason(failure: SchemaError) -> str:
    """The rule a failure is about. pandera's own message holds values of the row, so it goes nowhere."""
    if failure.check_output is None or not hasattr(failure.check, "error"):
        kind = getattr(failure.reason_code, "name", "unknown")
        raise RuntimeError(f"{failure.schema.name}: the frame does not have the shape of the schema ({kind})")
    return str(failure.check.error)
