"""Canaries: a mark appended to every text of an export that is no code, and every place where it could come out."""

from __future__ import annotations

import base64
import csv
import email
import gzip
import hashlib
import io
import json
import re
from email import policy
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
from project import ROOT

from pipeline.sources.mapping import load_mappings
from pipeline.tables import load_tables

MARK = "zqcanaryqz"
TOKEN = re.compile(MARK + r"([0-9a-f]{8})", re.IGNORECASE)
_QUOTED = re.compile(r"'([^'\n]{1,60})'")
_TIME = re.compile(r"\d{4}-\d{2}(-\d{2}.*)?|\d{1,2}[/.]\d{1,2}[/.]\d{4}.*|\d{4}/\d{2}/\d{2}.*")


@cache
def codes() -> frozenset[str]:
    """Words that mappings, facts, tables and the catalogue name: an export that holds them says nothing of a person."""
    told = [text for mapping in load_mappings() for text in mapping.expressions()]
    told += [path.read_text(encoding="utf-8") for path in sorted((ROOT / "pipeline" / "facts").glob("*.sql"))]
    found = {word for text in told for word in _QUOTED.findall(text)}
    found |= {word for table in load_tables().values() for column in table.columns for word in column.values}
    found |= set(re.findall(r"[\w-]+", (ROOT / "metrics_catalog.yaml").read_text(encoding="utf-8")))
    return frozenset(word.lower() for word in found)


def marked(text: str) -> str:
    """The text with its canary: equal texts have equal ones, so that files still belong together."""
    return f"{text}-{MARK}{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def planted(value: Any, *, everywhere: bool) -> Any:
    """A value of an export with canaries in its texts; `everywhere` also in numbers, times, flags and codes."""
    if isinstance(value, dict):
        return {key: planted(inner, everywhere=everywhere) for key, inner in value.items()}
    if isinstance(value, list):
        return [planted(inner, everywhere=everywhere) for inner in value]
    if not isinstance(value, str):
        return marked(str(value)) if everywhere and value is not None else value
    if value.startswith(("{", "[")):
        try:
            return json.dumps(planted(json.loads(value), everywhere=everywhere))
        except ValueError:
            pass
    return marked(value) if value.strip() and (everywhere or not _is_code(value)) else value


def _is_code(text: str) -> bool:
    if text.lower() in codes() or _TIME.fullmatch(text) or re.fullmatch(r"[A-Z]{3}|Q0|\?|NULL", text):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def planted_file(path: Path, *, everywhere: bool) -> bytes:
    """The content of an export with canaries."""
    text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode("utf-8-sig")
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix == ".csv":
        header, *rows = csv.reader(io.StringIO(text, newline=""))
        out = io.StringIO(newline="")
        body = [[planted(cell, everywhere=everywhere) for cell in row] for row in rows]
        csv.writer(out, lineterminator="\n").writerows([header, *body])
        return out.getvalue().encode()
    if suffix in {".jsonl", ".ndjson"}:
        lines = [line for line in text.splitlines() if line.strip()]
        return "".join(_line(line, everywhere=everywhere) + "\n" for line in lines).encode()
    if suffix == ".json":
        return (json.dumps(planted(json.loads(text), everywhere=everywhere)) + "\n").encode()
    rows = [[planted(word, everywhere=everywhere) for word in line.split()] for line in text.splitlines()]
    return "".join(" ".join(row) + "\n" for row in rows).encode()


def _line(line: str, *, everywhere: bool) -> str:
    try:
        return json.dumps(planted(json.loads(line), everywhere=everywhere))
    except ValueError:
        return line.rstrip() + f' "{MARK}deadbeef'


def readable(path: Path) -> str:
    """All that somebody could read in a file: unpacked, a mail decoded, a Parquet file as text."""
    if path.suffix == ".parquet":
        return "\n".join(
            map(str, duckdb.execute("SELECT t::VARCHAR FROM read_parquet(?) AS t", [str(path)]).fetchall())
        )
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    text = content.decode("utf-8", "replace")
    if path.suffix == ".eml":
        parts = email.message_from_bytes(content, policy=policy.default).walk()
        text += "\n".join(str(part.get_content()) for part in parts if not part.is_multipart())
    return text


def hidden_forms() -> tuple[str, ...]:
    """The mark in hexadecimal, and the middle of it in base64, wherever in a triple of bytes it begins."""
    inside = [base64.b64encode(b"x" * shift + MARK.encode())[4:12].decode() for shift in range(3)]
    return (MARK.encode().hex(), *inside)


def tokens_in(text: str) -> set[str]:
    """The canaries in a text; one in another encoding is told as that encoding."""
    found = {token.lower() for token in TOKEN.findall(text)}
    return found | {f"encoded: {form}" for form in hidden_forms() if form in text}


def declared_tokens(warehouse: Path) -> dict[str, set[str]]:
    """The canaries that mappings put into the warehouse by name, by the canonical column they stand in."""
    found: dict[str, set[str]] = {}
    with duckdb.connect(str(warehouse), read_only=True) as con:
        for table in load_tables().values():
            for column in table.columns:
                if column.column_type.is_text:
                    sql = f'SELECT string_agg(DISTINCT "{column.name}", chr(10)) FROM core.{table.name}'
                    ((text,),) = con.execute(sql).fetchall()
                    found.setdefault(f"{table.name}.{column.name}", set()).update(tokens_in(text or ""))
    return {name: tokens for name, tokens in found.items() if tokens}
