"""The pages of every edition as they were published, one zip each: to be read again, and to be verified."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from pipeline.errors import ConfigurationError, Problem
from pipeline.reports.manifest import PLACE, Verified

_BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The time of every member: a zip of the same pages has the same bytes."""
_OWNER_ALONE = 0o600 << 16


def zip_of(folder: Path, number: int) -> Path:
    """Where the pages of an edition are kept."""
    return folder / f"edition-{number:04}.zip"


def keep(pages: Path, folder: Path, number: int, *, is_new: bool) -> Path:
    """Keep the published pages of an edition; return where.

    Those of an edition that is kept already stay as they are, unless the edition `is_new`: then the warehouse has begun
    again, and what is kept under its number and later ones goes aside, into a folder `before-1` and so on.
    """
    target = zip_of(folder, number)
    if is_new:
        _set_aside(folder, [other for other in folder.glob("edition-*.zip") if other.name >= target.name])
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_suffix(".part")
    told = json.loads((pages / PLACE).read_text(encoding="utf-8"))["files"]
    with ZipFile(part, "w", ZIP_DEFLATED) as packed:
        for name in sorted([*told, PLACE.as_posix()]):
            member = ZipInfo(name, _BEGINNING)
            member.external_attr, member.compress_type = _OWNER_ALONE, ZIP_DEFLATED
            packed.writestr(member, (pages / name).read_bytes())
    part.chmod(0o600)
    part.replace(target)
    return target


def _set_aside(folder: Path, kept: list[Path]) -> None:
    """Move editions of a warehouse that is no more out of the way of those of the new one."""
    if not kept:
        return
    aside = next(path for number in count(1) if not (path := folder / f"before-{number}").exists())
    aside.mkdir(mode=0o700)
    for path in kept:
        path.rename(aside / path.name)


def unpack(folder: Path, number: int, out: Path) -> int:
    """Write the pages of an edition into `out`, byte for byte as published; return how many files.

    Raises ConfigurationError when they are not kept, or `out` has something in it.
    """
    source = zip_of(folder, number)
    if not source.is_file():
        problem = Problem(str(source), "E011", "is not there: it was taken away, or never kept")
        raise ConfigurationError(f"The pages of edition {number} are not kept.", [problem])
    if out.exists() and any(out.iterdir()):
        problem = Problem(str(out), "E012", "found files in it, expected an empty folder or none")
        raise ConfigurationError("The pages would be mixed with other files.", [problem])
    with ZipFile(source) as packed:
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        packed.extractall(out)  # its members were named by `keep`, and ZipFile leaves no folder
        return len(packed.namelist())


@dataclass(frozen=True)
class Kept:
    """One kept edition, and what of it is not as published."""

    number: int
    verified: Verified


def verify(folder: Path) -> list[Kept]:
    """Hold the files of every kept edition to its manifest, the oldest first."""
    return [
        Kept(int(path.stem.removeprefix("edition-")), _verify(path)) for path in sorted(folder.glob("edition-*.zip"))
    ]


def _verify(path: Path) -> Verified:
    try:
        with ZipFile(path) as packed:
            told: dict[str, str] = json.loads(packed.read(PLACE.as_posix()))["files"]
            held = {name: sha256(packed.read(name)).hexdigest() for name in packed.namelist() if name in told}
            extra = set(packed.namelist()) - set(told) - {PLACE.as_posix()}
    except Exception as error:  # a damaged zip raises whatever its damage leads to
        return Verified(0, {path.name: f"cannot be read ({type(error).__name__})"})
    wrong = {name: "is missing" if name not in held else "was changed" for name in told if held.get(name) != told[name]}
    return Verified(len(told), dict(sorted((wrong | dict.fromkeys(extra, "is not of this edition")).items())))
