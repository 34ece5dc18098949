"""Statistics on data that others published, held to the numbers they published."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.statistics import ranking
from pipeline.statistics.agreement import pass_hat_k
from pipeline.statistics.intervals import clustered_share, wilson
from pipeline.statistics.ranking import ranking_measures

TREC_NAMES = {
    "P@5": "P_5",
    "P@10": "P_10",
    "R@10": "recall_10",
    "R@100": "recall_100",
    "RR": "recip_rank",
    "AP": "map",
    "AP@100": "map_cut_100",
    "nDCG": "ndcg",
    "nDCG@10": "ndcg_cut_10",
    "Success@5": "success_5",
}


def rows_of(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file, or a skip with the reason."""
    if not path.exists():
        pytest.skip(f"the real data lack {path.parent.name}")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_attack_rates_of_the_agentdojo_reaudit(realdata: Path) -> None:
    """The eight Wilson intervals that the re-audit computed with its own code, to the last digits."""
    rows = rows_of(realdata / "agentdojo-reaudit" / "groq_balanced_counts.csv")
    injected = [row for row in rows if row["phase"] == "injection"]
    successes, usable, low, high = (
        [float(row[name]) for row in injected]
        for name in ("attack_success", "usable", "wilson_low_attack", "wilson_high_attack")
    )
    assert len(injected) == 8
    np.testing.assert_allclose(wilson(successes, usable), [low, high], atol=1e-15)


def test_attack_success_of_jailbreakbench(realdata: Path) -> None:
    """Successes per hundred behaviours of the 18 attacks; a prompt never submitted stays in the denominator."""
    rows = rows_of(realdata / "jailbreakbench" / "labels.csv")
    attempts = Counter((row["method"], row["model"]) for row in rows)
    broken = Counter((row["method"], row["model"]) for row in rows if row["jailbroken"] == "True")
    published = {
        "PAIR": {"vicuna": 69, "llama-2": 0, "gpt-3.5": 71, "gpt-4": 34},
        "GCG": {"vicuna": 80, "llama-2": 3, "gpt-3.5": 47, "gpt-4": 4},
        "JBC": {"vicuna": 90, "llama-2": 0, "gpt-3.5": 0, "gpt-4": 0},
        "prompt_with_random_search": {"vicuna": 89, "llama-2": 90, "gpt-3.5": 93, "gpt-4": 78},
        "DSN": {"vicuna": 95, "llama-2": 94},
    }
    found = {
        (method, model): broken[key]
        for method, rates in published.items()
        for model in rates
        for key in attempts
        if key[0] == method and key[1].startswith(model)
    }
    assert found == {(method, model): rate for method, rates in published.items() for model, rate in rates.items()}
    assert set(attempts.values()) == {100}
    assert sum(row["prompt_submitted"] == "False" for row in rows) > 0
    low, high = wilson([broken[key] for key in attempts], [attempts[key] for key in attempts])
    assert ((low >= 0) & (high <= 1) & (high - low < 0.2)).all()


def test_reliability_of_tau_bench(realdata: Path) -> None:
    """Pass^1 to Pass^4 of gpt-4o in the airline domain, from the rewards of 50 tasks tried four times each."""
    path = realdata / "tau-bench" / "gpt-4o-airline.json"
    if not path.exists():
        pytest.skip("the real data lack tau-bench")
    sessions = json.loads(path.read_text(encoding="utf-8"))
    trials = Counter(session["task_id"] for session in sessions)
    successes = Counter(session["task_id"] for session in sessions if session["reward"] == 1)
    values = pass_hat_k([successes[task] for task in trials], [trials[task] for task in trials], [1, 2, 3, 4])
    assert np.round(values, 3).tolist() == [0.420, 0.273, 0.220, 0.200]


