"""What the documentation shows is what the program does."""

from __future__ import annotations

import re
from pathlib import Path

from project import ROOT, Project

GUIDE = (ROOT / "docs" / "writing-a-source.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _block(language: str, number: int = 0) -> str:
    """A block of the guide: the export and the mapping of its first example, or of its second."""
    found = re.findall(rf"```{language}\n(.*?)```", GUIDE, flags=re.DOTALL)
    assert len(found) == 2
    return str(found[number])


def test_the_source_of_the_guide_works(tmp_path: Path) -> None:
    """Its export goes through its mapping: two contacts, Berlin times in UTC, the person a pseudonym."""
    project = Project.new(tmp_path / "project")
    (project.root / "sources").mkdir()
    (project.root / "sources" / "helpdesk_csv.yaml").write_text(_block("yaml"), encoding="utf-8")
    exports = project.root / "exports"
    exports.mkdir()
    export = exports / "helpdesk-2026-10.csv"
    export.write_text(_block("csv"), encoding="utf-8")
    assert project.json("sources", "probe", export)[0]["source"] == "helpdesk_csv"
    project.roi("nightly", "--exports", exports)
    found = project.rows(
        "exports",
        "SELECT contact_id, created_at::VARCHAR, topic, ai_involved, first_human_reply_at IS NULL, "
        "length(requester_id) FROM core.contacts ORDER BY 1",
    )
    assert found == [
        ("T-1", "2026-10-05 07:12:00+00", "billing", True, True, 32),
        ("T-2", "2026-10-05 08:40:00+00", "login", True, False, 32),
    ]


def test_the_flag_of_the_guide_does_not_make_unknown_words_false(tmp_path: Path) -> None:
    """Of bot = yes, yes, no (junk, left out) and maybe the last is refused as missing, and no row is false."""
    project = Project.new(tmp_path / "project")
    (project.root / "sources").mkdir()
    (project.root / "sources" / "helpdesk_csv.yaml").write_text(_block("yaml"), encoding="utf-8")
    export = tmp_path / "helpdesk-2026-10.csv"
    odd = "T-4,2026-10-06 09:00:00,4711,billing,mail,maybe,,no\n"
    export.write_text(_block("csv") + odd, encoding="utf-8")
    ((table,),) = [one["tables"] for one in project.json("sources", "probe", export)]
    reasons = [(one["first_line"], one["reason"]) for one in table["reasons"]]
    assert (table["rows"], table["bad"], reasons) == (3, 1, [(5, "ai_involved: missing")])


def test_the_where_of_the_guide_leaves_out_what_it_says(tmp_path: Path) -> None:
    """1 of 3 rows."""
    project = Project.new(tmp_path / "project")
    (project.root / "sources").mkdir()
    (project.root / "sources" / "helpdesk_csv.yaml").write_text(_block("yaml"), encoding="utf-8")
    export = tmp_path / "helpdesk-2026-10.csv"
    export.write_text(_block("csv"), encoding="utf-8")
    assert "`where` leaves out 1 of 3 rows" in project.roi("sources", "probe", export).stdout
    assert "how many rows `where` leaves out: here 1\nof 3" in GUIDE


def test_local_dates_names_with_spaces_and_decimal_commas_of_the_guide_work(tmp_path: Path) -> None:
    """Two contacts with Berlin times in UTC and exact minutes; the third is refused for its time, not as missing."""
    project = Project.new(tmp_path / "project")
    (project.root / "sources").mkdir()
    (project.root / "sources" / "desk_sheet.yaml").write_text(_block("yaml", 1), encoding="utf-8")
    exports = project.root / "exports"
    exports.mkdir()
    (exports / "desk-1.csv").write_text(_block("csv", 1), encoding="utf-8")
    project.roi("nightly", "--exports", exports, exit_code=3)
    sql = "SELECT contact_id, created_at::VARCHAR, ai_involved, handle_minutes::DOUBLE FROM core.contacts ORDER BY 1"
    assert project.rows("exports", sql) == [
        ("T-7", "2026-09-20 07:12:00+00", True, 12.5),
        ("T-8", "2026-10-04 22:00:00+00", False, 1003.25),
    ]
    (held,) = project.rows("exports", "SELECT line, reason FROM ledger.quarantine")
    assert held == (4, "created_at: not a time")


def test_every_key_of_a_mapping_is_in_the_guide() -> None:
    """The table of keys names each one the mapping language has."""
    from pipeline.sources.model import SourceMapping, TableMapping

    keys = set(SourceMapping.model_fields) - {"tables"}
    keys |= {f"tables.<name>.{field.alias or name}" for name, field in TableMapping.model_fields.items()}
    table = " ".join(line for line in GUIDE.splitlines() if line.startswith("|"))
    assert keys <= set(re.findall(r"`([^`]+)`", table))


def test_every_link_of_the_documentation_leads_somewhere() -> None:
    """README and docs link to files that are there."""
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert target.startswith("http") or (page.parent / target).exists(), (page.name, target)


def test_every_command_of_the_readme_exists() -> None:
    """Each `roi` command and each `make` target that the README names."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"[`\n]make ([a-z-]+)", README)):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    from typer.main import get_command

    from pipeline.cli import app

    commands = get_command(app).commands
    for first, second in re.findall(r"\.venv/bin/roi ([\w-]+) ?(\w*)", README):
        assert first in commands, first
        if hasattr(commands[first], "commands"):
            assert second in commands[first].commands, (first, second)
