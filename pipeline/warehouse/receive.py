"""Receiving exports: each file is stored once by the hash of its content, whatever it is called."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.errors import ConfigurationError, RoiError

_CHUNK = 1 << 20
MAX_BYTES = 64 << 30
MAX_GZIP_RATIO = 200
UNREADABLE = "cannot be read: give this user read access"


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
    that a re-packed copy is the same file. A file or folder that cannot be read is yielded with that as its problem.
    Raises ConfigurationError when the folder is missing or cannot be read itself.
    """
    if not exports.is_dir():
        raise ConfigurationError(
            f"{exports} is not a folder. Put the exports into one folder and run make nightly EXPORTS=that-folder."
        )
    if not os.access(exports, os.R_OK | os.X_OK):
        raise ConfigurationError(f"{exports} {UNREADABLE}.")
    received.mkdir(parents=True, exist_ok=True, mode=0o700)
    sizes = {path.stat().st_size for path in received.glob("??/*")}
    for path in sorted(exports.rglob("*"), key=lambda item: item.relative_to(exports).as_posix()):
        relative = path.relative_to(exports)
        if any(part.startswith(".") for part in relative.parts) or path.name == "truth.json":
            continue
        arrival = _arrival(path, relative.as_posix(), exports, received, sizes)
        if arrival is not None:
            yield arrival


def unreadable_hash(name: str) -> str:
    """What stands for the content of a file that cannot be read: the same on every night until it can be."""
    return hashlib.sha256(f"unreadable\0{name}".encode()).hexdigest()


def _arrival(path: Path, name: str, exports: Path, received: Path, sizes: set[int]) -> Arrival | None:
    """What arrived at a path; None when it is no file of this folder, or is gone by now."""
    try:
        is_folder = path.is_dir()
        if not (is_folder or path.is_file()) or not path.resolve().is_relative_to(exports.resolve()):
            return None
        if is_folder:
            return None if os.access(path, os.R_OK | os.X_OK) else _unreadable(path, name + "/")
        with path.open("rb") as file:
            file.read(1)
    except FileNotFoundError:
        return None
    except PermissionError:
        # Within a folder that may be listed but not entered nothing is known to be a file: the folder was told.
        return _unreadable(path, name) if os.access(path.parent, os.X_OK) else None
    return _store(path, name, received, sizes)


def _unreadable(path: Path, name: str) -> Arrival:
    plain = name.removesuffix(".gz")
    return Arrival(plain, unreadable_hash(plain), path.stat().st_size, path, UNREADABLE)


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """A file as it would be stored: itself, or the content of a `.gz` in a temporary file under its plain name.

    Raises RoiError when the archive does not unpack or is too large.
    """
    if path.suffix != ".gz":
        yield path
        return
    with TemporaryDirectory() as folder:
        plain = Path(folder) / path.stem
        try:
            _digest(path, plain)
        except (gzip.BadGzipFile, EOFError, zlib.error, _TooLargeError) as error:
            raise RoiError(_refusal(error)) from None
        yield plain


def most_unpacked(size: int) -> int:
    """How many bytes a packed file of this size may unpack to; more is a bomb."""
    return min(MAX_BYTES, size * MAX_GZIP_RATIO + _CHUNK)


def _refusal(error: Exception) -> str:
    """Why a file cannot be stored unpacked."""
    if isinstance(error, _TooLargeError):
        return str(error)
    return f"incomplete: the archive does not unpack ({type(error).__name__})"


def _store(path: Path, name: str, received: Path, sizes: set[int]) -> Arrival:
    """Store a content that is new; `sizes` are those of the stored ones, and one of another size need not be looked up.

    The copy is hashed while it is made, for the file may still be growing.
    """
    plain = name.removesuffix(".gz")
    try:
        if path.suffix == ".gz" or path.stat().st_size in sizes:
            file_hash, size = _digest(path, None)
            stored = received / file_hash[:2] / file_hash
            if stored.exists():
                return Arrival(plain, file_hash, size, stored)
        part = received / ".part"
        file_hash, size = _digest(path, part)
        stored = received / file_hash[:2] / file_hash
        stored.parent.mkdir(exist_ok=True, mode=0o700)
        part.replace(stored)
        sizes.add(size)
        return Arrival(plain, file_hash, size, stored)
    except (gzip.BadGzipFile, EOFError, zlib.error, _TooLargeError) as error:
        problem = _refusal(error)
    packed = hashlib.sha256(path.read_bytes()).hexdigest()
    return Arrival(plain, packed, path.stat().st_size, path, problem)


def _digest(path: Path, copy_to: Path | None) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(copy_to or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
        for chunk in _content(path):
            digest.update(chunk)
            size += len(chunk)
            if copy_to is not None:
                target.write(chunk)
        if copy_to is not None:
            target.flush()
            os.fsync(target.fileno())
    return digest.hexdigest(), size


class _TooLargeError(Exception):
    pass


def _content(path: Path) -> Iterator[bytes]:
    packed = path.suffix == ".gz"
    limit = most_unpacked(path.stat().st_size) if packed else MAX_BYTES
    size = 0
    with gzip.open(path) if packed else path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            if size > limit:
                raise _TooLargeError(f"too large: more than {limit} bytes unpacked; split the file")
            yield chunk