@pytest.mark.parametrize(("trace", "percent"), [("conversation", 37.4), ("synthetic", 65.1)])
def test_unlimited_prefix_cache_of_mooncake(realdata: Path, trace: str, percent: float) -> None:
    """Share of input tokens in the leading blocks of 512 seen before; the last block of a request may be partial."""
    path = realdata / "mooncake-kvcache" / f"{trace}_trace.jsonl"
    if not path.exists():
        pytest.skip("the real data lack mooncake-kvcache")
    seen: set[int] = set()
    cached, tokens = [], []
    with path.open(encoding="utf-8") as file:
        for request in map(json.loads, file):
            blocks = request["hash_ids"]
            leading = next((place for place, block in enumerate(blocks) if block not in seen), len(blocks))
            cached.append(min(512 * leading, request["input_length"]))
            tokens.append(request["input_length"])
            seen.update(blocks)
    x, y = np.array(cached, dtype=float), np.array(tokens, dtype=float)
    assert round(100 * x.sum() / y.sum(), 1) == percent
    low, high = clustered_share(len(x), x.sum(), y.sum(), x @ x, x @ y, y @ y)
    assert percent / 100 - 0.03 < low < x.sum() / y.sum() < high < percent / 100 + 0.03


@pytest.fixture(scope="module")
def trec(realdata: Path) -> tuple[pd.DataFrame, pd.DataFrame, dict[tuple[str, str], float]]:
    """The test run of trec_eval, its judgements, and its published values by measure and query."""
    folder = realdata / "trec-eval"
    if not folder.is_dir():
        pytest.skip("the real data lack trec-eval")
    fields = {"query_id": str, "doc_id": str}
    qrels = pd.read_csv(folder / "qrels.test", sep=" ", names=["query_id", "_", "doc_id", "grade"], dtype=fields)
    names = ["query_id", "_", "doc_id", "rank", "score", "tag"]
    run = pd.read_csv(folder / "results.test", sep=r"\s+", names=names, dtype=fields)
    published = {}
    for name in ("out.test.a", "out.test.aq"):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            measure, query, text = line.split("\t")
            if measure.strip() in TREC_NAMES.values():
                published[measure.strip(), query.strip()] = float(text)
    return run, qrels, published


@pytest.mark.parametrize("computed_by", ["ir_measures", "formulas"])
def test_published_values_of_trec_eval(
    trec: tuple[pd.DataFrame, pd.DataFrame, dict[tuple[str, str], float]],
    computed_by: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten measures of three topics and their means, to all four published digits."""
    if computed_by == "formulas":
        monkeypatch.setattr(ranking, "find_spec", lambda name: None)
    elif ranking.find_spec("ir_measures") is None:
        pytest.skip("ir_measures has no wheel for this machine")
    run, qrels, published = trec
    found = ranking_measures(run, qrels, list(TREC_NAMES)).set_index("query_id")
    means = {name: round(float(x), 4) for name, x in found.mean().items()}
    assert means == {name: published[trec_name, "all"] for name, trec_name in TREC_NAMES.items()}
    assert [means[name] for name in ("P@5", "P@10", "R@10", "R@100", "RR", "AP", "nDCG@10")] == [
        0.2667,
        0.3000,
        0.0317,
        0.4980,
        0.4064,
        0.1785,
        0.3016,
    ]
    for query, values in found.iterrows():
        for name, trec_name in TREC_NAMES.items():
            assert round(float(values[name]), 4) == published[trec_name, str(query)], (query, name)


def test_neither_the_order_of_rows_nor_the_rank_column_counts(
    trec: tuple[pd.DataFrame, pd.DataFrame, dict[tuple[str, str], float]],
) -> None:
    """Shuffled rows with ranks made up give the same values: score, then document id, settle the ten ties as well."""
    run, qrels, _ = trec
    assert run.duplicated(["query_id", "score"]).sum() == 10
    shuffled = run.sample(frac=1, random_state=1).assign(rank=1)
    pd.testing.assert_frame_equal(
        ranking_measures(shuffled, qrels, list(TREC_NAMES)), ranking_measures(run, qrels, list(TREC_NAMES))
    )
