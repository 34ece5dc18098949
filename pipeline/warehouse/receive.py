"""Receiving exports: each file is stored once by the hash of its content, whatever it is called."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigurationError

_CHUNK = 1 << 20
MAX_BYTES = 64 << 30
MAX_GZIP_RATIO = 200


@dataclass(frozen=True)
class Arrival:
    """One file found in the exports folder: its name there, and where its content is stored."""

    name: str
    file_hash: str
    bytes: int
    stored: Path
    problem: str = ""


def receive(exports: Path, received: Path) -> Iterator[Arrival]:
    """Yield every file below `exports` in the order of names, storing contents not seen before.

    Hidden files, `truth.json`, and links that leave the folder are passed over. A `.gz` file is stored unpacked, so
    that a re-packed copy is the same file. Raises ConfigurationError when the folder is missing.
    """
    if not exports.is_dir():
        raise ConfigurationError(
            f"{exports} is not a folder. Put the exports into one folder and run make nightly EXPORTS=that-folder."
        )
    received.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in sorted(exports.rglob("*"), key=lambda item: item.relative_to(exports).as_posix()):
        relative = path.relative_to(exports)
        if not path.is_file() or any(part.startswith(".") for part in relative.parts) or path.name == "truth.json":
            continue
        if not path.resolve().is_relative_to(exports.resolve()):
            continue
        yield _store(path, relative.as_posix(), received)


def _store(path: Path, name: str, received: Path) -> Arrival:
    part = received / f".part-{os.getpid()}"
    digest = hashlib.sha256()
    size, problem = 0, ""
    with part.open("wb") as target:
        try:
            for chunk in _content(path):
                digest.update(chunk)
                size += len(chunk)
                target.write(chunk)
        except (gzip.BadGzipFile, EOFError) as error:
            problem = f"incomplete: the archive does not unpack ({type(error).__name__})"
        except _TooLargeError as error:
            problem = str(error)
        target.flush()
        os.fsync(target.fileno())
    file_hash = digest.hexdigest()
    stored = received / file_hash[:2] / file_hash
    if problem or stored.exists():
        part.unlink()
    else:
        stored.parent.mkdir(exist_ok=True, mode=0o700)
        part.chmod(0o600)
        part.replace(stored)
    return Arrival(name.removesuffix(".gz"), file_hash, size, stored, problem)


class _TooLargeError(Exception):
    pass


def _content(path: Path) -> Iterator[bytes]:
    packed = path.suffix == ".gz"
    limit = min(MAX_BYTES, path.stat().st_size * MAX_GZIP_RATIO + _CHUNK) if packed else MAX_BYTES
    size = 0
    with gzip.open(path) if packed else path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            if size > limit:
                raise _TooLargeError(f"too large: more than {limit} bytes unpacked; split the file")
            yield chunk
