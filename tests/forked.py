"""The `roi` command in a process of its own that begins with its libraries imported: that alone takes seconds."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

TESTS = Path(__file__).resolve().parent


def run(words: Sequence[str], *, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `roi` with these words and this environment in a new process, and keep what it prints."""
    with TemporaryDirectory() as folder:
        told = [Path(folder) / name for name in ("out", "err")]
        process = start(words, environment=environment, told=told)
        process.join()
        out, err = (path.read_text(encoding="utf-8") for path in told)
    return subprocess.CompletedProcess(["roi", *words], process.exitcode or 0, out, err)


def start(
    words: Sequence[str], *, environment: Mapping[str, str], told: Sequence[Path] = (Path(os.devnull),) * 2
) -> BaseProcess:
    """Begin to run `roi` in a new process, which prints to two files, and do not wait for it."""
    process = _server().Process(target=_roi, args=(list(words), dict(environment), Path.cwd(), told))
    process.start()
    return process


@cache
def _server() -> ForkServerContext:
    """One per worker, which every process is forked from; tests/forked_ready.py says what it begins with."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["forked_ready"])
    with mock.patch.dict(os.environ, PYTHONPATH=f"{TESTS.parent}{os.pathsep}{TESTS}"):
        forkserver.ensure_running()
    return server


def _roi(words: list[str], environment: dict[str, str], folder: Path, told: Sequence[Path]) -> None:
    from pipeline.cli import main

    for stream, path in zip((sys.stdout, sys.stderr), told, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream.fileno())
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["roi", *words]
    main()
