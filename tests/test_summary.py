"""What a nightly run prints at its end: one table, what is wrong, and the commands that tell more of it."""

from __future__ import annotations

import pytest

from pipeline.summary import Summary, print_summary


def _printed(capsys: pytest.CaptureFixture[str], **more: object) -> list[str]:
    """The lines printed of a run that published edition 4 of the folder my_exports."""
    summary = Summary("my_exports", 4, "2026-10-31", new_edition=True, asked=" --exports my_exports")
    rows = ("rows_in", "loaded", "duplicate", "quarantined", "left_out")
    summary.files, summary.rows = {"loaded": 1}, dict.fromkeys(rows, 0)
    summary.states = [{"fact": "calls", "days": 1, "first_day": "2026-10-31", "last_day": "2026-10-31"}]
    for name, value in more.items():
        setattr(summary, name, value)
    print_summary(summary, as_json=False)
    return capsys.readouterr().out.splitlines()


def test_where_nothing_is_to_be_done_no_next_step_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The last line is the page to open; one day is no days."""
    told = _printed(capsys)
    assert told[-1] == "Open reports/index.html"
    assert "states   1 day of 1 fact rebuilt" in told


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"still_quarantined": "1 row quarantined"},
            "`roi quarantine list --exports my_exports` (what was refused, why, and how to mend it)",
        ),
        ({"restated": 2}, "`roi edition diff 3 4 --exports my_exports` (which values read otherwise)"),
        ({"without_value": ["mttr"]}, "`roi edition show 4 --exports my_exports` (why 1 KPI has no current value)"),
        (
            {"without_value": ["mttd", "mttr"]},
            "`roi edition show 4 --exports my_exports` (why 2 KPIs have no current value)",
        ),
    ],
)
def test_what_is_to_be_looked_at_is_named_with_its_command(
    capsys: pytest.CaptureFixture[str], more: dict[str, object], said: str
) -> None:
    """One line, with the folder that the commands must be given."""
    assert _printed(capsys, **more)[-1] == f"Next: {said}"


def test_several_steps_stand_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """In the order in which one would take them; of the sample no folder needs to be named."""
    told = _printed(capsys, asked="", restated=1, still_quarantined="1 row quarantined", without_value=["mttr"])
    assert [step.partition("` (")[0] for step in told[-1].removeprefix("Next: ").split("; ")] == [
        "`roi quarantine list", "`roi edition diff 3 4", "`roi edition show 4"
    ]  # fmt: skip


def test_a_retry_in_vain_says_that_nothing_changed(capsys: pytest.CaptureFixture[str]) -> None:
    """No file's fate is another, so the edition stands."""
    retried = {"files": 2, "loaded": 0, "duplicate": 0, "quarantined": 1}
    told = _printed(capsys, new_edition=False, retried=retried, still_quarantined="1 row quarantined")
    assert told[0] == (
        "Nothing changed: 2 files retried, 1 row still quarantined. Edition 4 of my_exports stands (data through "
        "2026-10-31). Still 1 row quarantined: reports/run.html says why."
    )


def test_a_run_without_news_names_what_still_waits(capsys: pytest.CaptureFixture[str]) -> None:
    """What is quarantined waits, however often nothing is new; what an old edition restated does not."""
    told = _printed(capsys, new_edition=False, still_quarantined="1 row quarantined")
    assert told[0].endswith("Still 1 row quarantined: reports/run.html says why.")
    assert told[1:] == ["Next: `roi quarantine list --exports my_exports` (what was refused, why, and how to mend it)"]
