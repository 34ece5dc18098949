"""What two editions tell otherwise, as `roi edition diff` prints it: a line per value, bounded, totals first."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta

from pipeline.archive import Difference, Record
from pipeline.archive_text import SHOWN, as_csv, as_text
from pipeline.engine.suppression import REASON


def _row(**given: object) -> Record:
    """A restated day of a share, in total."""
    row: Record = {
        "kpi_id": "deflection_rate", "grain": "day", "period_start": date(2026, 10, 3),
        "period_end": date(2026, 10, 4), "dimension": "", "dimension_value": "", "old": 0.25, "new": 0.5,
        "change": "restated", "unit": "ratio", "old_status": "computed", "new_status": "computed", "old_reason": "",
        "new_reason": "", "why": "new rows in tickets.csv:7", "old_verdict": "met", "new_verdict": "met",
    }  # fmt: skip
    return row | given


def _lines(*rows: Record) -> list[list[str]]:
    """The cells of every line of a table, headers left out."""
    text = as_text(Difference(1, 2, (), rows)).replace("\u202f", " ")
    return [
        [cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()
        if line.startswith("    ") and "edition 1" not in line
    ]  # fmt: skip


def test_a_restated_value_names_period_slice_both_values_and_cause() -> None:
    """As pages print them: 25 % and 50 %."""
    assert _lines(_row(dimension="topic", dimension_value="billing")) == [
        ["3 Oct 2026", "topic: billing", "25.0 %", "50.0 %", "restated", "new rows in tickets.csv:7"]
    ]


def test_values_that_round_alike_are_told_with_more_digits() -> None:
    """Both print 25.0 %; a line that says from 25.0 % to 25.0 % would tell nothing."""
    assert _lines(_row(new=0.2500004))[0][2:4] == ["25 %", "25.00004 %"]


def test_what_has_no_value_says_so_and_why() -> None:
    """Withheld, not available, still open, or no longer held; the reason is that of the edition that lacks it."""
    told = _lines(
        _row(new=None, new_status="not_available", new_reason=REASON, why=None),
        _row(old=None, old_status="not_available", old_reason="no rows", change="told", why=None),
        _row(old_status="immature", change="provisional", why=None),
        _row(new=None, new_status=None, new_reason=None, change="gone", why=None),
        _row(old=0.5, old_status="insufficient_data", change="status", why=None),
        _row(old=0.5, old_verdict="", new_verdict="missed", change="verdict", why=None),
    )
    assert [line[2:] for line in told] == [
        ["25.0 %", "suppressed", "restated", REASON],
        ["not available", "50.0 %", "told", "before: no rows"],
        ["25.0 % (still open)", "50.0 %", "provisional", "was still open"],
        ["25.0 %", "nothing", "gone", "told by one of the two only"],
        ["50.0 % (too few data)", "50.0 %", "status", "only its status differs"],
        ["50.0 %", "50.0 %", "verdict", "no target -> missed"],
    ]


def test_totals_stand_first_and_a_long_list_is_cut() -> None:
    """Of 30 days of a slice and one total, the total and the newest 19 days are printed; the rest is counted."""
    first = date(2026, 9, 1)
    days = [
        _row(period_start=first + timedelta(days=i), period_end=first + timedelta(days=i + 1), dimension="topic",
             dimension_value="billing") for i in range(30)
    ]  # fmt: skip
    *told, rest = _lines(*days, _row(period_start=first, period_end=date(2026, 9, 2)))
    assert [line[:2] for line in told[:2]] == [["1 Sep 2026", "in total"], ["30 Sep 2026", "topic: billing"]]
    assert (len(told), rest) == (SHOWN, [f"and {31 - SHOWN} more; --out FILE writes all of them"])


def test_what_only_the_new_edition_tells_is_counted_not_listed() -> None:
    """A new day contradicts nothing."""
    new = _row(old=None, old_status=None, change="new", why=None)
    text = as_text(Difference(1, 2, (), (new, new)))
    assert "Edition 2 contradicts nothing that edition 1 told: it tells more." in text
    assert text.endswith("2 values that only edition 2 tells: in --out FILE and --json.\n")


def test_the_file_has_every_value_exactly() -> None:
    """One row per value; what would be a formula in a spreadsheet is quoted."""
    text = as_csv(Difference(1, 2, (), (_row(new=1 / 3, dimension="topic", dimension_value="=1+1"),)))
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["old"], row["new"], row["dimension_value"]) == ("0.25", "0.3333333333333333", "'=1+1")
    assert row["reason"] == "new rows in tickets.csv:7"
