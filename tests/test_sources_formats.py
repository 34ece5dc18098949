"""One kind of export in several formats, packed or not, complete or not yet: the same rows, or the reason why not."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from sources_room import EXPORTS, NOW, database, seen, take

from pipeline.assurance import probe
from pipeline.errors import ConfigurationError
from pipeline.ingest import Ingest, take_in
from pipeline.settings import Settings
from pipeline.sources.binding import bind_problems
from pipeline.sources.bytes_check import mark_of
from pipeline.sources.mapping import load_mappings
from pipeline.sources.model import SourceMapping
from pipeline.warehouse.connection import create_schemas, open_warehouse
from pipeline.warehouse.receive import receive

RUN = "2026-09-03T09-00-00"
ORDERS = """\
source: orders
describes: Orders
reader: jsonl
also: [csv, parquet]
files: ["orders*"]
required: [id, moment]
optional: [used, tags, share]
relations:
  told: select *, try_cast(used as json) as counts from raw
tables:
  calls:
    from: told
    columns:
      call_id: id
      kind: "'model'"
      status: "'ok'"
      started_at: moment
      tokens_out: "counts->>'$.output'"
      model: "try_cast(tags as json)->>'$[0]'"
      latency_s: share
"""


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """One database for the module."""
    yield from database()


def rows_beside(name: str) -> dict[str, object]:
    """The tables that stand beside an export."""
    tables: dict[str, object] = json.loads((EXPORTS / name).with_suffix(".rows.json").read_text("utf-8"))["tables"]
    return tables


def as_parquet(folder: Path, name: str, select: str) -> Path:
    """An export of the test data as Parquet, by a query over `read_...('file')` that gives its columns their types."""
    path = folder / f"{Path(name).stem}.parquet"
    duckdb.execute(f"COPY ({select.format(file=EXPORTS / name)}) TO '{path}' (FORMAT parquet)")
    return path


LANGFUSE = """SELECT * REPLACE (start_time::TIMESTAMP AS start_time, end_time::TIMESTAMP AS end_time,
    completion_start_time::TIMESTAMP AS completion_start_time, metadata::MAP(VARCHAR, VARCHAR) AS metadata,
    usage_details::MAP(VARCHAR, UBIGINT) AS usage_details, cost_details::MAP(VARCHAR, DECIMAL(38, 12)) AS cost_details,
    tags::VARCHAR[] AS tags) FROM read_json('{file}', format = 'newline_delimited', map_inference_threshold = -1,
    columns = {{id: 'VARCHAR', trace_id: 'VARCHAR', project_id: 'VARCHAR', environment: 'VARCHAR', type: 'VARCHAR',
    parent_observation_id: 'VARCHAR', start_time: 'VARCHAR', end_time: 'VARCHAR', name: 'VARCHAR', metadata: 'JSON',
    level: 'VARCHAR', status_message: 'VARCHAR', provided_model_name: 'VARCHAR', usage_details: 'JSON',
    cost_details: 'JSON', completion_start_time: 'VARCHAR', prompt_name: 'VARCHAR', prompt_version: 'USMALLINT',
    total_cost: 'DECIMAL(38, 12)', updated_at: 'VARCHAR', user_id: 'VARCHAR', session_id: 'VARCHAR',
    trace_name: 'VARCHAR', tags: 'JSON'}})"""
PHOENIX = """SELECT * REPLACE (
    try_cast("attributes.llm.token_count.prompt" AS DOUBLE) AS "attributes.llm.token_count.prompt",
    coalesce(try_cast("attributes.llm.token_count.completion" AS DOUBLE), 'NaN'::DOUBLE)
      AS "attributes.llm.token_count.completion",
    start_time::TIMESTAMPTZ AS start_time, end_time::TIMESTAMPTZ AS end_time,
    from_json("attributes.metadata", '{{"environment": "VARCHAR"}}') AS "attributes.metadata")
    FROM read_csv('{file}', all_varchar = true)"""
TYPED = "SELECT * FROM read_csv('{file}', nullstr = ['', 'NULL'])"
AWS = """SELECT * REPLACE (product::JSON::MAP(VARCHAR, VARCHAR) AS product,
    resource_tags::JSON::MAP(VARCHAR, VARCHAR) AS resource_tags, line_item_usage_start_date::TIMESTAMP
    AS line_item_usage_start_date) FROM read_csv('{file}')"""


@pytest.mark.parametrize(
    ("name", "select"),
    [
        (f"langfuse/observations_v2/{RUN}.jsonl", LANGFUSE),
        (f"langfuse/scores/{RUN}.csv", TYPED),
        ("phoenix/phoenix-spans.csv", PHOENIX),
    ],
)
def test_parquet_becomes_the_same_rows(con: duckdb.DuckDBPyConnection, tmp_path: Path, name: str, select: str) -> None:
    """Maps, lists, structs, timestamps and floating point of Parquet are read as the text of the other formats."""
    path = as_parquet(tmp_path, name, select)
    found = take(con, path, path.name)
    assert (found.tables, found.reasons) == (rows_beside(name), [])


@pytest.mark.parametrize(("name", "select"), [("aws/cur2-2026-09.csv", AWS), ("focus/focus-1.0.csv", TYPED)])
def test_parquet_of_costs_has_the_same_sums(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, name: str, select: str
) -> None:
    """Line ids are made of texts, which formats write differently; every other column is the same."""
    path = as_parquet(tmp_path, name, select)
    found, beside = take(con, path, path.name), rows_beside(name)
    assert found.reasons == []
    for table, rows in found.tables.items():
        told = beside[table]
        assert isinstance(told, list)
        ids = {"line_id", "bucket_id"}
        assert [{k: v for k, v in row.items() if k not in ids} for row in rows] == [
            {k: v for k, v in row.items() if k not in ids} for row in told
        ]


def orders(folder: Path) -> tuple[SourceMapping, ...]:
    """A mapping of three formats with a relation of its own."""
    (folder / "sources").mkdir(exist_ok=True)
    (folder / "sources" / "orders.yaml").write_text(ORDERS, encoding="utf-8")
    return load_mappings([folder / "sources"])


def test_a_mapping_of_several_formats_is_bound_in_each(tmp_path: Path) -> None:
    """What no format has is told once; `record` is a column of JSON alone, and here of none."""
    assert bind_problems(orders(tmp_path)) == []
    (tmp_path / "sources" / "orders.yaml").write_text(
        ORDERS.replace('model: "try_cast(tags as json)', 'model: "record')
    )
    (problem,) = bind_problems(load_mappings([tmp_path / "sources"]))
    assert "column model: found the unknown column 'record'" in str(problem)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "orders.jsonl",
            '{"id": "o1", "moment": "2026-03-01T10:00:00Z", "used": {"output": 7}, "tags": ["m"], "share": 1.5}\n',
        ),
        ("orders.csv", 'ID,moment,used,tags,share\no1,2026-03-01 10:00:00,"{""output"": 7}","[""m""]",1.5\n'),
    ],
)
def test_the_content_says_which_format_a_file_has(tmp_path: Path, name: str, text: str) -> None:
    """A name without ending would do, and the case of a column of CSV does not matter."""
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "orders").write_text(text, encoding="utf-8")
    told = probe_of(tmp_path, folder / "orders", orders(tmp_path))
    assert (told["source"], told["tables"][0]["good"]) == ("orders", 1), name


def probe_of(root: Path, path: Path, mappings: tuple[SourceMapping, ...]) -> dict[str, object]:
    """What `roi sources probe` says of a file of a project with mappings of its own."""
    assert mappings
    return probe(Settings(root=root, exports=path.parent, now=NOW), path)


def test_a_relation_that_does_not_bind_is_told(tmp_path: Path) -> None:
    """Each table that reads it says so."""
    orders(tmp_path)
    (tmp_path / "sources" / "orders.yaml").write_text(ORDERS.replace("try_cast(used", "try_cast(uses"))
    (problem,) = bind_problems(load_mappings([tmp_path / "sources"]))
    assert str(problem).startswith("sources/orders.yaml:12:5  M020  table calls, from: found the unknown column 'uses'")


def test_an_unknown_format_is_a_mistake(tmp_path: Path) -> None:
    """The list takes the names of readers."""
    orders(tmp_path)
    (tmp_path / "sources" / "orders.yaml").write_text(ORDERS.replace("[csv, parquet]", "[csv, xls]"))
    with pytest.raises(ConfigurationError, match="The source mappings cannot be used") as caught:
        load_mappings([tmp_path / "sources"])
    assert "sources/orders.yaml:4:13  M003  found also.1: 'xls'" in str(caught.value.problems[0])


def test_columns_foreseen_by_a_pattern_are_no_news(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Of two new columns of a FOCUS file the one that begins with x_ is the provider's own."""
    text = (EXPORTS / "focus" / "focus-1.4.csv").read_text("utf-8").splitlines()
    path = tmp_path / "focus.csv"
    path.write_text(f"{text[0]},x_Mine,Mine\n{text[1]},1,2\n", encoding="utf-8")
    assert seen(con, path, "focus.csv").warnings == ("new column 'Mine'",)


