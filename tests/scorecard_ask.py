"""What `roi explain` gives of every KPI of the catalogue, as the oracles of the scorecard read it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import duckdb
import yaml
from oracle_modelled import Model
from oracle_return import Return
from oracle_scorecard import Json, Kpi, measured
from oracles_intervals import Row

Ask = Callable[..., Json]
"""Runs `roi WORDS --json` and reads what it prints; nothing where it refuses."""


def asked(ask: Ask, catalogue: Path, folder: Path) -> Iterator[Kpi]:
    """Every KPI of a catalogue, in its order, from its exported rows or the trees of the return."""
    kpis: dict[str, Any] = yaml.safe_load(catalogue.read_text(encoding="utf-8"))["metrics"]
    modelled = [kpi_id for kpi_id, metric in kpis.items() if metric["kind"] == "formula"]
    claims = folder / "claims.csv"
    trees = {kpi_id: ask("explain", kpi_id, "--course", "--rows", claims) for kpi_id in modelled}
    told = Return(trees["programme_roi"], trees["payback_months"])
    with claims.open(encoding="utf-8", newline="") as file:
        model = Model(told, list(csv.DictReader(file)), trees)
    for kpi_id in kpis:
        yield model.kpi(kpi_id) if kpi_id in modelled else measured(kpi_id, *_rows(ask, kpi_id, folder))


def _rows(ask: Ask, kpi_id: str, folder: Path) -> tuple[Json, dict[str, list[Row]]]:
    """What is printed of a KPI, and the rows of its facts; of one that is withheld, those of its last value."""
    words, rows = ("explain", kpi_id, "--course"), ("--rows", folder / f"{kpi_id}.parquet")
    told = ask(*words, *rows)
    written = told.get("written")
    if written is None:
        told = ask(*words)
        known = [one for one in told["course"] if one["grain"] == "month" and one["value"] is not None]
        written = ask(*words, "--period", known[-1]["period_start"][:7], *rows)["written"]
    return told, dict(zip(told["definition"]["facts"], map(_read, written), strict=True))


def _read(path: str) -> list[Row]:
    """Rows as Python has them; moments are in UTC."""
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        columns = {name: kind for name, kind, *_ in con.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()}
        moments = [name for name, kind in columns.items() if kind == "TIMESTAMP WITH TIME ZONE"]
        told = ", ".join(f'"{name}"::TIMESTAMP' if name in moments else f'"{name}"' for name in columns)
        found = con.execute(f"SELECT {told} FROM '{path}'").fetchall()
    rows = [dict(zip(columns, row, strict=True)) for row in found]
    return [row | {name: row[name].replace(tzinfo=UTC) for name in moments if row[name]} for row in rows]
