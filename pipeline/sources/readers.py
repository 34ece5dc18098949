"""Reading a recognised file into the temporary table `raw`, with the line of every record, and `raw_malformed`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb

from pipeline.sources.bytes_check import (
    DEFAULT_LIMITS,
    FileProblem,
    FileRefusedError,
    Limits,
    ends_of_lines,
    incomplete,
)
from pipeline.sources.csv_reader import read_csv
from pipeline.sources.model import SourceMapping
from pipeline.sources.shapes import absent, raw_names
from pipeline.sources.sql import FILE_COLUMNS, count, identifier, lines_of, literal
from pipeline.warehouse.connection import parsed
from pipeline.warehouse.receive import most_unpacked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection

_CALLED = ("file_stem", "file_name")
_NUL = "a NUL character in a value; text has none"


@dataclass(frozen=True)
class RawFile:
    """Records of a file, and how many of them could not be read; blank lines are no records."""

    records_in: int
    malformed: int


def read_raw(
    con: DuckDBPyConnection,
    path: Path,
    *,
    name: str,
    mapping: SourceMapping,
    limits: Limits = DEFAULT_LIMITS,
    only_lines: str | None = None,
) -> RawFile:
    """Create the temporary tables `raw` and `raw_malformed(line, reason)` from a file, replacing earlier ones.

    `name` is the path relative to the exports folder, from which `file_stem` and `file_name` come; `path` is where the
    content lies and is never a pattern. A record that cannot be read is one row of `raw_malformed`. Raises
    FileRefusedError when the file cannot be read as a whole. Of a Parquet file `only_lines` is a relation of the lines
    to be read, when not all are.
    """
    con.execute("CREATE OR REPLACE TEMP TABLE raw_malformed(line BIGINT, reason VARCHAR)")
    pure = PurePosixPath(name)
    called = [pure.stem, pure.name]
    try:
        if mapping.reader == "csv":
            read_csv(con, path, known=mapping.known, form=mapping.csv_form, called=called, limits=limits)
        elif mapping.reader == "parquet":
            _read_parquet(con, path, mapping, called, only_lines)
        else:
            _read_text(con, path, mapping, called, limits)
        if mapping.reader != "csv":
            _refuse_nul(con)
        if mapping.nulls:
            _blank(con, mapping.nulls)
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.OutOfRangeException) as error:
        kind = type(error).__name__.removesuffix("Exception")
        reason = f"cannot be read as {mapping.reader}: DuckDB gave up ({kind})"
        raise FileRefusedError(FileProblem("unreadable", reason)) from None
    finally:
        con.execute("DROP TABLE IF EXISTS raw_text")
    good, malformed = count(con, "SELECT count(*) FROM raw"), count(con, "SELECT count(*) FROM raw_malformed")
    return RawFile(records_in=good + malformed, malformed=malformed)


def read_some(
    con: DuckDBPyConnection, path: Path, *, name: str, mapping: SourceMapping, lines: Sequence[int], header_lines: int
) -> RawFile:
    """The same for a few lines of a file in which every record is one line; each keeps its number."""
    con.execute("CREATE OR REPLACE TEMP TABLE raw_lines AS SELECT unnest(?::BIGINT[]) AS line", [lines])
    if mapping.reader == "parquet":
        return read_raw(con, path, name=name, mapping=mapping, only_lines="raw_lines")
    with TemporaryDirectory() as folder:
        some = Path(folder) / "export"
        _copy_lines(path, some, [*range(1, header_lines + 1), *lines])
        found = read_raw(con, some, name=name, mapping=mapping)
    for relation in ("raw", "raw_malformed"):
        con.execute(
            f"""UPDATE {relation} SET line = told.line
                FROM (SELECT line, row_number() OVER () + {header_lines} AS place FROM raw_lines) AS told
                WHERE {relation}.line = told.place"""
        )
    return found


def _copy_lines(path: Path, to: Path, lines: Sequence[int]) -> None:
    """Copy some lines of a file, given in order."""
    ends = ends_of_lines(path, [*lines, *(line - 1 for line in lines)])
    with path.open("rb") as source, to.open("wb") as target:
        for line in lines:
            source.seek(ends[line - 1])
            target.write(source.read(ends[line] - ends[line - 1]))


def _refuse_nul(con: DuckDBPyConnection) -> None:
    """Move records with a NUL in a text from `raw` to `raw_malformed`; escapes and binary formats can hold one."""
    texts = [name for name, kind, *_ in con.execute("DESCRIBE raw").fetchall() if kind == "VARCHAR"]
    has_nul = " OR ".join(f"contains({identifier(name)}, chr(0))" for name in texts if name not in _CALLED)
    if has_nul and count(con, f"SELECT count(*) FROM raw WHERE {has_nul}"):
        con.execute(f"INSERT INTO raw_malformed SELECT line, {literal(_NUL)} FROM raw WHERE {has_nul}")
        con.execute(f"DELETE FROM raw WHERE {has_nul}")


def has_more_records(con: DuckDBPyConnection, rows: int) -> bool:
    """Whether `raw` holds more records than so many."""
    return count(con, "SELECT count(*) FROM raw") > rows


def _blank(con: DuckDBPyConnection, nulls: tuple[str, ...]) -> None:
    """Make every text of `raw` that stands for nothing NULL."""
    columns = [name for name, kind, *_ in con.execute("DESCRIBE raw").fetchall() if kind == "VARCHAR"]
    texts = ", ".join(literal(text) for text in nulls)
    values = ", ".join(
        f"CASE WHEN trim({identifier(name)}) NOT IN ({texts}) THEN {identifier(name)} END AS {identifier(name)}"
        for name in columns
        if name not in _CALLED
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE raw AS SELECT * REPLACE ({values}) FROM raw")


def _read_text(con: DuckDBPyConnection, path: Path, mapping: SourceMapping, called: list[str], limits: Limits) -> None:
    if mapping.reader == "json":
        _document_records(con, path, mapping.records, with_rest=_uses(mapping, "whole_document"))
        _keep_objects(con, mapping, called)
    elif mapping.reader == "jsonl":
        con.execute(
            f"""CREATE OR REPLACE TEMP TABLE raw_text AS
                SELECT line, text, CASE WHEN NOT json_valid(text) THEN NULL WHEN starts_with(text, '{{') THEN 'OBJECT'
                  ELSE json_type(text) END AS kind
                FROM {lines_of(limits)} WHERE regexp_matches(text, '\\S')""",
            [str(path)],
        )
        _keep_objects(con, mapping, called)
    else:
        _keep_rows(con, path, width=len(mapping.required), called=called, limits=limits)


def _document_records(con: DuckDBPyConnection, path: Path, records: str | None, *, with_rest: bool) -> None:
    """Write the records of a JSON document to `raw_text(line, text, kind, rest)`; `line` counts records from one.

    `rest` is the document without its list of records, where it is asked for.
    """
    con.execute(
        "CREATE OR REPLACE TEMP TABLE raw_text AS SELECT ltrim(content, chr(65279)) AS text FROM read_text(?)",
        [str(path)],
    )
    if not count(con, "SELECT count(*) FROM raw_text WHERE json_valid(text)"):
        raise FileRefusedError(incomplete("it is not one whole JSON document"))
    row = con.execute(f"SELECT json_type(text, {literal(records or '$')}) FROM raw_text").fetchone()
    found = row[0] if row else None
    if found != "ARRAY" and (records or found != "OBJECT"):
        where = f"there is no array at {records}" if records else "it is neither an array nor an object"
        raise FileRefusedError(FileProblem("unreadable", f"cannot be read as json: {where}"))
    path_sql = literal(f"{records or '$'}[*]")
    all_records = f"json_extract(text, {path_sql})" if found == "ARRAY" else "[text::JSON]"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE raw_text AS
            SELECT line, text::VARCHAR AS text, json_type(text) AS kind, rest FROM (
              SELECT generate_subscripts(records, 1) AS line, unnest(records) AS text, rest
              FROM (SELECT {all_records} AS records, {_rest(records) if with_rest else "NULL"}::JSON AS rest
                    FROM raw_text))"""
    )


