"""The pages of an edition are kept as published: written again byte for byte, verified, never mixed with others."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError
from pipeline.kept_pages import keep, unpack, verify, zip_of
from pipeline.reports import manifest


def pages_of(folder: Path, text: str) -> Path:
    """Two published pages with their manifest, and a file that is no part of the edition."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    held = {folder / "index.html": text, folder / "data" / "roi.json": "{}"}
    for path, content in held.items():
        path.write_text(content, encoding="utf-8")
    (folder / "README.md").write_text("about", encoding="utf-8")
    manifest.write(folder, held)
    return folder


def test_pages_come_back_byte_for_byte(tmp_path: Path) -> None:
    """What was published, without what merely lay among it; and the same pages make the same zip."""
    pages = pages_of(tmp_path / "reports", "first")
    first = keep(pages, tmp_path / "kept", 1, is_new=True)
    assert unpack(tmp_path / "kept", 1, tmp_path / "again") == 3
    written = {path.relative_to(tmp_path / "again").as_posix() for path in (tmp_path / "again").rglob("*.*")}
    assert written == {"index.html", "data/roi.json", "data/manifest.json"}
    assert (tmp_path / "again" / "index.html").read_bytes() == b"first"
    assert manifest.verify(tmp_path / "again") == manifest.Verified(2, {})
    other = keep(pages, tmp_path / "other", 1, is_new=True)
    assert first.read_bytes() == other.read_bytes()
    assert first.stat().st_mode & 0o777 == 0o600


def test_a_kept_edition_is_not_drawn_over(tmp_path: Path) -> None:
    """Pages that a later release draws of it change nothing; a new edition 1 takes all places from 1 on.

    What was in them goes aside, each time into a folder of its own.
    """
    pages, kept = pages_of(tmp_path / "reports", "first"), tmp_path / "kept"
    before = keep(pages, kept, 1, is_new=True).read_bytes()
    keep(pages, kept, 2, is_new=True)
    pages_of(pages, "drawn anew")
    assert keep(pages, kept, 1, is_new=False).read_bytes() == before
    keep(pages, kept, 1, is_new=True)
    assert [one.number for one in verify(kept)] == [1], "the warehouse has begun again"
    assert zip_of(kept, 1).read_bytes() != before
    assert zip_of(kept / "before-1", 1).read_bytes() == before
    keep(pages, kept, 1, is_new=True)
    assert [sorted(path.name for path in (kept / name).iterdir()) for name in ("before-1", "before-2")] == [
        ["edition-0001.zip", "edition-0002.zip"], ["edition-0001.zip"],
    ]  # fmt: skip


def test_a_changed_zip_is_found(tmp_path: Path) -> None:
    """Cut short it cannot be read; whole, all its files are as published."""
    kept = tmp_path / "kept"
    place = keep(pages_of(tmp_path / "reports", "first"), kept, 1, is_new=True)
    assert [one.verified.wrong for one in verify(kept)] == [{}]
    place.write_bytes(place.read_bytes()[:-30])
    assert [one.verified.wrong for one in verify(kept)] == [{"edition-0001.zip": "cannot be read (BadZipFile)"}]


def test_pages_that_are_not_kept_or_would_be_mixed_are_refused(tmp_path: Path) -> None:
    """An edition nobody kept, and a folder that has something in it."""
    kept = tmp_path / "kept"
    pages = pages_of(tmp_path / "reports", "first")
    keep(pages, kept, 1, is_new=True)
    with pytest.raises(ConfigurationError, match="E011  is not there"):
        unpack(kept, 2, tmp_path / "out")
    with pytest.raises(ConfigurationError, match="E012  found files in it"):
        unpack(kept, 1, pages)
