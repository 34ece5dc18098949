"""Exports in the shape their systems write them become exactly the rows that stand beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from sources_room import EXPORTS, NOW, Taken, database, package_mappings, seen, shuffled, take

from pipeline.assurance import probe
from pipeline.settings import Settings

FILES = sorted(path for path in EXPORTS.rglob("*") if path.is_file() and not path.name.endswith(".rows.json"))
NAMES = [path.relative_to(EXPORTS).as_posix() for path in FILES]
LOADED = [name for name in NAMES if "manifests/" not in name]


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """One database for the module."""
    yield from database()


def expected(name: str) -> Taken:
    """What stands beside an export: its source and, in the order of the file, the filled columns of every row.

    Exports of one system that hold the same in several formats share the rows.
    """
    told = json.loads((EXPORTS / name).with_suffix(".rows.json").read_text(encoding="utf-8"))
    return Taken(told["source"], tuple(told.get("warnings", ())), told["tables"])


@pytest.mark.parametrize("name", LOADED)
def test_an_export_becomes_exactly_these_rows(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Every column of every table, people as pseudonyms, times in UTC, and no rule of a table broken."""
    assert take(con, EXPORTS / name, name) == expected(name)


@pytest.mark.parametrize("name", LOADED)
def test_the_order_of_columns_and_keys_is_no_matter(con: duckdb.DuckDBPyConnection, name: str, tmp_path: Path) -> None:
    """A copy with every header, or the keys of every object, in another order becomes the same rows."""
    assert take(con, shuffled(EXPORTS / name, tmp_path), name) == expected(name)


@pytest.mark.parametrize("name", LOADED)
def test_a_file_of_any_name_is_known_by_its_columns(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Under a name that says nothing it is taken for the same source, and by no other."""
    found = seen(con, EXPORTS / name, f"export{Path(name).suffix}")
    assert found.mapping is not None, found.reason
    assert found.mapping.source == expected(name).source


@pytest.mark.parametrize("name", NAMES)
def test_probe_names_an_export(name: str, tmp_path: Path) -> None:
    """As it is, and with columns or keys in another order; all rows are good."""
    source = "langfuse_manifests" if "manifests/" in name else expected(name).source
    for folder, path in ((EXPORTS, EXPORTS / name), (tmp_path, shuffled(EXPORTS / name, tmp_path))):
        told = probe(Settings(root=tmp_path, exports=folder, now=NOW), path)
        assert (told["source"], sum(table["bad"] for table in told["tables"])) == (source, 0)


def test_every_export_is_of_a_shipped_source() -> None:
    """No fixture is left behind by a source that was renamed."""
    assert {expected(name).source for name in LOADED} <= {one.source for one in package_mappings()}


def test_no_mapping_of_these_exports_names_what_people_or_models_wrote() -> None:
    """Prompts, answers, comments and rationales stand in the exports; no column is filled from them."""
    sources = {expected(name).source for name in LOADED}
    for mapping in package_mappings():
        told = [text for table in mapping.tables.values() for text in table.columns.values()]
        said = {word for text in told for word in re.findall(r"[\w.]+", text)} if mapping.source in sources else set()
        free = {
            "comment",
            "request_body",
            "response_body",
            "rationale",
            "gen_ai.input.messages",
            "attributes.input.value",
        }
        assert not said & free, mapping.source


@pytest.mark.parametrize("name", LOADED)
def test_no_text_of_an_export_is_kept(name: str) -> None:
    """Words of the prompts, answers and comments of the examples are in none of their rows, and no address is."""
    kept = (EXPORTS / name).with_suffix(".rows.json").read_text(encoding="utf-8")
    words = ("How do I", "without a source", "I liked it", "Ana@", "Ben Example", '"role"')
    assert not [word for word in words if word in kept]
