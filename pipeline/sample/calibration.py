"""A labelling sheet: answers that a person labelled beside what the judge of groundedness said of them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from pipeline.sample.clock import HOUR_MS, Span, iso_ms, ms_of

COLUMNS = ("item_id", "evaluator_id", "evaluator_version", "human_label", "judge_label", "labelled_at")
JUDGE, VERSION, KIND = "model-judge", "2", "model"
LABELLED = {
    ("grounded", "grounded"): 141, ("grounded", "ungrounded"): 9, ("ungrounded", "ungrounded"): 30,
    ("partly_grounded", "ungrounded"): 10, ("partly_grounded", "grounded"): 7, ("ungrounded", "grounded"): 3,
    ("no_claims", "no_claims"): 12, ("no_claims", "grounded"): 2,
}  # fmt: skip
"""(the person's label, the judge's) -> how many answers. Of 150 grounded ones the judge passes 141, of 50 others 10."""
SENSITIVITY, SPECIFICITY = Fraction(141, 150), Fraction(40, 50)


def rows(span: Span) -> Iterator[tuple[str, ...]]:
    """The sheet, filled in on the morning of the first day."""
    at = iso_ms(ms_of(span.start) + 5 * HOUR_MS)
    labels = [pair for pair, times in LABELLED.items() for _ in range(times)]
    for number, (human, judge) in enumerate(labels):
        yield f"item-{number:03}", JUDGE, VERSION, human, judge, at


def set_right(grounded: int, claiming: int) -> Fraction:
    """The share behind what the judge passed: (p + specificity - 1) / (sensitivity + specificity - 1), in 0..1."""
    share = (Fraction(grounded, claiming) + SPECIFICITY - 1) / (SENSITIVITY + SPECIFICITY - 1)
    return min(Fraction(1), max(Fraction(0), share))
