"""Public data that no shipped source reads is mapped by a few lines of YAML, and its published numbers come out.

Each folder of the real data is read by shipped sources (other tests hold their numbers) or by one in tests/sources.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from engine_room import CATALOG, empty, values

from pipeline.ingest import Ingest, Taken, take_in
from pipeline.sources.binding import bind_problems
from pipeline.sources.mapping import PACKAGE_SOURCES, load_mappings
from pipeline.sources.recognise import recognise
from pipeline.warehouse.pseudonym import define_pseudonym
from pipeline.warehouse.receive import receive

HERE = Path(__file__).parent
MAPPINGS = sorted((HERE / "sources").glob("*.yaml"))
MAPPED = {
    "azure-llm-trace": {"azure_llm_trace"},
    "jailbreakbench": {"jailbreakbench"},
    "agentdojo-reaudit": {"agentdojo_reaudit"},
    "mooncake-kvcache": {"mooncake_trace"},
    "llmperf-latency": {"llmperf", "llmperf_summary"},
    "tau-bench": {"tau_bench"},
    "copilot-metrics": {"copilot_users_report", "copilot_organization_report", "copilot_seats", "github_billing"},
    "trec-eval": {"trec_run", "trec_qrels", "trec_eval_output"},
    "litellm-prices": {"litellm_price_map"},
    "focus-sample": {"focus"},
}
"""The sources that the files of each folder are taken for."""
BESIDE = {"entra-org-tree.json"}
"""Data that is no export of a table: a tree of a directory, which nobody asks for."""
HELD_HERE = ("azure-llm-trace", "jailbreakbench", "agentdojo-reaudit", "mooncake-kvcache")
"""The folders whose numbers are held by the tests below."""
TOLD = ("prompt_injection_resistance", "cache_hit_rate")


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """One warehouse for the module."""
    with empty(threads=2) as made:
        define_pseudonym(made, b"k" * 32)
        yield made


@pytest.fixture(scope="module")
def taken(con: duckdb.DuckDBPyConnection, realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """The four folders taken in by the mappings of tests/sources, beside those of the package."""
    received, now = tmp_path_factory.mktemp("received"), datetime(2026, 11, 1, 6, tzinfo=UTC)
    ingest = Ingest(con, load_mappings([PACKAGE_SOURCES, HERE / "sources"]), "h", 1, now)
    wanted = [
        one for one in receive(realdata, received) if one.name.startswith(HELD_HERE) and "." in Path(one.name).name
    ]
    return take_in(ingest, [one for one in wanted if not one.name.endswith((".md", ".txt"))])


@pytest.fixture(scope="module")
def told(con: duckdb.DuckDBPyConnection, taken: Taken) -> pd.DataFrame:
    """The values of the two KPIs that these data speak of."""
    assert taken.loaded > 0
    metrics = {name: CATALOG.metrics[name] for name in TOLD}
    return values(con, CATALOG.model_copy(update={"metrics": metrics, "benefits": {}}))


def of_days(told: pd.DataFrame, kpi: str, dimension: str) -> dict[str, dict[str, float]]:
    """The values of single days, by slice."""
    chosen = told[(told["kpi_id"] == kpi) & (told["grain"] == "day") & (told["dimension"] == dimension)]
    return {str(row["dimension_value"]): row for row in chosen[chosen["n"] > 0].to_dict("records")}


def test_every_row_is_loaded(taken: Taken, con: duckdb.DuckDBPyConnection) -> None:
    """8 819 + 19 366 + 12 031 + 3 993 requests, 1 800 attacks, 8 strata of 120 planned injections; none refused."""
    assert (taken.files_loaded, taken.quarantined, taken.duplicate) == (6, 0, 0)
    assert taken.loaded == 8819 + 19366 + 12031 + 3993 + 1800 + 8 * 120
    warned = con.execute("SELECT warning FROM ledger.warnings").fetchall()
    assert warned == []


def test_sums_of_the_azure_traces(taken: Taken, con: duckdb.DuckDBPyConnection) -> None:
    """Context and generated tokens of the two services, to the last one."""
    assert taken.loaded > 0
    sums = con.execute(
        "SELECT model, count(*), sum(tokens_in_uncached)::BIGINT, sum(tokens_out)::BIGINT FROM core.calls "
        "WHERE provider = 'azure' GROUP BY model ORDER BY model"
    ).fetchall()
    assert sums == [
        ("AzureLLMInferenceTrace_code", 8819, 18_059_974, 245_896),
        ("AzureLLMInferenceTrace_conv", 19366, 22_361_870, 4_088_665),
    ]


@pytest.mark.parametrize(
    ("trace", "percent", "lengths"),
    [("conversation_trace", 37.4, (12_035, 343)), ("synthetic_trace", 65.1, (15_325, 149))],
)
def test_cache_rates_of_mooncake(
    told: pd.DataFrame, con: duckdb.DuckDBPyConnection, trace: str, percent: float, lengths: tuple[int, int]
) -> None:
    """Share of input tokens that an unlimited prefix cache reads, as the KPI tells it; mean lengths as published."""
    found = of_days(told, "cache_hit_rate", "model")[trace]
    assert round(100 * found["value"], 1) == percent
    means = con.execute(
        "SELECT avg(tokens_in_uncached + tokens_cache_read), avg(tokens_out) FROM core.calls WHERE model = ?", [trace]
    ).fetchall()
    assert [tuple(map(round, row)) for row in means] == [lengths]


def test_attack_rates_of_jailbreakbench(told: pd.DataFrame) -> None:
    """What is resisted is one less the published success of each of the 18 attacks, unsubmitted prompts included."""
    published = {
        "PAIR": {"vicuna": 69, "llama-2": 0, "gpt-3.5": 71, "gpt-4": 34},
        "GCG": {"vicuna": 80, "llama-2": 3, "gpt-3.5": 47, "gpt-4": 4},
        "JBC": {"vicuna": 90, "llama-2": 0, "gpt-3.5": 0, "gpt-4": 0},
        "prompt_with_random_search": {"vicuna": 89, "llama-2": 90, "gpt-3.5": 93, "gpt-4": 78},
        "DSN": {"vicuna": 95, "llama-2": 94},
    }
    found = of_days(told, "prompt_injection_resistance", "suite")
    for method, rates in published.items():
        for model, reached in rates.items():
            (row,) = [one for suite, one in found.items() if suite.startswith(f"{method} {model}")]
            assert (Decimal(row["numerator"]), int(row["n"])) == (100 - reached, 100), (method, model)


def test_intervals_of_the_agentdojo_reaudit(told: pd.DataFrame, realdata: Path) -> None:
    """The eight published Wilson intervals of successes are those of what is resisted, turned round."""
    with (realdata / "agentdojo-reaudit" / "groq_balanced_counts.csv").open(encoding="utf-8", newline="") as file:
        strata = [row for row in csv.DictReader(file) if row["phase"] == "injection"]
    found = of_days(told, "prompt_injection_resistance", "suite")
    assert len(strata) == 8
    for row in strata:
        one = found[f"{row['model']} {row['defense']}"]
        assert int(one["n"]) == int(row["usable"])
        assert 1 - one["interval_high"] == pytest.approx(float(row["wilson_low_attack"]), abs=1e-12)
        assert 1 - one["interval_low"] == pytest.approx(float(row["wilson_high_attack"]), abs=1e-12)


def test_every_folder_is_read(realdata: Path, con: duckdb.DuckDBPyConnection) -> None:
    """Each data file by a source of its folder; each folder by some; and each is named by a test of its numbers."""
    mappings = load_mappings([PACKAGE_SOURCES, HERE / "sources"])
    assert {path.name for path in realdata.iterdir() if path.is_dir()} <= set(MAPPED)
    others = [path.read_text(encoding="utf-8") for path in HERE.glob("test_*_realdata.py")]
    for folder, sources in MAPPED.items():
        files = [path for path in sorted((realdata / folder).rglob("*")) if path.is_file()]
        data = [
            path
            for path in files
            if not path.name.startswith(("LICENSE", "license", "SOURCE")) and path.name not in BESIDE
        ]
        seen = {}
        for path in data:
            found = recognise(path, path.relative_to(realdata).as_posix(), mappings, con=con)
            seen[path] = found.mapping.source if found.mapping else found.reason
        assert set(seen.values()) == sources, seen
        assert folder in HELD_HERE or any(folder in text for text in others), f"no test holds numbers of {folder}"


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.stem)
def test_a_mapping_is_short_and_binds(path: Path) -> None:
    """At most forty lines, remarks included, and every expression of it binds to the columns it declares."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 40
    assert bind_problems([one for one in load_mappings([HERE / "sources"]) if one.source == path.stem]) == []
