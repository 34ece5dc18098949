"""A project folder of its own for a test, driven through the command line as a user drives it."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import duckdb
import forked

ROOT = Path(__file__).resolve().parent.parent
NOW = "2026-11-01T06:00:00Z"


@dataclass(frozen=True)
class Project:
    """A folder with the catalogue in it, and the `roi` command run on it."""

    root: Path

    @classmethod
    def new(cls, root: Path) -> Project:
        """Make the folder."""
        root.mkdir(parents=True)
        for name in ("metrics_catalog.yaml", "Makefile"):
            shutil.copyfile(ROOT / name, root / name)
        return cls(root)

    @property
    def reports(self) -> Path:
        """The published pages."""
        return self.root / "reports"

    def command(self, *words: str | Path) -> list[str]:
        """The command line of `roi` with these words, for what looks at the process itself."""
        return [str(Path(sys.executable).with_name("roi")), *map(str, words)]

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a run: this folder, and a clock that stands still."""
        return os.environ | {"ROI_ROOT": str(self.root), "ROI_NOW": NOW, "PYTHONPATH": str(ROOT)} | more

    def roi(self, *words: str | Path, exit_code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `roi` and hold it to an exit code."""
        done = forked.run([str(word) for word in words], environment=self.environment(**environment))
        assert done.returncode == exit_code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def start(self, *words: str | Path) -> BaseProcess:
        """Begin to run `roi` and do not wait for it: for what looks at the process itself."""
        return forked.start([str(word) for word in words], environment=self.environment())

    def json(self, *words: str | Path, exit_code: int = 0, **environment: str) -> Any:
        """Run `roi ... --json` and read what it prints."""
        return json.loads(self.roi(*words, "--json", exit_code=exit_code, **environment).stdout)

    def rows(self, warehouse: str, sql: str) -> list[tuple[Any, ...]]:
        """Ask a published warehouse."""
        with duckdb.connect(str(self.root / "data" / "warehouse" / f"{warehouse}.duckdb"), read_only=True) as con:
            return con.execute(sql).fetchall()

    def values(self) -> dict[tuple[str, ...], dict[str, str]]:
        """The published values, by KPI, grain, period and slice."""
        return _values((self.reports / "data" / "kpi_values.csv.gz").read_bytes())

    def digests(self) -> dict[str, str]:
        """SHA-256 of every published file."""
        return {
            path.relative_to(self.reports).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.reports.rglob("*"))
            if path.is_file()
        }


@lru_cache(maxsize=2)
def _values(packed: bytes) -> dict[tuple[str, ...], dict[str, str]]:
    """The rows of a download; many tests ask for those of one edition."""
    keys = ("kpi_id", "grain", "period_start", "period_end", "dimension", "dimension_value")
    rows = csv.DictReader(io.StringIO(gzip.decompress(packed).decode("utf-8"), newline=""))
    return {tuple(row[key] for key in keys): row for row in rows}
