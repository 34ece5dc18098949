"""One call through exports that count cached input in and exports that count it apart: the same classes and price.

The call and its prices are the token vector of the cost reference: 262 960 input tokens of which 257 955 were read from
the cache, 1 744 output tokens, at $2.50, $0.3125 and $15 per million for prompts of more than 200 000 tokens.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from sources_room import NOW, package_mappings

from pipeline.facts import create_views
from pipeline.ingest import Ingest, take_in
from pipeline.roi.bill_read import read_sheets
from pipeline.roi.reconcile import statements
from pipeline.warehouse.connection import create_schemas, open_warehouse
from pipeline.warehouse.receive import receive

INPUT, CACHED, OUTPUT = 262_960, 257_955, 1_744
FRESH = INPUT - CACHED
COST_USD = (FRESH * Decimal("2.5") + CACHED * Decimal("0.3125") + OUTPUT * Decimal(15)) / 1_000_000
PRICES = {
    "sample_spec": {"input_cost_per_token": 0},
    "gemini/long-1": {
        "litellm_provider": "gemini",
        "input_cost_per_token": 1.25e-06,
        "input_cost_per_token_above_200k_tokens": 2.5e-06,
        "cache_read_input_token_cost": 1.5625e-07,
        "cache_read_input_token_cost_above_200k_tokens": 3.125e-07,
        "output_cost_per_token": 1e-05,
        "output_cost_per_token_above_200k_tokens": 1.5e-05,
    },
}


def otlp(prompt: int, cached: int, out: int) -> tuple[str, str]:
    """A span whose input tokens include the cached ones."""
    counts = {
        "gen_ai.usage.input_tokens": prompt,
        "gen_ai.usage.cache_read.input_tokens": cached,
        "gen_ai.usage.output_tokens": out,
    }
    names = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.request.model": "long-1",
    }
    told = [{"key": key, "value": {"stringValue": value}} for key, value in names.items()]
    told += [{"key": key, "value": {"intValue": str(value)}} for key, value in counts.items()]
    span = {"traceId": "t", "spanId": "c1", "startTimeUnixNano": "1788422400000000000", "attributes": told}
    return "otlp.jsonl", json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n"


def litellm(prompt: int, cached: int, out: int) -> tuple[str, str]:
    """A spend log whose prompt tokens include the cached ones."""
    notes = json.dumps({"usage_object": {"prompt_tokens_details": {"cached_tokens": cached}}}).replace('"', '""')
    head = "request_id,call_type,spend,prompt_tokens,completion_tokens,startTime,endTime,model,custom_llm_provider"
    row = f'c1,acompletion,0,{prompt},{out},2026-09-03 08:00:00,2026-09-03 08:00:09,long-1,gemini,"{notes}"'
    return "spend-logs.csv", f"{head},metadata\n{row}\n"


def phoenix(prompt: int, cached: int, out: int) -> tuple[str, str]:
    """A span of floating point counts whose prompt tokens include the cached ones."""
    named = {
        "context.span_id": "c1", "context.trace_id": "t", "parent_id": "", "span_kind": "LLM", "status_code": "OK",
        "start_time": "2026-09-03 08:00:00+00:00", "end_time": "2026-09-03 08:00:09+00:00",
        "attributes.llm.model_name": "long-1", "attributes.llm.provider": "google",
        "attributes.llm.token_count.prompt": f"{prompt}.0", "attributes.llm.token_count.completion": f"{out}.0",
        "attributes.llm.token_count.prompt_details.cache_read": f"{cached}.0",
    }  # fmt: skip
    return "phoenix-spans.csv", ",".join(named) + "\n" + ",".join(named.values()) + "\n"


def mlflow(prompt: int, cached: int, out: int, *, form: str) -> tuple[str, str]:
    """A trace whose input tokens include the cached ones in the format of OpenAI, and not in that of Anthropic."""
    counted = prompt if form == "openai" else prompt - cached
    used = {"input_tokens": counted, "cache_read_input_tokens": cached, "output_tokens": out}
    told = {
        "mlflow.spanType": "CHAT_MODEL", "mlflow.llm.model": "long-1", "mlflow.llm.provider": "gemini",
        "mlflow.message.format": form, "mlflow.chat.tokenUsage": used,
    }  # fmt: skip
    span = {"span_id": "c1", "parent_span_id": "c0", "start_time_unix_nano": 1788422400000000000,
            "attributes": {key: json.dumps(value) for key, value in told.items()}}  # fmt: skip
    trace = {"info": {"trace_id": "t"}, "data": {"spans": [span]}}
    return "mlflow.jsonl", json.dumps(trace) + "\n"


def langfuse(prompt: int, cached: int, out: int) -> tuple[str, str]:
    """An observation of the API, whose usage keys stand apart."""
    used = {"input": prompt - cached, "input_cached_tokens": cached, "output": out}
    told = {"id": "c1", "traceId": "t", "type": "GENERATION", "startTime": "2026-09-03T08:00:00Z", "model": "long-1",
            "usageDetails": used, "metadata": {"provider": "gemini"}}  # fmt: skip
    return "observations.jsonl", json.dumps(told) + "\n"


def langfuse_export(prompt: int, cached: int, out: int) -> tuple[str, str]:
    """An observation of the scheduled export, whose usage keys stand apart."""
    used = {"input": prompt - cached, "cache_read_input_tokens": cached, "output": out}
    told = {"id": "c1", "trace_id": "t", "type": "GENERATION", "start_time": "2026-09-03 08:00:00.000000",
            "parent_observation_id": "", "provided_model_name": "long-1", "usage_details": used,
            "metadata": {"provider": "gemini"}}  # fmt: skip
    return "observations_v2.jsonl", json.dumps(told) + "\n"


INCLUSIVE = {
    "otlp": otlp,
    "litellm": litellm,
    "phoenix": phoenix,
    "mlflow openai": lambda *n: mlflow(*n, form="openai"),
}
EXCLUSIVE = {
    "langfuse": langfuse,
    "langfuse export": langfuse_export,
    "mlflow anthropic": lambda *n: mlflow(*n, form="anthropic"),
}
FOCUS = (
    "Id,ProviderName,ServiceName,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,SkuId,BilledCost,EffectiveCost,"
    "BillingCurrency"
)
CALL = """SELECT c.tokens_in_uncached, c.tokens_cache_read, coalesce(c.tokens_cache_write_5m, 0),
    coalesce(c.tokens_cache_write_1h, 0), c.tokens_out, p.cost_usd
  FROM core.calls AS c JOIN facts.priced_calls AS p USING (call_id)"""


def taken(folder: Path, files: dict[str, str]) -> duckdb.DuckDBPyConnection:
    """A warehouse that took the files in, with every fact."""
    exports = folder / "exports"
    exports.mkdir()
    for name, text in files.items():
        (exports / name).write_text(text, encoding="utf-8")
    con = open_warehouse(Path(":memory:"), key=b"k" * 32, memory_limit="1GB")
    create_schemas(con)
    done = take_in(Ingest(con, package_mappings(), "h", 1, NOW), receive(exports, folder / "received"))
    assert (done.files_quarantined, done.quarantined) == (0, 0)
    create_views(con)
    return con


@pytest.mark.parametrize("export", [*INCLUSIVE, *EXCLUSIVE])
def test_the_token_vector_costs_the_same_however_cached_input_is_counted(tmp_path: Path, export: str) -> None:
    """5 005 + 257 955 = 262 960 tokens in, each in one class, for $0.1193; $0.7642 counts the cached ones twice."""
    name, text = (INCLUSIVE | EXCLUSIVE)[export](INPUT, CACHED, OUTPUT)
    con = taken(tmp_path, {name: text, "model_prices.json": json.dumps(PRICES)})
    ((fresh, read, written_5m, written_1h, out, cost),) = con.execute(CALL).fetchall()
    assert (fresh, read, written_5m, written_1h, out) == (5_005, 257_955, 0, 0, 1_744)
    assert fresh + read + written_5m + written_1h == INPUT
    assert cost == COST_USD
    assert round(cost, 4) == Decimal("0.1193")


def openai_usage(fresh: int, read: int, written: int, out: int) -> tuple[str, str]:
    """A usage report whose input tokens include what was read from the cache and written to it."""
    told = {"object": "organization.usage.completions.result", "input_tokens": fresh + read + written,
            "input_cached_tokens": read, "input_cache_write_tokens": written, "output_tokens": out,
            "num_model_requests": 1, "model": "long-1", "service_tier": "default"}  # fmt: skip
    bucket = {"object": "bucket", "start_time": 1788393600, "end_time": 1788480000, "results": [told]}
    return "openai-usage.json", json.dumps({"object": "page", "data": [bucket], "has_more": False})


def anthropic_usage(fresh: int, read: int, written: int, out: int) -> tuple[str, str]:
    """A usage report whose classes stand apart."""
    told = {"uncached_input_tokens": fresh, "cache_read_input_tokens": read, "output_tokens": out, "model": "long-1",
            "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
            "service_tier": "standard"}  # fmt: skip
    bucket = {"starting_at": "2026-09-03T00:00:00Z", "ending_at": "2026-09-04T00:00:00Z", "results": [told]}
    return "anthropic-usage.json", json.dumps({"data": [bucket], "has_more": False})


BUCKET = """SELECT tokens_in_uncached, tokens_cache_read, tokens_cache_write_5m, coalesce(tokens_cache_write_1h, 0),
  tokens_out, service_tier, CAST(bucket_start AS VARCHAR) FROM core.usage_buckets"""


@pytest.mark.parametrize(("report", "tier"), [(openai_usage, "default"), (anthropic_usage, "standard")])
def test_every_token_of_a_report_lands_in_one_class_however_cached_input_is_counted(
    tmp_path: Path, report: Callable[..., tuple[str, str]], tier: str
) -> None:
    """5 005 in full, 257 955 read and 1 000 written: 263 960 tokens of input by both, none of them in two classes."""
    name, text = report(FRESH, CACHED, 1_000, OUTPUT)
    found = taken(tmp_path, {name: text}).execute(BUCKET).fetchall()
    assert found == [(5_005, 257_955, 1_000, 0, 1_744, tier, "2026-09-03 00:00:00+00")]
    assert sum(found[0][:4]) == INPUT + 1_000


@pytest.mark.parametrize("export", [*INCLUSIVE, *EXCLUSIVE])
def test_a_call_and_a_report_that_count_alike_leave_nothing_to_explain(tmp_path: Path, export: str) -> None:
    """The token vector through every export, held against a report and an invoice of $0.1193: every part is 0."""
    name, text = (INCLUSIVE | EXCLUSIVE)[export](INPUT, CACHED, OUTPUT)
    _, usage = openai_usage(FRESH, CACHED, 0, OUTPUT)
    bill = (
        f"""{FOCUS}\nl1,gemini,API,2026-09-01 00:00:00,2026-10-01 00:00:00,Usage,long-1,{COST_USD},{COST_USD},USD\n"""
    )
    con = taken(tmp_path, {name: text, "openai-usage.json": usage, "focus.csv": bill,
                           "model_prices.json": json.dumps(PRICES)})  # fmt: skip
    con.execute("UPDATE core.usage_buckets SET provider = 'gemini'")
    sheets, rates = read_sheets(con)
    (found,) = statements(sheets, rates)
    assert (found.telemetry, found.gap) == (COST_USD.quantize(Decimal("0.000001")), 0)
    assert {one.name: one.amount for one in found.parts if one.amount != 0} == {}
    assert (found.models[0].usage, found.models[0].billed_requests) == (COST_USD, 1)
    assert sheets.logged[0].cost == con.execute("SELECT sum(cost_usd) FROM facts.priced_calls").fetchall()[0][0]


@pytest.mark.parametrize(
    ("prompt", "per_million"),
    [(200_000, Decimal("1.25")), (200_001, Decimal("2.5"))],
)
def test_a_long_prompt_has_its_own_price_from_the_first_token(
    tmp_path: Path, prompt: int, per_million: Decimal
) -> None:
    """At 200 000 tokens the plain price still holds, above it the other one holds for all of them, cached or not."""
    name, text = otlp(prompt, prompt - 1_000, 0)
    con = taken(tmp_path, {name: text, "model_prices.json": json.dumps(PRICES)})
    ((cost,),) = con.execute("SELECT cost_usd FROM facts.priced_calls").fetchall()
    assert cost == (1_000 * per_million + (prompt - 1_000) * per_million / 8) / 1_000_000


@pytest.mark.parametrize(
    ("tier", "prompt", "per_million"),
    [("priority", 1_000, "9"), ("priority", 300_000, "18"), ("flex", 300_000, "4"), ("default", 300_000, "6")],
)
def test_tiers_and_lengths_go_together(tmp_path: Path, tier: str, prompt: int, per_million: str) -> None:
    """A tier has its own price for long prompts; one that names none keeps its plain price."""
    prices = {
        "input_cost_per_token": 3e-06, "input_cost_per_token_above_200k_tokens": 6e-06,
        "input_cost_per_token_priority": 9e-06, "input_cost_per_token_above_200k_tokens_priority": 1.8e-05,
        "input_cost_per_token_flex": 4e-06,
    }  # fmt: skip
    name, text = otlp(prompt, 0, 0)
    told = json.loads(text)
    attributes = told["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"]
    attributes.append({"key": "openai.response.service_tier", "value": {"stringValue": tier}})
    book = {"sample_spec": {}, "gemini/long-1": {"litellm_provider": "gemini"} | prices}
    con = taken(tmp_path, {name: json.dumps(told) + "\n", "model_prices.json": json.dumps(book)})
    ((cost,),) = con.execute("SELECT cost_usd FROM facts.priced_calls").fetchall()
    assert cost == prompt * Decimal(per_million) / 1_000_000


def test_a_class_that_a_band_does_not_name_keeps_its_price(tmp_path: Path) -> None:
    """Cached input at $0.15625 per million below and, as nothing else is said, above 200 000 tokens."""
    book = json.loads(json.dumps(PRICES))
    del book["gemini/long-1"]["cache_read_input_token_cost_above_200k_tokens"]
    name, text = otlp(INPUT, CACHED, 0)
    con = taken(tmp_path, {name: text, "model_prices.json": json.dumps(book)})
    ((cost,),) = con.execute("SELECT cost_usd FROM facts.priced_calls").fetchall()
    assert cost == (FRESH * Decimal("2.5") + CACHED * Decimal("0.15625")) / 1_000_000


def test_long_cacheable_calls_stay_one_row(tmp_path: Path) -> None:
    """A model with two bands of prices has each of its calls once among those that could have read from the cache."""
    name, text = otlp(INPUT, CACHED, OUTPUT)
    con = taken(tmp_path, {name: text, "model_prices.json": json.dumps(PRICES)})
    assert con.execute("SELECT tokens_in, tokens_cache_read FROM facts.cacheable_calls").fetchall() == [(INPUT, CACHED)]


def test_an_export_that_says_more_cached_than_input_is_refused(tmp_path: Path) -> None:
    """A span that counts cached input apart has no place in an export that counts it in: the row is quarantined."""
    name, text = otlp(FRESH, CACHED, OUTPUT)
    exports = tmp_path / "exports"
    exports.mkdir()
    (exports / name).write_text(text, encoding="utf-8")
    con = open_warehouse(Path(":memory:"), key=b"k" * 32, memory_limit="1GB")
    create_schemas(con)
    done = take_in(Ingest(con, package_mappings(), "h", 1, NOW), receive(exports, tmp_path / "received"))
    assert (done.loaded, done.quarantined) == (0, 1)
    assert con.execute("SELECT reason FROM ledger.quarantine").fetchall() == [("tokens_in_uncached: negative",)]
