"""People become keyed pseudonyms before a row is stored."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import duckdb

from pipeline.errors import Problem

KEY_BYTES = 32
_BLOCK_BYTES = 64  # SHA-256 works on blocks of 64 bytes (FIPS 180-4); HMAC pads the key to one block (RFC 2104)


def load_key(path: Path) -> bytes:
    """Return the secret key of 32 bytes, made on the first run and readable by its owner alone (mode 0600)."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            os.fsync(file.fileno())
        part.replace(path)
    return path.read_bytes()


def key_problem(path: Path, *, rebuild: str = "make rebuild", bound: Path | None = None) -> Problem | None:
    """What is wrong with a key, and what to do: anybody could try out all short ones.

    It may be missing where there is no warehouse yet that is `bound` to it.
    """
    if bound is not None and not path.exists():
        remedy = f"put it back from a copy, or give everybody a new pseudonym: {rebuild}"
        return Problem(str(path), "S007", f"is not there, and the pseudonyms in {bound} were made with it; {remedy}")
    size = path.stat().st_size if path.is_file() else KEY_BYTES
    if size == KEY_BYTES:
        return None
    remedy = f"put the old one back, or delete it and run `{rebuild}`, which gives everybody a new pseudonym"
    return Problem(str(path), "S006", f"found {size} bytes, expected {KEY_BYTES}; {remedy}")


def define_pseudonym(con: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Define the SQL macro `pseudonym(text)`: the first 32 hex digits of HMAC-SHA-256 (RFC 2104), NULL for NULL.

    The key enters as a session variable, so it stands in no stored view and in no query text.
    """
    block = key.ljust(_BLOCK_BYTES, b"\0")
    con.execute("SET VARIABLE pseudonym_inner = ?::BLOB", [bytes(byte ^ 0x36 for byte in block)])
    con.execute("SET VARIABLE pseudonym_outer = ?::BLOB", [bytes(byte ^ 0x5C for byte in block)])
    con.execute(
        """CREATE OR REPLACE TEMP MACRO pseudonym(x) AS substr(sha256(
             getvariable('pseudonym_outer')::BLOB
             || unhex(sha256(getvariable('pseudonym_inner')::BLOB || encode(x)))), 1, 32)"""
    )
