"""Where the bars of the bridge and the lines of the fan must stand, from recomputed amounts alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import accumulate, pairwise

from oracle_return import Return
from return_expected import LEFT, PRESENT, ends_of, levels, steps
from return_page import Element, _Reader

D = Decimal
WIDE, HIGH, THINNEST = 600.0, 200.0, 0.6
SUMS = (LEFT, PRESENT)
Drawn = list[list[float]]


def drawings(html: str) -> dict[str, Drawn]:
    """The numbers of each drawing of the return: a bar of the bridge by its step; lines and grid of the fan."""
    reader = _Reader()
    reader.feed(html)
    section = reader.root.one("section", **{"aria-labelledby": "worth"})
    found: dict[str, Drawn] = {}
    for row in section.one("table", **{"class": "bridge"}).one("tbody").all("tr"):
        for svg in row.all("svg"):
            bar, zero = list(svg.all("rect"))[1], svg.one("path")
            found[row.one("th").text] = [_numbers(bar.attrs["x"], bar.attrs["width"]), _numbers(zero.attrs["d"])[:1]]
    frame = section.one("div", **{"class": "frame"})
    axis = frame.one("div", **{"class": "axis"})
    found["ticks"] = [_numbers(tick.attrs["style"]) for tick in axis.all("span")]
    return found | dict(_lines(frame))


def _lines(frame: Element) -> Iterator[tuple[str, Drawn]]:
    (svg,) = frame.all("svg")
    yield "grid", [_numbers(path.attrs["d"])[1:2] for path in svg.all("path")]
    yield from ((tag, [_numbers(one.attrs["points"]) for one in svg.all(tag)]) for tag in ("polygon", "polyline"))


def _numbers(*texts: str) -> list[float]:
    return [float(one) for text in texts for one in re.findall(r"-?\d+(?:\.\d+)?", text)]


def drawn(told: Return, names: Mapping[str, str], order: Sequence[str]) -> dict[str, Drawn]:
    """The same from the trees; `order` is that of the steps on the page."""
    return dict(_bars(steps(told, names), order)) | dict(_fan(told))


def _bars(amounts: Mapping[str, Decimal], order: Sequence[str]) -> Iterator[tuple[str, Drawn]]:
    """Each bar begins where the one before it ended, on a scale that spans all of them; sums stand from zero."""
    moves = [D(0) if name in SUMS else amounts[name] for name in order]
    ends = [D(0), *accumulate(moves)]
    assert ends[-1] == amounts[PRESENT]
    low, wide = min(ends), max(ends) - min(ends)

    def place(value: Decimal) -> float:
        return 100 * float(value - low) / float(wide)

    for name, span in zip(order, pairwise(ends), strict=True):
        start, end = (D(0), amounts[name]) if name in SUMS else span
        left, right = sorted((place(start), place(end)))
        width = max(right - left, THINNEST)
        yield name, [[round(min(left, 100 - width), 2), round(width, 2)], [round(place(D(0)), 2)]]


def _fan(told: Return) -> Iterator[tuple[str, Drawn]]:
    """P10 and P90 as a band, P50 as a line, and a grid at round amounts with 4 % of room beyond the ends."""
    shown = [code for code in told.months if code >= min(one.month for one in told.counted)]
    low, middle, high = zip(*(map(_cents, ends_of(told, code)) for code in shown), strict=True)
    least, most = min(0.0, *low, *high), max(0.0, *low, *high)
    bottom, top = least - 0.04 * (most - least), most + 0.04 * (most - least)
    step, scale = WIDE / (len(shown) - 1), HIGH / (top - bottom)

    def line(values: Sequence[float]) -> list[tuple[float, float]]:
        return [(round(at * step, 1), round((top - one) * scale, 1)) for at, one in enumerate(values)]

    def flat(points: Sequence[tuple[float, float]]) -> list[float]:
        return [end for point in points for end in point]

    ticks = [round(100 * (top - at) / (top - bottom), 2) for at in levels(least, most)]
    yield "polygon", [flat([*line(low), *reversed(line(high))])]
    yield "polyline", [flat(line(middle))]
    yield "ticks", [[at] for at in ticks]
    yield "grid", [[at * 2] for at in ticks]


def _cents(value: float) -> float:
    return float(D(str(value)).quantize(D("0.01"), "ROUND_HALF_UP"))