@pytest.mark.parametrize("name", ["openai/openai-usage-2026-09.json", "focus/focus-1.3.csv"])
def test_a_packed_file_is_probed_like_a_plain_one(tmp_path: Path, name: str) -> None:
    """`.gz` is unpacked first; what does not unpack is refused with the reason of the nightly run."""
    packed = tmp_path / f"{Path(name).name}.gz"
    packed.write_bytes(gzip.compress((EXPORTS / name).read_bytes()))
    settings = Settings(root=tmp_path, exports=tmp_path, now=NOW)
    plain = probe(Settings(root=tmp_path, exports=EXPORTS, now=NOW), EXPORTS / name)
    assert probe(settings, packed) | {"file": ""} == plain | {"file": ""}
    assert plain["source"]
    packed.write_bytes(packed.read_bytes()[:-9])
    told = probe(settings, packed)
    assert (told["source"], told["note"]) == ("", " (incomplete: the archive does not unpack (EOFError))")


def test_a_packed_file_whose_bytes_are_damaged_is_refused(tmp_path: Path) -> None:
    """The checks of the archive find it, and nothing crashes."""
    packed = bytearray(gzip.compress(b"id,day\n" * 1000))
    packed[12] ^= 0xFF
    (tmp_path / "a.csv.gz").write_bytes(packed)
    told = probe(Settings(root=tmp_path, exports=tmp_path, now=NOW), tmp_path / "a.csv.gz")
    assert str(told["note"]).startswith(" (incomplete: the archive does not unpack")
    (arrival,) = receive(tmp_path, tmp_path / "received")
    assert arrival.problem.startswith("incomplete: the archive does not unpack")


