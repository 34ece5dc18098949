"""The mail of an edition, the table of all KPIs on the index, and what printing says without a browser."""

from __future__ import annotations

import email
import re
import shutil
from email.policy import default
from pathlib import Path

import pytest
from roi_room import catalog_of, inputs
from test_reports_edition import edition
from test_reports_pages import parsed

from pipeline import printing
from pipeline.errors import RoiError
from pipeline.reports import digest, render, rows, words
from pipeline.roi.assemble import evaluate


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made edition with a return, as pages."""
    out = tmp_path_factory.mktemp("site")
    render(edition(roi=evaluate(catalog_of(), inputs(), draws=100)), out)
    return out


def test_the_mail_is_light_and_needs_nothing(site: Path) -> None:
    """Both forms under 100 KB; no script, no link, no picture, nothing from outside."""
    assert (site / "digest.html").stat().st_size <= digest.MOST_BYTES
    assert (site / "digest.eml").stat().st_size <= digest.MOST_BYTES
    tags = {tag for tag, _ in parsed(site / "digest.html").tags}
    assert not tags & {"script", "a", "img", "link", "iframe"}
    assert "http" not in re.sub(r"http-equiv", "", (site / "digest.html").read_text(encoding="utf-8"))


def test_the_draft_has_both_parts_with_the_same_answer(site: Path) -> None:
    """Read by another parser: a text part, then the page, one subject, nobody's address."""
    mail = email.message_from_bytes((site / "digest.eml").read_bytes(), policy=default)
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None and html is not None
    page = (site / "chief_ai_officer.html").read_text(encoding="utf-8")
    title = re.findall(r"<h1>(.*?)</h1>", page)[0]
    assert text.get_content().startswith(f"{title}.")
    assert f"<h1>{title}</h1>" in html.get_content()
    assert mail["Subject"].startswith("GenAI programme, edition 7: ")
    assert (mail["From"], mail["To"]) == (None, None)
    for said in ("How sure: ", "What got worse: ", "What would change our mind: "):
        assert said in text.get_content()


def test_a_title_cannot_add_a_header() -> None:
    """Line ends of a title become spaces, and a long one is cut."""
    made = digest._subject("one\r\nBcc: a@example.org " + "x" * 300)
    assert made.startswith("one Bcc: a@example.org x")
    assert len(made) == digest.SUBJECT_LENGTH


def test_every_kpi_can_be_found_by_owner_status_and_signal(site: Path) -> None:
    """One row per KPI with the words that the choices offer; without scripts the form stays hidden."""
    data = edition()
    page = (site / "index.html").read_text(encoding="utf-8")
    table = page.split('<table id="kpis">')[1].split("</table>")[0]
    held = re.findall(r'<tr data-owner="(.*?)" data-status="(.*?)" data-verdict="(.*?)" data-signal="(.*?)">', table)
    assert len(held) == len(data.catalog.metrics)
    assert '<form id="filter" class="filter" hidden>' in page
    for at, name in enumerate(("owner", "status", "verdict", "signal")):
        chosen = page.split(f'<select name="{name}">')[1].split("</select>")[0]
        assert set(re.findall(r"<option>(.*?)</option>", chosen)) == {row[at] for row in held}
    known = {mark.word for mark in (*words.SIGNALS.values(), words.NO_VALUE, words.RUNNING_TOTAL)}
    assert {row[3] for row in held} <= known
    made = rows.indexed(data)
    assert [row[0] for row in held] == [
        rows.kpi_row(made, kpi).owner.replace("&", "&amp;") for kpi in data.catalog.metrics
    ]


def test_without_a_browser_printing_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names what was looked for, and that any browser prints the pages."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(RoiError, match=r"No Chromium on this machine \(looked for chromium, .*print layout"):
        printing.browser()


def test_a_page_that_cannot_be_printed_is_named(tmp_path: Path) -> None:
    """A browser that ends without a file is an error, with its exit code."""
    (tmp_path / "index.html").write_text("<p>x</p>", encoding="utf-8")
    with pytest.raises(RoiError, match=r"index.html was not printed: .*false ended with exit code 1"):
        list(printing.print_pages(tmp_path, ["index.html"], Path(shutil.which("false") or "false")))