def _rest(records: str | None) -> str:
    """SQL of a document without the list at a path: a merge patch (RFC 7396) that sets it to null takes it out."""
    patch = "null"
    for key in reversed((records or "$").split(".")[1:]):
        patch = f"{{{json.dumps(key)}: {patch}}}"
    return f"json_merge_patch(text, {literal(patch)})"


def _keep_objects(con: DuckDBPyConnection, mapping: SourceMapping, called: list[str]) -> None:
    """Make `raw` of the JSON objects in `raw_text`, every key one column; all else is malformed."""
    objects = object_rows_sql(mapping, "raw_text WHERE kind = 'OBJECT'", FILE_COLUMNS)
    con.execute(parsed(f"CREATE OR REPLACE TEMP TABLE raw AS {objects}"), called)
    con.execute(
        """INSERT INTO raw_malformed SELECT line, if(kind IS NULL, 'not valid JSON', 'not a JSON object')
           FROM raw_text WHERE kind IS DISTINCT FROM 'OBJECT'"""
    )


def object_rows_sql(mapping: SourceMapping, texts: str, more: str) -> str:
    """SELECT of `line`, every key as a column, and more columns, from a relation of `line` and the text of objects."""
    paths = ", ".join(literal(f'$."{key}"') for key in mapping.known)
    names = raw_names(mapping.known)
    keys = "".join(f", keys[{index}] AS {identifier(name)}" for index, name in enumerate(names, start=1))
    record = ", text::JSON AS record" if _uses(mapping, "record") else ""
    record += ", rest::JSON AS whole_document" if _uses(mapping, "whole_document") and mapping.reader == "json" else ""
    values = f"json_extract_string(text, [{paths}]::VARCHAR[])" if paths else "NULL"
    return f"SELECT line{record}{keys}, {more} FROM (SELECT *, {values} AS keys FROM {texts})"


