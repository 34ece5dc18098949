"""A catalogue as it stood at another time: at a revision of the git checkout it lies in, or in another file."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.catalog.wording import near, quoted
from pipeline.errors import ConfigurationError, Problem

CODE = "E006"


@contextmanager
def catalog_at(rev: str, *, catalog: Path) -> Iterator[Path]:
    """A file with the catalogue `rev` names: that file where there is one, else what git holds at that revision.

    Raises ConfigurationError that says which of these is missing: git, a checkout, the revision, the file in it.
    """
    file = Path(rev).expanduser()
    if file.is_file():
        yield file
        return
    content = _at_revision(rev, catalog)
    with tempfile.TemporaryDirectory(prefix="roi-catalog-") as folder:
        path = Path(folder) / catalog.name
        path.write_bytes(content)
        yield path


def name_of(rev: str, *, catalog: Path) -> str:
    """The catalogue a reader is told of: the path as it was given, or `revision:file` as git writes it."""
    return rev if Path(rev).expanduser().is_file() else f"{rev}:{catalog.name}"


def _at_revision(rev: str, catalog: Path) -> bytes:
    folder = catalog.parent
    checkout = _git(folder, "rev-parse", "--is-inside-work-tree")
    if checkout.returncode != 0:
        said = checkout.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        raise _refused(rev, f"{folder} is no git checkout ({said}); name a file with the other catalogue")
    commit = _git(folder, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}") if _may_be_revision(rev) else None
    if commit is None or commit.returncode != 0:
        raise _refused(rev, _unknown(rev, folder))
    found = _git(folder, "show", f"{commit.stdout.decode().strip()}:./{catalog.name}")
    if found.returncode != 0:
        raise _refused(rev, f"{catalog.name} is not in that revision; name one that has it, or a file")
    return found.stdout


def _may_be_revision(rev: str) -> bool:
    """What begins with a dash would be read as an option."""
    return bool(rev) and not rev.startswith("-") and rev.isprintable()


def _unknown(rev: str, folder: Path) -> str:
    names = _git(folder, "for-each-ref", "--format=%(refname:short)").stdout.decode("utf-8", "replace").split()
    meant = near(rev, names)
    hint = f", did you mean {meant}?" if meant else ""
    return f"it is neither a file nor a commit, branch or tag of this checkout (git fetch gets what others have){hint}"


def _git(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("git")
    if program is None:
        raise ConfigurationError("git is not installed, so no revision can be read; name a file instead.")
    return subprocess.run([program, *words], cwd=folder, capture_output=True, check=False)  # noqa: S603 - no shell


def _refused(rev: str, why: str) -> ConfigurationError:
    return ConfigurationError("There is no such catalogue.", [Problem("REV", CODE, f"found {quoted(rev)}: {why}")])
