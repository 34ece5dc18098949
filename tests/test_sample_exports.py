"""The exports of the made-up organisation: same bytes for the same seed, and the right values read back from them."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipeline.sample import SampleSummary, write_sample

ROOT = Path(__file__).resolve().parent.parent
MILLION = Decimal(1_000_000)
PRICES = {
    "gpt-4.1": ("2", "0.5", "0", "0", "8"),
    "gpt-4.1-mini": ("0.4", "0.1", "0", "0", "1.6"),
    "claude-sonnet-4-5": ("3", "0.3", "3.75", "6", "15"),
    "text-embedding-3-small": ("0.02", "0", "0", "0", "0"),
}
"""USD a million: input, cache read, cache write for 5 minutes and for an hour, output."""


def fingerprint(folder: Path) -> str:
    """SHA-256 of all names and bytes of a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve people in October 2026."""
    out = tmp_path_factory.mktemp("small")
    write_sample(out, people=12, months=1, seed=3)
    return out


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SampleSummary]:
    """The sample as it is without arguments."""
    out = tmp_path_factory.mktemp("default")
    return out, write_sample(out)


def csv_rows(folder: Path, pattern: str) -> list[dict[str, str]]:
    """Rows of all CSV files of a kind."""
    found: list[dict[str, str]] = []
    for path in sorted(folder.rglob(pattern)):
        with path.open(encoding="utf-8", newline="") as stream:
            found.extend(csv.DictReader(stream))
    return found


def json_lines(folder: Path, pattern: str) -> Iterator[dict[str, Any]]:
    """Records of all JSONL files of a kind."""
    for path in sorted(folder.rglob(pattern)):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def right(folder: Path, kpi_id: str, grain: str = "month", start: str = "2026-10-01") -> dict[str, Any]:
    """The overall right value of a period."""
    values = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["values"]
    wanted = (kpi_id, grain, start, "")
    keys = ("kpi_id", "grain", "period_start", "dimension")
    return next(entry for entry in values if tuple(entry[key] for key in keys) == wanted)


def test_the_same_seed_gives_the_same_bytes_in_another_process(small: Path, tmp_path: Path) -> None:
    """Hash seed, time zone and locale of the process do not matter."""
    code = f"from pathlib import Path; from pipeline.sample import write_sample; write_sample(Path({str(tmp_path)!r}), "
    code += "people=12, months=1, seed=3)"
    environment = {**os.environ, "PYTHONHASHSEED": "4", "TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert fingerprint(tmp_path) == fingerprint(small)


def test_another_seed_gives_another_organisation(small: Path, tmp_path: Path) -> None:
    """The seed is what decides."""
    write_sample(tmp_path, people=12, months=1, seed=4)
    assert fingerprint(tmp_path) != fingerprint(small)


def test_a_second_sample_replaces_the_first_and_nothing_else(tmp_path: Path) -> None:
    """Files of the first that the second does not write are gone; a file of somebody else stays."""
    write_sample(tmp_path, people=12, months=2, seed=3)
    (tmp_path / "mine.csv").write_text("a\n1\n")
    write_sample(tmp_path, people=12, months=1, seed=3)
    assert not list(tmp_path.rglob("*2026-09*"))
    assert (tmp_path / "mine.csv").read_text() == "a\n1\n"


@pytest.mark.parametrize("arguments", [{"people": 0}, {"months": 0}])
def test_an_organisation_of_nobody_or_no_time_is_refused(tmp_path: Path, arguments: dict[str, int]) -> None:
    """The message names both arguments."""
    with pytest.raises(ValueError, match=r"people is \d+ and months is \d+: both must be 1 or more"):
        write_sample(tmp_path, **arguments)


def test_the_summary_counts_what_is_there(small: Path, tmp_path: Path) -> None:
    """Files and bytes are those of the folder without truth.json, which lists the same files."""
    summary = write_sample(tmp_path, people=12, months=1, seed=3)
    files = {str(path.relative_to(small)) for path in small.rglob("*") if path.is_file()} - {"truth.json"}
    assert set(json.loads((small / "truth.json").read_text())["files"]) == files
    assert summary.files == len(files)
    assert summary.bytes == sum((small / name).stat().st_size for name in files)


def test_the_default_sample_is_small_enough_to_make_at_will(default: tuple[Path, SampleSummary]) -> None:
    """Under 30 MB, from October 2025 to October 2026, with a file for each of the last seven days."""
    out, summary = default
    assert 15_000_000 < summary.bytes < 30_000_000
    assert json.loads((out / "truth.json").read_text())["period"] == {"start": "2025-10-01", "end": "2026-11-01"}
    days = [f"2026-10-{day}" for day in range(25, 32)]
    assert [path.stem[-10:] for path in sorted(out.glob("langfuse/observations-2026-10-*.jsonl"))] == days


PLAUSIBLE = {
    "adoption_rate": (0.15, 0.85),
    "deflection_rate": (0.12, 0.30),
    "grounded_answer_rate": (0.85, 0.97),
    "flagged_output_rate": (0.002, 0.025),
    "token_cost_per_session": (0.01, 0.05),
    "mttr": (0.2, 6),
    "p95_latency": (2, 4),
    "tool_error_rate": (0.001, 0.05),
    "csat_delta": (-10, 20),
    "trained_share": (0.2, 0.95),
    "change_failure_rate": (0, 0.3),
    "availability": (0.998, 0.99999),
    "hours_saved": (2, 60),
}


@pytest.mark.parametrize("kpi_id", PLAUSIBLE)
def test_the_right_values_are_plausible_in_every_month(default: tuple[Path, SampleSummary], kpi_id: str) -> None:
    """Thirteen months lie in a range a reader would believe."""
    values = json.loads((default[0] / "truth.json").read_text())["values"]
    months = [v["value"] for v in values if (v["kpi_id"], v["grain"], v["dimension"]) == (kpi_id, "month", "")]
    low, high = PLAUSIBLE[kpi_id]
    assert len(months) == 13
    assert all(low <= value <= high for value in months)


def test_availability_is_what_the_export_adds_up_to(small: Path) -> None:
    """Good over valid of every row outside maintenance."""
    rows = [row for row in csv_rows(small, "availability-*.csv") if row["maintenance"] == "no"]
    entry = right(small, "availability")
    assert entry["numerator"] == str(sum(int(row["good"]) for row in rows))
    assert entry["denominator"] == str(sum(int(row["valid"]) for row in rows))


def test_flags_are_what_the_export_adds_up_to(small: Path) -> None:
    """Labels of the safety judgements."""
    labels = [one["label"] for one in json_lines(small, "evaluation-scores-*.jsonl") if one["name"] == "safety_flag"]
    entry = right(small, "flagged_output_rate")
    assert (entry["numerator"], entry["denominator"]) == (str(labels.count("flagged")), str(len(labels)))


def test_hours_saved_are_what_the_export_adds_up_to(small: Path) -> None:
    """Baseline minus duration of verified successes of production sessions, in whole nanoseconds of an hour."""
    unreal = {name for name, is_real in sessions(small).items() if not is_real}
    total, count = Decimal(0), 0
    for row in csv_rows(small, "tasks-*.csv"):
        is_counted = row["outcome"] == "success" and row["outcome_source"] == "verified"
        if is_counted and row["baseline_minutes"] and row["ended_at"] and row["session_id"] not in unreal:
            seconds = datetime.fromisoformat(row["ended_at"]) - datetime.fromisoformat(row["started_at"])
            hours = Decimal(row["baseline_minutes"]) / 60 - Decimal(seconds / timedelta(milliseconds=1)) / 3_600_000
            total, count = total + round(hours, 9), count + 1
    entry = right(small, "hours_saved")
    assert (Decimal(entry["numerator"]), entry["n"]) == (total, count)


def sessions(folder: Path) -> dict[str, bool]:
    """Every session of both applications, and whether it is production traffic of users."""
    found = {}
    for trace in json_lines(folder, "traces-*.jsonl"):
        if "sessionId" in trace:
            found[trace["sessionId"]] = trace["environment"] != "staging" and "synthetic" not in trace["tags"]
    for row in csv_rows(folder, "spend-logs-*.csv"):
        if row["session_id"]:
            tags = json.loads(row["request_tags"])
            found[row["session_id"]] = "env:production" in tags and "synthetic" not in tags
    return found


def test_cost_per_session_is_what_the_exports_add_up_to(small: Path) -> None:
    """Every token of both applications at its list price."""
    real = sessions(small)
    cost = sum((cost for name, is_loose_real, cost in costs(small) if real.get(name, is_loose_real)), Decimal(0))
    entry = right(small, "token_cost_per_session")
    assert Decimal(entry["numerator"]) == cost
    assert entry["denominator"] == str(sum(real.values()))


def costs(folder: Path) -> Iterator[tuple[str, bool, Decimal]]:
    """(session or '', production by its own account, cost) of every call."""
    for one in json_lines(folder, "observations-*.jsonl"):
        usage = one.get("usageDetails", {})
        is_free = one.get("metadata", {}).get("responseCacheHit", False)
        tokens = (
            usage.get("input", 0),
            usage.get("input_cached_tokens", 0) + usage.get("cache_read_input_tokens", 0),
            usage.get("cache_creation_input_tokens", 0),
            usage.get("cache_creation_1h_input_tokens", 0),
            usage.get("output", 0) + usage.get("output_reasoning_tokens", 0),
        )
        cost = Decimal(0) if is_free or "model" not in one else priced(one["model"], tokens)
        yield one.get("sessionId", ""), one["environment"] != "staging", cost
    for row in csv_rows(folder, "spend-logs-*.csv"):
        usage = json.loads(row["metadata"])["usage_object"]
        read = usage["prompt_tokens_details"]["cached_tokens"]
        written = usage.get("cache_creation_input_tokens", 0)
        hour = usage.get("cache_creation_token_details", {}).get("ephemeral_1h_input_tokens", 0)
        tokens = (int(row["prompt_tokens"]) - read - written, read, written - hour, hour, int(row["completion_tokens"]))
        cost = Decimal(0) if row["cache_hit"] == "True" else priced(row["model"], tokens)
        yield row["session_id"], '"env:production"' in row["request_tags"], cost


def priced(model: str, tokens: tuple[int, ...]) -> Decimal:
    """Cost of the tokens at list prices, which hold in a sample of one month."""
    return (
        sum((count * Decimal(price) for count, price in zip(tokens, PRICES[model], strict=True)), Decimal(0)) / MILLION
    )


def test_no_session_of_the_last_day_runs_into_the_next(default: tuple[Path, SampleSummary]) -> None:
    """Sessions may cross midnight, and some do, but no data lies after the period."""
    starts = [one["startTime"] for one in json_lines(default[0], "observations-2026-10-3*.jsonl")]
    earlier = [
        one
        for path in default[0].glob("langfuse/observations-2026-0[1-9].jsonl")
        for one in json_lines(path.parent, path.name)
        if "startTime" in one and one["startTime"][:7] > path.stem[-7:]
    ]
    assert max(starts) < "2026-11-01"
    assert earlier
