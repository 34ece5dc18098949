"""The list of every published file with its SHA-256, and the check that nothing was changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PLACE = Path("data") / "manifest.json"
BESIDE = ("README.md", "pdf/")
"""What may lie among the pages and is no part of an edition."""


def write(out: Path, paths: Iterable[Path]) -> Path:
    """Write the manifest of the files of an edition; return where."""
    files = {path.relative_to(out).as_posix(): _digest(path) for path in paths}
    target = out / PLACE
    target.write_text(json.dumps({"files": files}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return target


@dataclass(frozen=True)
class Verified:
    """How many files are as published, and what is not: file -> what is wrong."""

    files: int
    wrong: dict[str, str]


def verify(folder: Path) -> Verified | None:
    """Hold the files of a folder to its manifest; None when it has none."""
    place = folder / PLACE
    if not place.is_file():
        return None
    told: dict[str, str] = json.loads(place.read_text(encoding="utf-8"))["files"]
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    wrong = {name: "is missing" for name in told if name not in found}
    wrong |= {name: "was changed" for name in told if name in found and _digest(folder / name) != told[name]}
    extra = found - set(told) - {PLACE.as_posix()}
    wrong |= {name: "is not of this edition" for name in extra if not name.startswith(BESIDE)}
    return Verified(len(told), dict(sorted(wrong.items())))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
