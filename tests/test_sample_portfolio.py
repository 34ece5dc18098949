"""The exports of the programme: they fit together, and the right values are read back from them."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import groupby, pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from pipeline.sample import write_sample

KPIS = {
    "component_reuse_rate",
    "conversion_uplift",
    "cost_per_successful_task",
    "deflection_claim_gap",
    "evaluation_coverage",
    "hallucination_report_rate",
    "measurement_coverage",
    "mttd",
    "pilot_to_production_rate",
    "post_training_usage_rate",
    "prompt_injection_resistance",
    "rate_limit_incidents",
    "retained_usage_rate",
    "safety_violation_rate",
    "stakeholder_satisfaction",
    "task_success_rate",
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred people from October 2025 to October 2026."""
    out = tmp_path_factory.mktemp("programme")
    write_sample(out, people=100, months=13, seed=11)
    return out


def rows(sample: Path, pattern: str) -> list[dict[str, str]]:
    """Rows of all CSV files of a kind."""
    found: list[dict[str, str]] = []
    for path in sorted(sample.rglob(pattern)):
        with path.open(encoding="utf-8", newline="") as stream:
            found.extend(csv.DictReader(stream))
    return found


def records(sample: Path, pattern: str) -> Iterator[dict[str, Any]]:
    """Records of all JSONL files of a kind that can be read."""
    for path in sorted(sample.rglob(pattern)):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.endswith("}"):
                yield json.loads(line)


def more(
    sample: Path, kpi_id: str, grain: str = "month", *, cut: tuple[str, str] = ("", "")
) -> dict[str, dict[str, Any]]:
    """The right answers of a KPI by the first day of the period."""
    entries = json.loads((sample / "truth.json").read_text(encoding="utf-8"))["more"]
    keys = ("kpi_id", "grain", "dimension", "dimension_value")
    found = [one for one in entries if tuple(one[key] for key in keys) == (kpi_id, grain, *cut)]
    return {one["period_start"]: one for one in found}


