"""`python -m bench.roi`: seconds of processor that the simulation of the return takes, drawn and added up."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Iterator
from datetime import date
from typing import Annotated

import typer

from pipeline.roi.inputs import months_between
from pipeline.roi.records import Term
from pipeline.roi.simulation import DRAWS, Outcome, Uncertain, draw, simulate
from pipeline.roi.uncertain import Model, Piece, Product

FIRST, YEAR = date(2025, 11, 1), date(2026, 10, 1)


def programme(lines: int, months: int) -> Model:
    """A model of `lines` benefit lines over some months: each claim a KPI of its month and four assumptions."""
    calendar = months_between(FIRST, YEAR)[:months]
    inputs = [one for line in range(lines) for one in _inputs(line, months)]
    pieces = tuple(
        Piece(f"line {line}", month, f"case {line % 9}", _gain(line, month), ())
        for line in range(lines) for month in range(months)
    )  # fmt: skip
    costs = {"": tuple(20.0 * lines for _ in calendar)}
    rate = Term("rate", "assumption", "ratio", None, key="rate")
    return Model(tuple(calendar), pieces, costs, (*inputs, Uncertain("rate", 0.06, 0.08, 0.12, share=True)), rate)


def _inputs(line: int, months: int) -> Iterator[Uncertain]:
    """The five sorts of factors, no two lines alike, so that no table of one serves another."""
    own = line / 1000
    for month in range(months):
        yield Uncertain(f"units {line}.{month}", 80, 100 + line, 230, "interval")
    yield Uncertain(f"value {line}", 3, 5 + own, 9)
    yield Uncertain(f"attribution {line}", 0.5, 0.7 + own, 0.9, share=True)
    yield Uncertain(f"realisation {line}", 0, 0.25 + own, 0.5, share=True)
    yield Uncertain(f"risk {line}", 0, 0.1 + own, 0.3, "triangular", share=True)


def _gain(line: int, month: int) -> Product:
    names = (f"units {line}.{month}", f"value {line}", f"attribution {line}", f"realisation {line}")
    return Product(1.0, (*((name, False) for name in names), (f"risk {line}", True)))


def measured(model: Model, *, draws: int = DRAWS, seed: int = 0) -> tuple[float, Outcome]:
    """Seconds of processor of one simulation, and what came out."""
    started = time.process_time()
    outcome = simulate(model.net, model.inputs, draws=draws, seed=seed)
    return time.process_time() - started, outcome


def bench(
    *,
    lines: Annotated[int, typer.Option(min=1, help="Lines of benefit.")] = 60,
    draws: Annotated[int, typer.Option(min=1, help="Draws of each uncertain factor.")] = DRAWS,
    profile: Annotated[bool, typer.Option("--profile", help="Print where the time goes.")] = False,
) -> None:
    """Measure the simulation: one month of claims, and a year of them."""
    draw([Uncertain("pert", 0, 1, 2), Uncertain("triangular", 0, 1, 2, "triangular")], draws=10)  # imports SciPy
    for months in (1, 12):
        model = programme(lines, months)
        seconds, found = measured(model, draws=draws)
        size = f"{lines} lines, {len(model.pieces)} claims, {len(model.inputs)} uncertain factors, {draws} draws"
        typer.echo(f"{size}: {seconds:.2f} s of processor; P50 {found.p50:,.0f}")
    if profile:
        with cProfile.Profile() as run:
            simulate(model.net, model.inputs, draws=draws)
        pstats.Stats(run).sort_stats("tottime").print_stats(10)


if __name__ == "__main__":
    typer.run(bench)
