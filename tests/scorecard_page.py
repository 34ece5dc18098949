"""All of the Chief AI Officer's page but the return, as pieces of text, drawings and charts by where they stand."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from return_page import TOKEN, Element, Where, _Reader

SIGNED = re.compile(TOKEN.pattern.replace("[−-]?", "[+−-]?"))

MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
NO_FIGURES = (
    r"\b\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}\b",  # a day
    rf"\b(?:{MONTH}) \d{{4}}\b",  # a month
    r"\bQ[1-4] \d{4}\b",  # a quarter
    r"\b\d{4}-\d{2}(?:-\d{2})?\b",  # a day or month of a reason
)
"""What has digits and is no figure: days, months and quarters. All else is expected, also where it is a word."""
OF_THE_RETURN = {"worth", "How sure", "What would change our mind"}
"""Parts that tell the return: `return_page` has them, and the title."""
_CLOSES = {"td": ("td", "th"), "th": ("td", "th"), "tr": ("td", "th", "tr")}
_LABELS = ("title", "aria-label")
_ROWS_BY_NUMBER = ("changed", "trust")
_SHAPES = {"rect": ("x", "y", "width", "height"), "circle": ("cx", "cy"), "polyline": ("points",), "path": ("d",)}


def figures(text: str) -> list[str]:
    """The figures in a text, in their order."""
    for pattern in NO_FIGURES:
        text = re.sub(pattern, "", text)
    return SIGNED.findall(text)


class _Page(_Reader):
    """Builds elements; cells and rows may be left open, as HTML allows."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        while self.open[-1].tag in _CLOSES.get(tag, ()):
            self.open.pop()
        super().handle_starttag(tag, attrs)


def places(html: str) -> dict[Where, str]:
    """Every text, label, drawing and chart of the page by where it stands; nothing is left out but the return."""
    reader = _Page()
    reader.feed(html)
    found: dict[Where, list[str]] = defaultdict(list)
    for where, text in _walk(reader.root, ("site",)):
        found[where].append(text)
    return {where: " | ".join(texts) for where, texts in found.items()}


def _walk(held: Element, where: Where) -> Iterator[tuple[Where, str]]:
    for child in held.children:
        if isinstance(child, Element):
            yield from _element(child, where)
        elif child.strip():
            yield where, child.strip()


def _element(one: Element, where: Where) -> Iterator[tuple[Where, str]]:
    """The pieces of an element; what it is decides where its text stands."""
    where = _place(one, where)
    if where[0] in OF_THE_RETURN or one.tag == "h1" or one.attrs.get("class") == "symbols":
        return
    yield from (((*where, "label"), one.attrs[name]) for name in _LABELS if name in one.attrs)
    if one.tag == "svg":
        yield from (((*where, "drawn"), shape) for shape in _shapes(one))
    elif one.tag == "script":
        yield from _walk(one, (*where, "spec"))
    else:
        inner = {"table": _table, "ul": _list, "ol": _list, "dl": _terms}.get(one.tag, _walk)
        yield from inner(one, where)


def _place(one: Element, where: Where) -> Where:
    if one.tag == "section":
        return (one.attrs["aria-labelledby"],)
    if one.tag == "aside":
        return ("banner",)
    if one.tag == "header" and one.attrs.get("class") == "top":
        return ("top",)
    if one.tag == "figure":
        return (*where, one.one("div", **{"class": "plot"}).attrs["id"].removeprefix("chart-"))
    return where


def _list(held: Element, where: Where) -> Iterator[tuple[Where, str]]:
    for at, item in enumerate(held.all("li")):
        yield from _walk(item, (*where, str(at)))


def _terms(held: Element, where: Where) -> Iterator[tuple[Where, str]]:
    name = ""
    for item in held.all("dt", "dd"):
        if item.tag == "dt":
            name = item.text
            yield (*where, "term"), name
        elif not (where == ("top",) and name in OF_THE_RETURN):
            yield from _walk(item, (*where, name))


def _table(table: Element, where: Where) -> Iterator[tuple[Where, str]]:
    """Rows by their title, or by their number where titles repeat; cells by the head of their column."""
    caption, heads = table.one("caption").text, [head.text for head in table.one("thead").all("th")]
    base = (*where, re.split(r"[,.;]", caption)[0]) if where[0] in ("slices", "trust") else where
    yield (*base, "caption"), caption
    yield (*base, "heads"), " | ".join(heads)
    title = ""
    for at, row in enumerate(table.one("tbody").all("tr")):
        cells = [one for one in row.children if isinstance(one, Element)]
        if row.attrs.get("class") == "more":
            yield from _walk(row, (*base, title, "definition"))
            continue
        title = str(at) if where[0] in _ROWS_BY_NUMBER else _title(cells[0])
        for head, cell in zip(heads, cells, strict=True):
            yield from _walk(cell, (*base, title, cell.attrs.get("data-label", head)))


def _title(cell: Element) -> str:
    """The link of a row, or all its text."""
    return next((one.text for one in cell.all("a")), cell.text)


def _shapes(svg: Element) -> Iterator[str]:
    """The coordinates of each shape."""
    for one in svg.all(*_SHAPES):
        yield f"{one.tag} " + " ".join(one.attrs[name] for name in _SHAPES[one.tag] if name in one.attrs)
