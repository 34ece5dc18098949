"""A made-up organisation whose right KPI values are known: exports as real systems write them, and truth.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.sample import billing, more, organisation, planted, returns, truth
from pipeline.sample.clock import span_of
from pipeline.sample.shelf import Shelf

TRUTH = "truth.json"


@dataclass(frozen=True)
class SampleSummary:
    """What was written: the number of files without truth.json, their rows, and their bytes."""

    files: int
    rows: int
    bytes: int


def write_sample(out: Path, *, people: int = 200, months: int = 13, seed: int = 7) -> SampleSummary:
    """Writes the exports of the made-up organisation and truth.json into `out`.

    The same arguments give the same bytes on every machine. The period is the given number of whole months up to
    2026-10-31. Of what stands in `out` already, only files named in an earlier truth.json are removed.
    """
    if people < 1 or months < 1:
        raise ValueError(f"people is {people} and months is {months}: both must be 1 or more")
    _clear(out)
    org = organisation.found(people_count=people, span=span_of(months), seed=seed)
    with Shelf(out) as shelf:
        organisation.write_traffic(shelf, org)
        organisation.write_rest(shelf, org)
    troubles = planted.plant(out, org, shelf.rows)
    differences = billing.plant(org.traffic.meters) if planted.is_big_enough(org) else []
    with Shelf(out) as invoices:
        organisation.write_invoices(invoices, org)
    names = sorted({*shelf.rows, *invoices.rows, *(trouble["file"] for trouble in troubles)})
    _write_truth(out, org, names, troubles, differences, people=people, months=months)
    rows = sum(shelf.rows.values()) + sum(invoices.rows.values())
    return SampleSummary(len(names), rows, sum((out / name).stat().st_size for name in names))


def _write_truth(
    out: Path,
    org: organisation.Organisation,
    names: list[str],
    troubles: list[planted.Trouble],
    differences: list[dict[str, object]],
    *,
    people: int,
    months: int,
) -> None:
    document = {
        "about": truth.ABOUT,
        "arguments": {"people": people, "months": months, "seed": org.seed},
        "period": {"start": org.span.start.isoformat(), "end": org.span.end.isoformat()},
        "files": names,
        "planted": troubles,
        "reconciliation": differences,
        "values": list(truth.entries(truth.kpis(org), org.span)),
        "more": list(truth.entries(more.kpis(org), org.span)),
        "roi": returns.truth(org.returns, org.span, org.support_contacts),
    }
    (out / TRUTH).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8", newline="\n")


def _clear(out: Path) -> None:
    """Removes the files an earlier sample wrote here, and nothing else."""
    earlier = out / TRUTH
    if not earlier.is_file():
        return
    for name in json.loads(earlier.read_text(encoding="utf-8")).get("files", []):
        path = (out / name).resolve()
        if path.is_relative_to(out.resolve()):
            path.unlink(missing_ok=True)
    earlier.unlink()
