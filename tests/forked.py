"""The `roi` command in a process of its own that begins with its libraries imported: that alone takes seconds."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

HEAVY = (
    "pipeline.nightly", "great_expectations", "pandera.pandas", "plotly.graph_objects", "scipy.stats",
    "statsmodels.stats.proportion", "statsmodels.stats.rates", "ir_measures",
)  # fmt: skip
"""Imported once per worker, in the server that every process is forked from; nothing in it has run."""


def run(words: Sequence[str], *, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `roi` with these words and this environment in a new process, and keep what it prints."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(list(HEAVY))
    with TemporaryDirectory() as folder:
        told = [Path(folder) / name for name in ("out", "err")]
        process = server.Process(target=_roi, args=(list(words), dict(environment), Path.cwd(), told))
        process.start()
        process.join()
        out, err = (path.read_text(encoding="utf-8") for path in told)
    return subprocess.CompletedProcess(["roi", *words], process.exitcode or 0, out, err)


def _roi(words: list[str], environment: dict[str, str], folder: Path, told: list[Path]) -> None:
    from pipeline.cli import main

    for stream, path in zip((sys.stdout, sys.stderr), told, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream.fileno())
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["roi", *words]
    main()
