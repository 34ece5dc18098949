"""No name, address, raw id or prompt of an export is in anything that a run writes or prints.

Every text of every export of the sample, and of every fixture of a mapping, that is no code carries a canary; a second
copy carries one in its numbers, times and codes as well, so that every value that is refused is one; a third is cut.
What a mapping names on purpose, such as a team or a model, may be told, and nothing else. `make proof-canaries` takes
every file in all three ways; the test suite takes the fixtures alone, each in one way or the other.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from canary_room import MARK, declared_tokens, planted_file, readable, tokens_in
from project import NOW, Project
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.sample import write_sample
from pipeline.tables import load_tables

EVERY = os.environ.get("ROI_PROOF_CANARIES") == "all"
TESTS = Path(__file__).parent
NOT_TOLD = {"person"}
"""Types of canonical columns of which no value is ever told as it came."""
EVENTS = {
    "call_id", "trace_id", "parent_call_id", "session_id", "task_id", "score_id", "target_id", "feedback_id",
    "contact_id", "line_id", "retry_of", "bucket_id", "attempt_id", "item_id", "query_id", "doc_id", "unit_id",
}  # fmt: skip
"""Ids of what single people did or wrote: they stand in the warehouse, and are not told either."""


@dataclass
class Told:
    """A project after its nights, and all that was printed meanwhile, by command."""

    project: Project
    printed: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str | Path) -> None:
        """Run a command in this process, whatever it ends with, and keep what it prints or fails with."""
        done = CliRunner().invoke(app, [*map(str, words)])
        failure = "".join(traceback.format_exception(done.exception)) if done.exception else ""
        self.printed[" ".join(map(str, words))[:120]] = done.output + failure


def _exports(folder: Path) -> dict[Path, Path]:
    """The exports of the fixtures, and with `make proof-canaries` those of a small sample."""
    roots = [TESTS / "exports", TESTS / "sources"]
    if EVERY:
        write_sample(folder / "sample", people=8, months=1, seed=3)
        roots.insert(0, folder / "sample")
    return {
        path.relative_to(root): path
        for root in roots
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.endswith(("rows.json", "truth.json", ".yaml"))
    }


def _fill(exports: Path, folder: Path) -> None:
    """Every export with its canaries; copies in which nothing is what it should be, and copies that break off."""
    for number, (name, path) in enumerate(_exports(folder).items()):
        plain = name.with_suffix("") if name.suffix == ".gz" else name
        try:
            good = planted_file(path, everywhere=False)
        except (ValueError, OSError, EOFError):
            _write(exports / "unreadable" / plain, path.read_bytes() + MARK.encode() + b"deadbeef")
            continue
        if EVERY or number % 3:
            _write(exports / plain, good)
        if EVERY or number % 3 == 0:
            _write(exports / "spoilt" / plain, planted_file(path, everywhere=True))
        if EVERY or number % 6 == 1:
            _write(exports / "cut" / plain, good[: len(good) * 2 // 3])


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """One night on everything, and every command that speaks of files and rows."""
    folder = tmp_path_factory.mktemp("canaries")
    made = Told(Project.new(folder / "project"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ROI_ROOT", str(made.project.root))
        patched.setenv("ROI_NOW", NOW)
        _night(made, folder)
        yield made


def _night(made: Told, folder: Path) -> None:
    exports = made.project.root / "exports"
    _fill(exports, folder)
    made.run("nightly", "--exports", exports)
    made.run("quarantine", "list", "--exports", exports)
    files = [path for path in sorted(exports.rglob("*")) if path.is_file()]
    made.run("sources", "probe", *(files if EVERY else files[::12]))
    held = [name for (name,) in made.project.rows("exports", "SELECT DISTINCT name FROM ledger.files AS f JOIN "
                                                  "ledger.quarantine USING (file_hash) ORDER BY 1")]  # fmt: skip
    for name in held if EVERY else held[::20]:
        made.run("quarantine", "show", name, "--exports", exports)
    made.run("explain", "p95_latency", "--by", "model=nobody", "--exports", exports)
    made.run("explain", "no_such_kpi", "--exports", exports)


def test_everything_was_planted_and_taken(told: Told) -> None:
    """The exports hold thousands of canaries, most files are loaded, and people are pseudonyms in the warehouse."""
    exports = told.project.root / "exports"
    files = (path for path in exports.rglob("*") if path.is_file())
    tokens = set().union(*(tokens_in(path.read_text("utf-8", "replace")) for path in files))
    loaded = told.project.rows(
        "exports", "SELECT status, count(*), count(DISTINCT source) FROM ledger.files GROUP BY 1"
    )
    counts = {status: (files, sources) for status, files, sources in loaded}
    logging.info("%d canaries; files %s", len(tokens), counts)
    assert len(tokens) > 500
    assert counts["loaded"][1] > 40, "sources of which something was loaded"
    assert counts["quarantined"][0] > 10


def _allowed(told: Told) -> set[str]:
    tables = load_tables()
    allowed: set[str] = set()
    columns = set()
    for name, tokens in declared_tokens(told.project.root / "data" / "warehouse" / "exports.duckdb").items():
        table, _, column = name.partition(".")
        assert tables[table].column(column).type not in NOT_TOLD, f"{name} holds a person as the export names it"
        if column not in EVENTS:
            allowed |= tokens
            columns.add(name)
    logging.info("%d canaries told on purpose, as mappings name them: %s", len(allowed), ", ".join(sorted(columns)))
    return allowed


def _written(project: Project) -> list[Path]:
    """Every file of the project but the exports, what was received of them, and the warehouse itself."""
    kept = [project.root / name for name in ("exports", "data/received", "data/warehouse/exports.duckdb")]
    files = (path for path in sorted(project.root.rglob("*")) if path.is_file())
    return [path for path in files if not any(path.is_relative_to(one) for one in kept)]


def test_no_canary_is_in_anything_published_or_printed(told: Told) -> None:
    """Pages, data, mail, quarantine and checks; what commands print; whether as it is, in base64, or in hexadecimal."""
    allowed, leaks = _allowed(told), {}
    for path in _written(told.project):
        if found := tokens_in(readable(path)) - allowed:
            leaks[path.relative_to(told.project.root).as_posix()] = sorted(found)[:5]
    for command, text in told.printed.items():
        if found := tokens_in(text) - allowed:
            leaks[command] = sorted(found)[:5]
    assert leaks == {}
    assert len(told.printed) >= 6
    logging.info("%d files and what %d commands printed hold no other", len(_written(told.project)),
                 len(told.printed))  # fmt: skip
    assert len(list(told.project.reports.rglob("*.html"))) > 20


def test_a_canary_would_be_found(tmp_path: Path) -> None:
    """As it is, in capitals, in a packed file, in a mail, in base64 at any place of three, and in hexadecimal."""
    import base64
    import gzip

    text = f"{MARK}0123abcd"
    (tmp_path / "page.html").write_text(f"<b>{text.upper()}</b>", encoding="utf-8")
    (tmp_path / "data.csv.gz").write_bytes(gzip.compress(text.encode()))
    mail = b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
    (tmp_path / "digest.eml").write_bytes(mail + base64.b64encode(text.encode()))
    for path in sorted(tmp_path.iterdir()):
        assert "0123abcd" in tokens_in(readable(path)), path.name
    for before in ("", "a", "ab", "abc"):
        assert tokens_in(base64.b64encode((before + text).encode()).decode())
    assert tokens_in(text.encode().hex())
    assert tokens_in("zqcanary is no canary") == set()