@pytest.mark.parametrize(
    ("name", "mark"),
    [
        (f"p/observations_v2/{RUN}.000Z.jsonl", f"p/manifests/{RUN}.000Z.json"),
        (f"observations_v2/{RUN}.parquet", f"manifests/{RUN}.json"),
        ("my-observations.csv", None),
        ("october/my-observations.csv", None),
    ],
)
def test_only_files_in_the_folders_of_the_system_have_a_mark(name: str, mark: str | None) -> None:
    """A file somebody copied out stands alone."""
    (mapping,) = [one for one in load_mappings() if one.source == "langfuse_export"]
    assert mark_of(mapping, name) == mark


def test_a_file_waits_for_its_mark(tmp_path: Path) -> None:
    """Night 1 without the manifest: quarantined; night 2, still without: no news; night 3 with it: loaded whole."""
    exports, received = tmp_path / "exports", tmp_path / "received"
    shutil.copytree(
        EXPORTS / "langfuse" / "scores", exports / "p" / "scores", ignore=shutil.ignore_patterns("*.rows.*", "*.csv")
    )
    con = open_warehouse(Path(":memory:"), key=b"k" * 32, memory_limit="1GB")
    create_schemas(con)
    ingest = Ingest(con, load_mappings(), "h", 1, NOW)
    first = take_in(ingest, receive(exports, received))
    reason = f"incomplete: it waits for p/manifests/{RUN}.json"
    assert (first.files_quarantined, first.rows_in) == (1, 3)
    assert con.execute("SELECT reason FROM ledger.files").fetchall() == [(reason,)]
    told = probe(Settings(root=tmp_path, exports=exports, now=NOW), exports / "p" / "scores" / f"{RUN}.jsonl")
    assert (told["source"], told["note"]) == ("langfuse_scores", f" ({reason})")
    second = take_in(ingest, receive(exports, received))
    assert (second.files_quarantined, second.rows_in) == (0, 0)
    shutil.copytree(EXPORTS / "langfuse" / "manifests", exports / "p" / "manifests")
    third = take_in(ingest, receive(exports, received))
    assert (third.files_loaded, third.files_ignored, third.loaded, third.quarantined) == (1, 1, 3, 0)
    assert con.execute("SELECT count(*) FROM core.scores").fetchall() == [(3,)]
    assert con.execute("SELECT count(*) FROM ledger.quarantine").fetchall() == [(0,)]


def test_formats_hold_one_source() -> None:
    """A copy for each reader, in their order, `records` only with the reader json."""
    (mapping,) = [one for one in load_mappings() if one.source == "openai_organization"]
    assert [(one.reader, one.records) for one in mapping.formats()] == [("json", "$.data"), ("jsonl", None)]
