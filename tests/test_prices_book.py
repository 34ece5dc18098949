"""The price book that is shipped: it loads whole, says what the public map says, and keeps what prices were before."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from importlib import resources
from pathlib import Path

import duckdb
import pytest
from sources_room import NOW, package_mappings
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.facts import create_views
from pipeline.ingest import Ingest, take_in
from pipeline.warehouse.connection import create_schemas, open_warehouse
from pipeline.warehouse.receive import receive

MAP = Path(os.environ.get("REALDATA", "../shared/realdata")) / "litellm-prices" / "model_prices_and_context_window.json"
KEYS = {
    "in_uncached": "input_cost_per_token", "cache_read": "cache_read_input_token_cost",
    "cache_write_5m": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr", "out": "output_cost_per_token",
}  # fmt: skip
AGREED = "openai,gpt-4.1,out,standard,,2026-01-01,2026-07-01,0.000006,USD,\n"


def book() -> str:
    """The shipped file."""
    return resources.files("pipeline.roi").joinpath("list_prices.csv").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse that took in the book, an agreed price below it, and a map without dates."""
    folder = tmp_path_factory.mktemp("prices")
    exports = folder / "exports"
    exports.mkdir()
    (exports / "price_book.csv").write_text(book() + AGREED, encoding="utf-8")
    told = {"litellm_provider": "openai", "input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06}
    (exports / "model_prices.json").write_text(json.dumps({"sample_spec": {}, "o3": told}), encoding="utf-8")
    with open_warehouse(Path(":memory:"), key=b"k" * 32, memory_limit="1GB") as warehouse:
        create_schemas(warehouse)
        done = take_in(Ingest(warehouse, package_mappings(), "h", 1, NOW), receive(exports, folder / "received"))
        assert (done.files_quarantined, done.quarantined) == (0, 0)
        create_views(warehouse)
        yield warehouse


def price(con: duckdb.DuckDBPyConnection, model: str, day: str, column: str) -> Decimal | None:
    """The price of a token of the standard tier on a day, in USD."""
    sql = f"""SELECT {column} FROM facts._price_spans WHERE model = ? AND tier = 'standard' AND above_tokens = -1
      AND valid_from <= CAST(? AS DATE) AND CAST(? AS DATE) < valid_to"""
    ((found,),) = con.execute(sql, [model, day, day]).fetchall()
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("model", "day", "column", "usd"),
    [
        ("o3", "2025-06-09", "out_usd", "0.00004"),
        ("o3", "2025-06-10", "out_usd", "0.000008"),
        ("gpt-4.1", "2025-12-31", "out_usd", "0.000008"),
        ("gpt-4.1", "2026-01-01", "out_usd", "0.000006"),
        ("gpt-4.1", "2026-01-01", "in_uncached_usd", "0.000002"),
        ("gpt-4.1", "2026-07-01", "out_usd", "0.000008"),
    ],
)
def test_a_day_has_the_price_that_held_on_it(
    con: duckdb.DuckDBPyConnection, model: str, day: str, column: str, usd: str
) -> None:
    """o3 fell by four fifths on 10 June 2025; an agreed price holds for half a year, the list before and after."""
    assert price(con, model, day, column) == Decimal(usd)


def test_the_command_prints_the_book() -> None:
    """As CSV with the columns of a price book; as JSON the same text."""
    run = CliRunner()
    assert run.invoke(app, ["prices", "template"]).stdout == book()
    assert json.loads(run.invoke(app, ["prices", "template", "--json"]).stdout) == {"csv": book()}


def test_the_batch_tier_is_half_of_the_standard_one() -> None:
    """Both providers ask half for input and output of batches."""
    rows = {(row["model"], row["token_class"], row["tier"], row["valid_from"]): Decimal(row["price_usd"])
            for row in csv.DictReader(book().splitlines())}  # fmt: skip
    batches = {key: price for key, price in rows.items() if key[2] == "batch"}
    assert len(batches) > 20
    for (model, name, _, since), found in batches.items():
        assert found * 2 == rows[model, name, "standard", since]


def test_open_prices_are_those_of_the_public_map() -> None:
    """Every price without an end, standard and batch, to the last digit of LiteLLM's map."""
    if not MAP.exists():
        pytest.skip(f"no {MAP}: set REALDATA to the folder of public data")
    held = json.loads(MAP.read_text(encoding="utf-8"))
    rows = [row for row in csv.DictReader(book().splitlines()) if not row["valid_to"]]
    assert len(rows) > 60
    for row in rows:
        key = KEYS[row["token_class"]] + ("_batches" if row["tier"] == "batch" else "")
        assert Decimal(repr(held[row["model"]][key])) == Decimal(row["price_usd"]), row