def _uses(mapping: SourceMapping, column: str) -> bool:
    """Whole records hold prompts and answers as well, so they are kept only where an expression names them."""
    return any(re.search(rf"\b{column}\b", text, flags=re.IGNORECASE) for text in mapping.expressions())


def _keep_rows(con: DuckDBPyConnection, path: Path, *, width: int, called: list[str], limits: Limits) -> None:
    """Make `raw` of white-space separated lines of `width` columns; all else is malformed."""
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE raw_text AS SELECT line, regexp_extract_all(text, '\\S+') AS fields
            FROM {lines_of(limits)} WHERE regexp_matches(text, '\\S')""",
        [str(path)],
    )
    columns = ", ".join(f"fields[{number}] AS c{number}" for number in range(1, width + 1))
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE raw AS SELECT line, {columns}, {FILE_COLUMNS}
            FROM raw_text WHERE len(fields) = {width}""",
        called,
    )
    con.execute(
        f"""INSERT INTO raw_malformed SELECT line, len(fields) || ' columns where {width} were expected'
            FROM raw_text WHERE len(fields) <> {width}"""
    )


def _read_parquet(
    con: DuckDBPyConnection, path: Path, mapping: SourceMapping, called: list[str], only_lines: str | None
) -> None:
    _refuse_bomb(con, path)
    columns = parquet_texts(mapping, parquet_types(con, path))
    line, numbered, some = "row_number() OVER ()", "", ""
    if only_lines:  # numbers of its own, so that all other rows are passed over
        line, numbered = "file_row_number + 1", ", file_row_number=true"
        some = f"WHERE file_row_number + 1 IN (SELECT line FROM {only_lines}) ORDER BY file_row_number"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE raw AS SELECT {line} AS line, {columns}, {FILE_COLUMNS}
            FROM read_parquet(?, hive_partitioning=false{numbered}) {some}""",
        [*called, str(path)],
    )


def parquet_types(con: DuckDBPyConnection, path: Path) -> dict[str, str]:
    """The columns of a Parquet file and their types."""
    described = con.execute("DESCRIBE SELECT * FROM read_parquet(?, hive_partitioning=false)", [str(path)])
    return {row[0]: row[1] for row in described.fetchall()}


def parquet_texts(mapping: SourceMapping, types: Mapping[str, str]) -> str:
    """Columns of a SELECT: those of the file as `raw` has them, then those that a mapping knows and the file lacks."""
    names = raw_names(types)
    values = [_text_of(name, kind) if mapping.is_text else identifier(name) for name, kind in types.items()]
    columns = [f"{value} AS {identifier(unique)}" for value, unique in zip(values, names, strict=True)]
    null = "NULL::VARCHAR" if mapping.is_text else "NULL"
    return ", ".join([*columns, *(f"{null} AS {identifier(name)}" for name in absent(mapping.known, names))])


def _refuse_bomb(con: DuckDBPyConnection, path: Path) -> None:
    """Raise FileRefusedError when run lengths make far more rows, or pages far more bytes, than the file has bytes."""
    limit = most_unpacked(path.stat().st_size)
    for what, sql in (
        ("rows", "SELECT sum(num_rows) FROM parquet_file_metadata(?)"),
        ("bytes unpacked", "SELECT sum(total_uncompressed_size) FROM parquet_metadata(?)"),
    ):
        ((found,),) = con.execute(sql, [str(path)]).fetchall()
        if found is not None and found > limit:
            told = f"too large: {found} {what} where a Parquet file of this size may have {limit}"
            raise FileRefusedError(FileProblem("too large", told))


def _text_of(name: str, sql_type: str) -> str:
    """A column of a Parquet file as the text another format would hold: lists and maps as JSON, no number as NULL."""
    column = identifier(name)
    if sql_type.endswith("]") or sql_type.startswith(("MAP(", "STRUCT(", "UNION(")):
        return f"to_json({column})::VARCHAR"
    if sql_type in {"DOUBLE", "FLOAT"}:
        return f"CASE WHEN isfinite({column}) THEN {column}::VARCHAR END"
    return f"decode({column})" if sql_type == "BLOB" else f"{column}::VARCHAR"
