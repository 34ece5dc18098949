"""The weights and times of pages: what is measured, what is too much, and that drawing twice gives the same bytes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from project import ROOT
from test_reports_edition import edition

from pipeline.reports import render

sys.path.insert(0, str(ROOT))
from bench.pages import Figure, digest, weights


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The made edition, drawn twice."""
    folder = tmp_path_factory.mktemp("drawn")
    for name in ("once", "twice"):
        render(edition(), folder / name)
    return folder / "once", folder / "twice"


def test_an_edition_keeps_to_its_weights(drawn: tuple[Path, Path]) -> None:
    """300 KB a page, 100 KB a mail, 1.3 MB for the chart script, 15 MB for all; each is the size of files."""
    found = {figure.name.split(",")[0]: figure for figure in weights(drawn[0])}
    assert all(figure.holds for figure in found.values())
    assert found["digest.eml"].value == (drawn[0] / "digest.eml").stat().st_size / 1000
    pages = [path.stat().st_size / 1000 for path in drawn[0].rglob("*.html")]
    assert found["heaviest page"].value == max(pages)


def test_too_much_is_told() -> None:
    """A figure at its bar holds, one above does not and says so."""
    assert Figure("all", 15, 15, "MB").holds
    heavy = Figure("all", 15.01, 15, "MB")
    assert not heavy.holds
    assert str(heavy).split() == ["all", "15.01", "MB", "at", "most", "15", "MB:", "TOO", "MUCH"]


def test_the_same_data_give_the_same_bytes(drawn: tuple[Path, Path]) -> None:
    """Drawn twice, all files have one hash; a byte more in one of them gives another."""
    once, twice = drawn
    assert digest(once) == digest(twice)
    (twice / "index.html").write_bytes((twice / "index.html").read_bytes() + b" ")
    assert digest(once) != digest(twice)
