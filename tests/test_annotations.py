"""Notes that the analyst keeps: on the chart, below it and in its table; one on no KPI is told with file and line."""

from __future__ import annotations

from datetime import date

from engine_room import CATALOG, empty, fill

from pipeline.annotations import dated_notes, misplaced
from pipeline.reports import charts
from pipeline.reports.model import Value

METRIC = CATALOG.metrics["adoption_rate"]


def month(number: int) -> Value:
    """Half of twenty people in a month of 2026."""
    start, end = date(2026, number, 1), date(2026, number + 1, 1)
    return Value("adoption_rate", "month", start, end, "", "", 0.4 + number / 100, "ratio", None, None, 20, None, None,
                 "exact", "computed", "", "", "", "", "")  # fmt: skip


def note(day: str, kpi_id: str, text: str, who: str = "") -> dict[str, str]:
    """One note as an edition holds it."""
    return {"date": day, "kpi_id": kpi_id, "note": text, "told_by": who}


def test_a_note_stands_on_the_chart_below_it_and_in_its_table() -> None:
    """Of three notes the one of another KPI is left out, and so is the one before the chart begins."""
    held = [
        note("2025-12-31", "adoption_rate", "too early"),
        note("2026-02-28", "adoption_rate", "Seats for <b>sales</b>", "Change team"),
        note("2026-03-01", "*", "Quarter nearly over"),
        note("2026-03-02", "mttr", "of another KPI"),
    ]
    drawn = charts.chart("adoption_rate", METRIC, [month(1), month(2), month(3)], "Adoption", annotations=held)
    assert drawn is not None
    assert [(one.number, one.when, one.text) for one in drawn.notes] == [
        (1, "28 Feb 2026", "Seats for <b>sales</b> (Change team)"), (2, "1 Mar 2026", "Quarter nearly over")
    ]  # fmt: skip
    assert [(row.period, row.notes) for row in drawn.rows] == [
        ("March 2026", "2"),
        ("February 2026", "1"),
        ("January 2026", ""),
    ]
    (trace,) = [one for one in drawn.spec["data"] if one["name"] == "note"]
    assert (trace["x"], trace["text"]) == (["2026-02-01", "2026-03-01"], ["1", "2"])
    assert trace["hovertext"][0] == "Seats for &lt;b&gt;sales&lt;/b&gt; (Change team)"


def test_a_note_in_a_drawing_is_cut_and_turns_nothing_around() -> None:
    """A word without an end is cut after 80 signs, and a sign that reverses the writing is shown as itself."""
    held = [note("2026-02-28", "adoption_rate", "W" * 10_000 + " \u202egnp.exe")]
    drawn = charts.chart("adoption_rate", METRIC, [month(1), month(2)], "Adoption", annotations=held)
    assert drawn is not None
    (trace,) = [one for one in drawn.spec["data"] if one["name"] == "note"]
    assert trace["hovertext"] == ["W" * 80 + "… (10000 characters) [U+202E]gnp.exe"]


def test_a_chart_without_notes_has_no_trace_of_them() -> None:
    """No note, no mark in the drawing and none in the table."""
    drawn = charts.chart("adoption_rate", METRIC, [month(1), month(2)], "Adoption")
    assert drawn is not None
    assert drawn.notes == () and {row.notes for row in drawn.rows} == {""}
    assert "note" not in {one["name"] for one in drawn.spec["data"]}


def test_a_note_on_no_kpi_is_named_with_file_and_line() -> None:
    """A misspelt KPI is a problem with a hint, and stands on no chart; the star stands on all."""
    with empty() as con:
        con.execute("INSERT INTO ledger.files (file_hash, name, status, reason, source) "
                    "VALUES ('f1', 'notes/annotations.csv', 'loaded', '', 'annotations_csv')")  # fmt: skip
        for line, kpi_id in ((2, "adoption_rat"), (3, "*"), (4, "mttr")):
            told = {"annotation_id": f"n{line}", "date": "2026-03-01", "kpi_id": kpi_id, "note": "n", "_file": "f1"}
            fill(con, "annotations", told | {"_line": line})
        assert [str(one) for one in misplaced(con, CATALOG)] == [
            "notes/annotations.csv:2  A001  found kpi 'adoption_rat', expected a KPI of the catalogue or *, "
            "did you mean adoption_rate?"
        ]
        assert [one["kpi_id"] for one in dated_notes(con, CATALOG)] == ["*", "mttr"]
        con.execute("DROP TABLE core.annotations")
        assert dated_notes(con, CATALOG) == [], "an older warehouse has none"
