"""Text from data on a page: directions and control characters are told, endless words are cut."""

from __future__ import annotations

import pytest

from pipeline.reports.shown import KEPT, LONGEST_WORD, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a name, 日本 & עברית", "a name, 日本 & עברית"),
        ("11\u202f606 to\u00a012", "11\u202f606 to\u00a012"),
        ("\u202egnp.exe\u202c", "[U+202E]gnp.exe[U+202C]"),
        ("\u2067a\u2069\u200f", "[U+2067]a[U+2069][U+200F]"),
        ("\x1b[31mred\x00", "␛[31mred␀"),
        ("a\tb\nc", "a\tb\nc"),
    ],
)
def test_what_turns_or_hides_text_is_a_sign(text: str, expected: str) -> None:
    """Right-to-left words stay as they are: only overrides, isolates, marks and controls are told."""
    assert shown(text) == expected


def test_an_endless_word_is_cut() -> None:
    """200 characters are a word, 201 are not; the rest of the text stays."""
    assert shown("W" * LONGEST_WORD) == "W" * LONGEST_WORD
    assert shown(f"a {'W' * 10_000} b") == f"a {'W' * KEPT}… (10000 characters) b"
