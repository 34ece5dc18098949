"""A run killed at any moment leaves the published edition whole, and the next run ends as if nothing had happened.

`make proof-kill` kills twenty runs; the test suite kills a few.
"""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest
from project import Project

KILLS = int(os.environ.get("ROI_PROOF_KILLS", "1"))
NEW_MONTH = "2026-10"


@dataclass(frozen=True)
class Reference:
    """A project with one published edition and new files waiting, and what an unkilled run makes of them."""

    waiting: Path
    pages: dict[str, str]
    tables: dict[str, int]
    seconds: float
    old_edition: int


def _tables(project: Project) -> dict[str, int]:
    """Hash of every table of the warehouse, whatever the order of its rows; times of runs stand still in tests."""
    path = project.root / "data" / "warehouse" / "sample.duckdb"
    with duckdb.connect(str(path), read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        names = con.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
            "ORDER BY 1"
        ).fetchall()
        sql = "SELECT bit_xor(hash(t::VARCHAR))::HUGEINT + count(*) FROM {} AS t"
        return {name: con.execute(sql.format(name)).fetchall()[0][0] for (name,) in names}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """Publish all but the last month, copy the folder, and run the copy to its end."""
    folder = tmp_path_factory.mktemp("killed")
    project = Project.new(folder / "waiting")
    project.roi("sample", "--people", "30", "--months", "2")
    exports, aside = project.root / "data" / "exports" / "sample", folder / "aside"
    for path in sorted(exports.rglob(f"*{NEW_MONTH}*")):
        target = aside / path.relative_to(exports)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
    project.roi("nightly", exit_code=3)  # what comes by the quarter is ahead of what comes daily, and a check says so
    shutil.copytree(aside, exports, dirs_exist_ok=True)
    unkilled = Project(folder / "unkilled")
    shutil.copytree(project.root, unkilled.root)
    begin = time.monotonic()
    unkilled.roi("nightly", exit_code=3)
    took = time.monotonic() - begin
    return Reference(project.root, unkilled.digests(), _tables(unkilled), took, 1)


@dataclass
class Reader:
    """Somebody who reads the published edition all the while."""

    project: Project
    seen: set[int] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    readings: int = 0

    def read(self) -> None:
        """Read pages and warehouse once; both must be whole."""
        try:
            edition: dict[str, Any] = json.loads((self.project.reports / "data" / "edition.json").read_text("utf-8"))
            self.seen.add(edition["number"])
            assert (self.project.reports / "index.html").read_text("utf-8").rstrip().endswith("</html>")
            ((held,),) = self.project.rows("sample", "SELECT max(number) FROM kpi.editions")
            assert held in (1, 2)
            self.readings += 1
        except Exception as error:  # a reader that fails is what this looks for, however it fails
            self.faults.append(repr(error))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read every few milliseconds while something else goes on."""
        done = threading.Event()

        def loop() -> None:
            while not done.is_set():
                self.read()
                done.wait(0.05)

        thread = threading.Thread(target=loop)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


@pytest.mark.parametrize("kill", range(KILLS))
def test_a_killed_run_leaves_no_trace(reference: Reference, tmp_path: Path, kill: int) -> None:
    """Killed with SIGKILL at a random moment: the old edition stays readable, the rerun gives the same bytes."""
    project = Project(tmp_path / "project")
    shutil.copytree(reference.waiting, project.root)
    moment = random.Random(f"kill {kill}").uniform(0.05, 1.0) * reference.seconds
    reader = Reader(project)
    with reader.reading():
        process = project.start("nightly")
        process.join(timeout=moment)
        process.kill()
        process.join()
    reader.read()
    logging.info("killed at %.2f of %.2f s, exit %s", moment, reference.seconds, process.exitcode)
    logging.info("%s readings meanwhile, editions %s", reader.readings, sorted(reader.seen))
    assert not reader.faults
    assert reader.readings > 0
    assert reader.seen <= {1, 2}
    rerun = project.roi("nightly", exit_code=3) if _is_old(project) else project.roi("nightly")
    assert rerun.stdout
    assert project.digests() == reference.pages
    assert _tables(project) == reference.tables
    left = [path.name for path in project.root.rglob("*") if ".work." in path.name or ".staged" in path.name]
    assert not left


def _is_old(project: Project) -> bool:
    """Return whether the killed run had not published its warehouse yet."""
    return project.rows("sample", "SELECT max(number) FROM kpi.editions") == [(1,)]


def test_a_second_run_waits_for_nobody(reference: Reference, tmp_path: Path) -> None:
    """Two runs at once: the second exits 75, names the first, and changes nothing."""
    project = Project(tmp_path / "project")
    shutil.copytree(reference.waiting, project.root)
    before = project.digests()
    lock = project.root / "data" / "warehouse" / ".lock"
    first = project.start("nightly")
    try:
        for _ in range(200):
            if lock.exists() and str(first.pid) in lock.read_text("utf-8"):
                break
            time.sleep(0.05)
        refused = project.roi("nightly", exit_code=75)
        assert f"Another run holds the lock: process {first.pid}" in refused.stderr
        assert project.digests() == before
    finally:
        first.kill()
        first.join()