def by_month(days: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Lists by day, gathered by the first day of the month."""
    found: dict[str, list[Any]] = defaultdict(list)
    for day, values in days.items():
        found[f"{day[:7]}-01"].extend(values)
    return found


def test_every_kpi_of_the_programme_has_right_answers(sample: Path) -> None:
    """Sixteen, in entries of the form the others have, under a key of their own."""
    truth = json.loads((sample / "truth.json").read_text(encoding="utf-8"))
    assert {entry["kpi_id"] for entry in truth["more"]} == KPIS
    assert not KPIS & {entry["kpi_id"] for entry in truth["values"]}
    common = set.intersection(*(set(entry) for entry in truth["values"]))
    assert all(common <= set(entry) for entry in truth["more"])


def test_quarters_are_those_of_the_year(sample: Path) -> None:
    """Five, from October 2025; the last is not over, so its values are immature."""
    found = more(sample, "component_reuse_rate", "quarter")
    assert [(one["period_start"], one["period_end"]) for one in found.values()] == [
        ("2025-10-01", "2026-01-01"),
        ("2026-01-01", "2026-04-01"),
        ("2026-04-01", "2026-07-01"),
        ("2026-07-01", "2026-10-01"),
        ("2026-10-01", "2027-01-01"),
    ]
    assert [one.get("status") for one in found.values()] == [None] * 4 + ["immature"]


def test_a_use_case_has_one_row_per_period_of_unchanged_attributes(sample: Path) -> None:
    """Each row begins where the one before ends, and something differs."""
    listed = sorted(rows(sample, "use-cases-*.csv"), key=lambda row: (row["use_case"], row["valid_from"]))
    for _, group in groupby(listed, key=lambda row: row["use_case"]):
        states = list(group)
        assert states[-1]["valid_to"] == ""
        for one, following in pairwise(states):
            assert one["valid_from"] < one["valid_to"] == following["valid_from"]
            assert {**one, "valid_from": "", "valid_to": ""} != {**following, "valid_from": "", "valid_to": ""}
    assert {row["stage"] for row in listed} == {"idea", "pilot", "production", "retired"}
    assert {row["cancelled_on_purpose"] for row in listed} == {"yes", "no"}


def test_the_portfolio_names_the_prompt_that_the_calls_used(sample: Path) -> None:
    """Of every answer of the assistant, the version is the one its use cases had on that day, and it was live."""
    names = ("customer_support", "knowledge_search", "contract_review")
    listed = [row for row in rows(sample, "use-cases-*.csv") if row["use_case"] in names]
    called = {
        (one["startTime"][:10], one["promptName"], str(one["promptVersion"]))
        for one in records(sample, "observations-*.jsonl")
        if one.get("promptName") and "startTime" in one and "2025-10" <= one["startTime"][:7] < "2026-11"
    }
    assert len({version for _, _, version in called}) == 5
    for day, prompt, version in called:
        current = [row for row in listed if row["valid_from"] <= day and (not row["valid_to"] or day < row["valid_to"])]
        assert {(row["prompt"], row["prompt_version"]) for row in current} == {(prompt, version)}, day
    live = {row["version"]: row["live_at"] for row in rows(sample, "prompt-versions-*.csv") if row["prompt"] == prompt}
    assert all(live[version][:10] <= day for day, _, version in called if version in live)


def test_prompt_versions_go_from_request_to_live(sample: Path) -> None:
    """Asked for, evaluated, live, in this order; some are still on their way."""
    for row in rows(sample, "prompt-versions-*.csv"):
        times = [row[name] for name in ("requested_at", "evaluated_at", "live_at") if row[name]]
        assert times == sorted(times)
        assert row["updated_at"] == times[-1]
        assert row["replaces"] == ("" if row["version"] == "1" else str(int(row["version"]) - 1))
    assert "" in {row["live_at"] for row in rows(sample, "prompt-versions-*.csv")}


def test_runs_name_what_they_tested(sample: Path) -> None:
    """Every attack and every list of documents belongs to a run of the harness, which names the judgements."""
    runs = {one["runId"]: one for one in records(sample, "evaluation-runs-*.jsonl")}
    assert {one["runId"] for one in records(sample, "red-team-*.jsonl")} <= set(runs)
    lines = [line.split() for path in sample.rglob("*.run") for line in path.read_text().splitlines()]
    assert {line[5] for line in lines} == {name for name, run in runs.items() if run["suite"] == "retrieval"}
    judged = {run["suiteVersion"] for run in runs.values() if run["suite"] == "retrieval"}
    assert judged == {path.stem for path in sample.rglob("*qrels*")}
    assert all(("passed" in run) == (run["status"] == "completed") for run in runs.values())


def test_the_retriever_ranks_ten_documents_a_query(sample: Path) -> None:
    """Scores fall with the rank; some documents were never judged, and one query has no relevant one."""
    qrels = [line.split() for path in sample.rglob("*qrels*") for line in path.read_text().splitlines()]
    grades = {(query, document): int(grade) for query, _, document, grade in qrels}
    assert [query for query in {query for query, _ in grades} if not _relevant(grades, query)] == ["q07"]
    lines = [line.split() for path in sample.rglob("*.run") for line in path.read_text().splitlines()]
    lists: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for query, _, _, rank, score, run in lines:
        lists[run, query].append((int(rank), float(score)))
    assert len({run for run, _ in lists}) == 56  # Mondays from 2025-10-06 to 2026-10-26
    for ranked in lists.values():
        assert [rank for rank, _ in ranked] == list(range(1, 11))
        assert all(before >= after for (_, before), (_, after) in pairwise(ranked))
    unjudged = [line for line in lines if (line[0], line[2]) not in grades]
    assert 0.05 < len(unjudged) / len(lines) < 0.5


def _relevant(grades: dict[tuple[str, str], int], query: str) -> bool:
    return any(grade > 0 for (name, _), grade in grades.items() if name == query)


def test_experiments_are_drawn_as_registered(sample: Path) -> None:
    """Variants are the registered ones, shares near the allocation, and one experiment with customers runs on."""
    registered = {row["experiment"]: row for row in rows(sample, "experiments-2026*.csv")}
    drawn = rows(sample, "assignments-2026*.csv")
    assert len({(row["experiment"], row["unit"]) for row in drawn}) == len(drawn)
    for name, one in registered.items():
        variants = Counter(row["variant"] for row in drawn if row["experiment"] == name)
        assert set(variants) == {one["treated"], one["control"]}
        share = variants[one["treated"]] / variants.total()
        assert abs(share - float(one["allocation"])) < 0.15
    assert [one["ends_on"] > "2026-10-31" for one in registered.values()] == [False] * 4 + [True]
    assert any(not row["exposed_at"] for row in drawn)
    assert {(row["experiment"], row["unit"]) for row in rows(sample, "outcomes-2026*.csv")} == {
        (row["experiment"], row["unit"]) for row in drawn
    }


def test_nobody_is_asked_twice_in_a_wave(sample: Path) -> None:
    """One invitation per person and wave, but for the line that stands twice; some answer and some do not."""
    asked = rows(sample, "survey-*.csv")
    assert Counter(Counter((row["survey_id"], row["respondent"]) for row in asked).values())[2] == 1
    assert {row["survey_id"] for row in asked} == {
        "stakeholders-2025-q4",
        *(f"stakeholders-2026-q{n}" for n in range(1, 5)),
    }
    assert all((row["score"] == "") == (row["answered_at"] == "") for row in asked)
    assert 0.3 < sum(row["score"] != "" for row in asked) / len(asked) < 0.6


def test_in_app_feedback_holds_reports_and_recommendations(sample: Path) -> None:
    """Reports have no score and most say their session; recommendations go from 0 to 10 with both arms."""
    given = rows(sample, "feedback-in-app-*.csv")
    reports = [row for row in given if row["question"] == "report"]
    assert {row["score"] for row in reports} == {""}
    assert {row["confirmed"] for row in reports} == {"yes", "no", ""}
    asked = [row for row in given if row["question"] == "nps"]
    assert {row["scale_max"] for row in asked} == {"10"}
    assert {row["arm"] for row in asked} == {"with_ai", "without_ai"}
    assert {int(row["score"]) for row in asked if row["score"]} == set(range(11))
    assert len(reports) + len(asked) == len(given)


def test_reviews_hold_audits_refusals_and_ratings(sample: Path) -> None:
    """Audits name sessions, refusals cases, ratings a value from 0 to 1; every verdict occurs."""
    reviews = list(records(sample, "evaluation-scores-reviews-*.jsonl"))
    kinds = Counter((one["name"], one["targetType"], one["evaluator"]["kind"]) for one in reviews)
    assert set(kinds) == {
        ("safety_violation", "session", "human"),
        ("refusal", "item", "code"),
        ("quality", "trace", "model"),
    }
    labels = {one["label"] for one in reviews if one["name"] == "refusal"}
    assert labels == {"correct_refusal", "correct_answer", "over_refusal", "missed_refusal"}
    assert all(0 <= one["value"] <= 1 and "label" not in one for one in reviews if one["name"] == "quality")


def test_a_refused_call_cost_nothing_and_belongs_to_a_request(sample: Path) -> None:
    """HTTP 429, no tokens, under the root span of its trace, and while that was running."""
    observed = [one for one in records(sample, "observations-*.jsonl") if "startTime" in one]
    roots = {one["id"]: one for one in observed if "parentObservationId" not in one and "id" in one}
    refused = [one for one in observed if one.get("metadata", {}).get("httpStatus") == 429]
    assert len(refused) > 20
    for one in refused:
        assert one["usageDetails"]["total"] == one["costDetails"]["total"] == 0
        root = roots[one["parentObservationId"]]
        assert root["traceId"] == one["traceId"]
        assert root["startTime"] <= one["startTime"]


def production(sample: Path) -> dict[str, str]:
    """The production sessions of both applications, and the day each began."""
    began: dict[str, str] = {}
    out = set()
    for one in records(sample, "traces-*.jsonl"):
        if "sessionId" in one:
            began[one["sessionId"]] = min(one["timestamp"], began.get(one["sessionId"], "9"))
            out |= {one["sessionId"]} if one["environment"] == "staging" or "synthetic" in one["tags"] else set()
    for row in rows(sample, "spend-logs-*.csv"):
        if row["session_id"]:
            began[row["session_id"]] = min(row["startTime"], began.get(row["session_id"], "9"))
            is_real = '"env:production"' in row["request_tags"] and '"synthetic"' not in row["request_tags"]
            out |= set() if is_real else {row["session_id"]}
    return {name: first[:10] for name, first in began.items() if name not in out}


def test_report_rates_are_what_the_exports_add_up_to(sample: Path) -> None:
    """Production sessions named in a report, per thousand, month by month."""
    began = production(sample)
    reported = {row["session_id"] for row in rows(sample, "feedback-in-app-*.csv") if row["question"] == "report"}
    months = Counter(f"{day[:7]}-01" for day in began.values())
    hits = Counter(f"{began[name][:7]}-01" for name in reported if name in began)
    found = more(sample, "hallucination_report_rate")
    assert {month: (one["n"], one["numerator"]) for month, one in found.items()} == {
        month: (count, str(hits[month])) for month, count in months.items()
    }
    assert all(one["value"] == float(Fraction(1000 * hits[month], one["n"])) for month, one in found.items())


def test_task_success_is_what_the_exports_add_up_to(sample: Path) -> None:
    """Verified successes of all tasks but those of sessions that are no production."""
    real, everything = production(sample), set()
    for one in records(sample, "traces-*.jsonl"):
        everything.add(one.get("sessionId"))
    everything |= {row["session_id"] for row in rows(sample, "spend-logs-*.csv")}
    days: dict[str, list[bool]] = defaultdict(list)
    for row in rows(sample, "tasks-*.csv"):
        if row["session_id"] in real or row["session_id"] not in everything or not row["session_id"]:
            days[row["started_at"][:10]].append((row["outcome"], row["outcome_source"]) == ("success", "verified"))
    found = more(sample, "task_success_rate")
    assert {month: (one["numerator"], one["n"]) for month, one in found.items()} == {
        month: (str(sum(done)), len(done)) for month, done in by_month(days).items()
    }


def test_the_worst_suite_is_what_the_export_adds_up_to(sample: Path) -> None:
    """The lowest share of attacks resisted among the suites of each month."""
    suites: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for one in records(sample, "red-team-*.jsonl"):
        if one["status"] == "ok":
            suites[f"{one['startedAt'][:7]}-01", f"{one['suite']} 3"].append(not one["goalReached"])
    shares = {key: Fraction(sum(held), len(held)) for key, held in suites.items()}
    for month, one in more(sample, "prompt_injection_resistance").items():
        assert one["value"] == float(min(share for (when, _), share in shares.items() if when == month))
        assert one["value"] == float(shares[month, one["worst"]])


def test_satisfaction_is_what_the_export_adds_up_to(sample: Path) -> None:
    """The mean of each month's answers; months without a wave have none."""
    unique = {tuple(row.values()): row for row in rows(sample, "survey-*.csv")}.values()
    days: dict[str, list[int]] = defaultdict(list)
    for row in unique:
        if row["answered_at"]:
            days[row["answered_at"][:10]].append(int(row["score"]))
    scores = by_month(days)
    for month, one in more(sample, "stakeholder_satisfaction").items():
        assert one["n"] == len(scores.get(month, []))
        assert one["value"] == (float(Fraction(sum(scores[month]), len(scores[month]))) if one["n"] else None)


def test_detection_is_what_the_exports_add_up_to(sample: Path) -> None:
    """Median of created_at less impact_start over incidents that count."""
    days: dict[str, list[float]] = defaultdict(list)
    for path in sample.rglob("pagerduty-*.json"):
        for one in json.loads(path.read_text())["incidents"]:
            noted = {field["name"]: field["value"] for field in one["custom_fields"]}
            if one["resolve_reason"] is None and noted["outcome"] is None and noted["impact_start"]:
                waited = datetime.fromisoformat(one["created_at"]) - datetime.fromisoformat(noted["impact_start"])
                days[noted["impact_start"][:10]].append(waited / timedelta(minutes=1))
    found = {month: one["value"] for month, one in more(sample, "mttd").items()}
    assert found == {month: median(values) for month, values in sorted(by_month(days).items())}


def test_episodes_of_rate_limits_are_what_the_exports_add_up_to(sample: Path) -> None:
    """Refused calls of production sessions, cut where a provider refused nothing for more than five minutes.

    An application log has the HTTP status, the gateway's log only the class of the error.
    """
    real = production(sample)
    traced = [
        (one["metadata"]["provider"], datetime.fromisoformat(one["startTime"]).replace(tzinfo=None))
        for one in records(sample, "observations-*.jsonl")
        if one.get("metadata", {}).get("httpStatus") == 429
        and (one["sessionId"] in real if "sessionId" in one else one["environment"] != "staging")
    ]
    logged = {
        (row["custom_llm_provider"], datetime.fromisoformat(row["startTime"]))
        for row in rows(sample, "spend-logs-*.csv")
        if "RateLimitError" in row["metadata"] and "env:production" in row["request_tags"]
    }
    refused = sorted([*traced, *logged])
    begins = [refused[0]]
    for before, one in pairwise(refused):
        if one[0] != before[0] or one[1] - before[1] > timedelta(minutes=5):
            begins.append(one)
    expected = Counter(f"{at:%Y-%m}-01" for _, at in begins)
    assert {month: one["value"] for month, one in more(sample, "rate_limit_incidents").items()} == {
        f"{first:%Y-%m-%d}": expected[f"{first:%Y-%m-%d}"] for first in _months()
    }
    assert len(begins) < len(refused)


def _months() -> list[date]:
    return [date(2025 + (9 + number) // 12, (9 + number) % 12 + 1, 1) for number in range(13)]


def test_reuse_is_what_the_export_adds_up_to(sample: Path) -> None:
    """Teams by component in each quarter."""
    used = rows(sample, "component-usage-*.csv")
    for start, one in more(sample, "component_reuse_rate", "quarter").items():
        teams: dict[str, set[str]] = defaultdict(set)
        for row in used:
            if start <= row["used_on"] < one["period_end"]:
                teams[row["component"]].add(row["consumer_team"])
        assert (one["numerator"], one["n"]) == (str(sum(len(names) > 1 for names in teams.values())), len(teams))


def test_pilots_are_what_the_export_adds_up_to(sample: Path) -> None:
    """Use cases by the month their pilot began, and those in production within 180 days of it."""
    days: dict[str, list[bool]] = defaultdict(list)
    for _, group in groupby(rows(sample, "use-cases-*.csv"), key=lambda row: row["use_case"]):
        states = list(group)
        first = {row["stage"]: date.fromisoformat(row["valid_from"]) for row in reversed(states)}
        if "pilot" in first and "yes" not in {row["cancelled_on_purpose"] for row in states}:
            live = first.get("production", date.max)
            days[first["pilot"].isoformat()].append(live - first["pilot"] <= timedelta(days=180))
    expected = {month: (str(sum(done)), len(done)) for month, done in by_month(days).items()}
    found = more(sample, "pilot_to_production_rate")
    assert {month: (one["numerator"], one["n"]) for month, one in found.items() if one["n"]} == expected
    assert found["2026-10-01"].get("status") in ("immature", "not_available")


def test_uplift_is_what_the_exports_add_up_to(sample: Path) -> None:
    """Mean margin of the exposed by variant, for the experiment that ended in each month."""
    exposed = {
        (row["experiment"], row["unit"]): row["variant"]
        for row in rows(sample, "assignments-2026*.csv")
        if row["exposed_at"]
    }
    margins: dict[tuple[str, str], list[Fraction]] = defaultdict(list)
    for row in rows(sample, "outcomes-2026*.csv"):
        if (row["experiment"], row["unit"]) in exposed:
            margins[row["experiment"], exposed[row["experiment"], row["unit"]]].append(Fraction(row["value"]))
    mean = {key: sum(values) / len(values) for key, values in margins.items()}
    found = more(sample, "conversion_uplift")
    ended = [row for row in rows(sample, "experiments-2026*.csv") if row["ends_on"] <= "2026-10-31"]
    for row in ended:
        uplift = mean[row["experiment"], row["treated"]] / mean[row["experiment"], row["control"]] - 1
        assert found[f"{row['ends_on'][:7]}-01"]["value"] == pytest.approx(float(uplift), rel=1e-12)
    assert sum(one["value"] is not None for one in found.values()) == len(ended) == 4


def test_evaluation_coverage_is_what_the_exports_add_up_to(sample: Path) -> None:
    """Use cases in production on the last day of the month, and those whose last run of the setup passed and holds."""
    listed = [row for row in rows(sample, "use-cases-*.csv") if row["stage"] == "production"]
    runs = [
        one
        for one in records(sample, "evaluation-runs-*.jsonl")
        if one["status"] == "completed" and one.get("prompt") is not None
    ]
    for month, one in more(sample, "evaluation_coverage").items():
        day = (date.fromisoformat(one["period_end"]) - timedelta(days=1)).isoformat()
        live = [row for row in listed if row["valid_from"] <= day and (not row["valid_to"] or day < row["valid_to"])]
        last = {
            (run["suite"], run["useCase"], str(run["prompt"]), run["model"]): run
            for run in sorted(runs, key=lambda run: run["startedAt"])
            if run["startedAt"][:10] <= day
        }
        valid = [run for run in last.values() if run["passed"] and day < run["expiresAt"][:10]]
        tested = {(run["useCase"], run["prompt"]["name"], str(run["prompt"]["version"]), run["model"]) for run in valid}
        covered = [
            row for row in live if (row["use_case"], row["prompt"], row["prompt_version"], row["model"]) in tested
        ]
        assert (one["numerator"], one["n"]) == (str(len(covered)), len(live)), month


PLAUSIBLE = {
    "task_success_rate": (0.4, 0.7),
    "cost_per_successful_task": (0.04, 0.2),
    "hallucination_report_rate": (0, 45),
    "prompt_injection_resistance": (0.7, 1),
    "mttd": (4, 22),
    "deflection_claim_gap": (0, 25),
    "evaluation_coverage": (0.3, 1),
    "measurement_coverage": (0.1, 0.9),
}


@pytest.mark.parametrize("kpi_id", PLAUSIBLE)
def test_the_right_values_are_plausible_in_every_month(sample: Path, kpi_id: str) -> None:
    """Thirteen months lie in a range a reader would believe."""
    low, high = PLAUSIBLE[kpi_id]
    values = [one["value"] for one in more(sample, kpi_id).values()]
    assert len(values) == 13
    assert all(low <= value <= high for value in values), values


def test_the_programme_leaves_the_other_numbers_alone(tmp_path: Path) -> None:
    """It draws on chances of its own: the thirteen first KPIs read as they did before there was any of it."""
    write_sample(tmp_path, people=12, months=1, seed=3)
    values = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))["values"]
    first = [one for one in values if one["kpi_id"] not in KPIS]
    digest = hashlib.sha256(json.dumps(first, sort_keys=True).encode()).hexdigest()
    assert digest == "36014ca6fd4afc3dcb248bd53df30d63fe59b9d545e9c0c88adcef70582e656c"
