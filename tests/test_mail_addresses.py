"""A mail address in words is not kept, however it came, and what is none stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from project import Project

MAPPING = """\
source: desk
describes: Tickets
reader: csv
also: [jsonl]
files: ["*.csv", "*.jsonl"]
required: [id, opened, topic, bot]
tables:
  contacts:
    columns:
      contact_id: id
      created_at: opened
      topic: topic
      ai_involved: bot
      is_eligible: true
"""
TOPICS = {
    "ann.lee@example.org": "(mail address)",
    "from Ann <ann@mail.example.co.uk>, cc b_b+c@x-y.io": "from Ann <(mail address)>, cc (mail address)",
    " anna@exämple.org ": "anna@exämple.org",  # no address of ASCII; mail programs write it otherwise
    "claude@20240620": "claude@20240620",
    "prompt@1.2.0": "prompt@1.2.0",
    "@here": "@here",
    "billing": "billing",
}


@pytest.mark.parametrize("rows", [len(TOPICS), 21_000], ids=["a small file", "a large one"])
def test_addresses_in_words_are_hidden(tmp_path: Path, rows: int) -> None:
    """By the one reading of small files and the other of large ones; nothing else of a text changes but blanks."""
    project = Project.new(tmp_path / "project")
    (project.root / "sources").mkdir()
    (project.root / "sources" / "desk.yaml").write_text(MAPPING, encoding="utf-8")
    exports = project.root / "exports"
    exports.mkdir()
    texts = [[*TOPICS][place % len(TOPICS)] for place in range(rows)]
    lines = [f'{place},2026-10-{1 + place % 28:02}T08:00:00Z,"{text}",true' for place, text in enumerate(texts)]
    (exports / "tickets.csv").write_text("\n".join(["id,opened,topic,bot", *lines, ""]), encoding="utf-8")
    project.roi("nightly", "--exports", exports)
    found = project.rows("exports", "SELECT topic, count(*) FROM core.contacts GROUP BY topic")
    wanted: dict[str, int] = {}
    for text in texts:
        wanted[TOPICS[text]] = wanted.get(TOPICS[text], 0) + 1
    assert dict(found) == wanted
    held = [path for path in project.reports.rglob("*") if path.is_file() and b"ann.lee" in path.read_bytes()]
    assert held == []
