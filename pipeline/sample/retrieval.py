"""Weekly runs of the knowledge search's retriever over judged queries, as TREC run and qrels files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from pipeline.sample.chance import Chance
from pipeline.sample.clock import Span

SUITE = "retrieval"
JUDGEMENTS = "qrels-knowledge-2025-10"
"""Name of the set of judgements: the file without its ending, as the loader calls it."""
QUERIES = 20
UNANSWERABLE = 7
"""Number of the query for which there is no relevant document."""
JUDGED, UNJUDGED = 14, 5
"""Documents per query that were judged, and others that a run may find."""
DEPTH = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """How relevant a document is to a query: 0 (not), 1 or 2; None when nobody judged it."""

    query: str
    document: str
    grade: int | None


def run_id(day: date) -> str:
    """The name of a week's run."""
    return f"knowledge-{day:%Y%m%d}"


def judgements(chance: Chance) -> list[Judged]:
    """Every document a run can find, by query."""
    found = []
    for number in range(1, QUERIES + 1):
        for place in range(JUDGED + UNJUDGED):
            grade = chance.weighed({0: 0.6, 1: 0.25, 2: 0.15}) if number != UNANSWERABLE else 0
            document = f"kb-{number:02d}{place:02d}"
            found.append(Judged(f"q{number:02d}", document, grade if place < JUDGED else None))
    return found


def qrels_lines(judged: list[Judged]) -> Iterator[str]:
    """The lines of the qrels file."""
    for one in judged:
        if one.grade is not None:
            yield f"{one.query} 0 {one.document} {one.grade}"


def run_lines(chance: Chance, judged: list[Judged], day: date, span: Span) -> Iterator[str]:
    """The lines of a week's run: per query the ten best documents; relevant ones rise as the index gets better."""
    by_query: dict[str, list[tuple[float, str]]] = {}
    for one in judged:
        score = chance.share() + (one.grade or 0) * (0.18 + 0.14 * span.progress(day))
        by_query.setdefault(one.query, []).append((score, one.document))
    for query, scored in by_query.items():
        for rank, (score, document) in enumerate(sorted(scored, reverse=True)[:DEPTH], start=1):
            yield f"{query} Q0 {document} {rank} {score:.6f} {run_id(day)}"
