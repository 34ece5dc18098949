"""Publication by swap: a database and a folder of pages appear whole or not at all."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h
_RENAME_SWAP = 2  # darwin sys/stdio.h


def start_work_copy(published: Path, work: Path, *, empty: bool = False) -> None:
    """Give a run its own copy of the published database; none when there is none yet, or when it shall start `empty`.

    Whatever a killed run left behind is removed first, so each run starts from what was published.
    """
    work.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    discard_work_copy(work)
    if published.exists() and not empty:
        shutil.copyfile(published, work)
        work.chmod(0o600)


def discard_work_copy(work: Path) -> None:
    """Remove the copy of a run that will not be published."""
    for leftover in (work, work.with_name(work.name + ".wal")):
        leftover.unlink(missing_ok=True)


def publish_file(work: Path, published: Path) -> None:
    """Put a closed, checkpointed database in place of the published one; readers keep the old one they have open."""
    work.chmod(0o600)
    _sync(work)
    work.replace(published)
    _sync(published.parent)


def publish_folder(staged: Path, published: Path) -> None:
    """Exchange two folders in one step, so a reader sees the old pages or the new ones, never a mixture.

    Where the system cannot exchange (neither Linux nor macOS, or a mounted folder), the old folder is moved aside
    first and there is an instant without pages.
    """
    published.mkdir(parents=True, exist_ok=True)
    for path in sorted(staged.rglob("*")):
        if path.is_file():
            _sync(path)
    if not _exchange(staged, published):
        aside = staged.with_name(staged.name + ".old")
        shutil.rmtree(aside, ignore_errors=True)
        published.rename(aside)
        staged.rename(published)
        aside.rename(staged)
    _sync(published.parent)
    shutil.rmtree(staged)


def _exchange(first: Path, second: Path) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(first), os.fsencode(second)
    if sys.platform == "linux" and hasattr(libc, "renameat2"):
        return bool(libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)
    if sys.platform == "darwin":
        return bool(libc.renamex_np(names[0], names[1], _RENAME_SWAP) == 0)
    return False


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
