"""The part of the Chief AI Officer's page that tells the return, as pieces of text by where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input", "path", "rect", "use", "polyline", "polygon", "circle"}
MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
NO_FIGURES = (
    r"\b\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}\b",  # a day
    rf"\b(?:{MONTH}) \d{{4}}\b",  # a month
    r"\b\d{4}-\d{2}(?:-\d{2})?\b",  # a day or month of a reason
    r"\b8 of 10 draws\b",  # what P10 to P90 means
    r"\babove \$0\b",  # a gain
    r"\bincludes 0\b",  # no effect
    r"\bis not 0 at any rate\b",  # no internal rate
)
"""What has digits and is no figure of the return: days and months, and four thresholds that are words."""
TOKEN = re.compile(r"(?<![\w.])(?<!\w-)[−-]?\u2060?\$?\d(?:[\d,\u202f]*\d)?(?:\.\d+)?(?:\u202f?%)?")


def tokens(text: str) -> list[str]:
    """The figures in a text, in their order."""
    for pattern in NO_FIGURES:
        text = re.sub(pattern, "", text)
    return TOKEN.findall(text)


@dataclass
class Element:
    """An element of the page."""

    tag: str
    attrs: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it."""
        return " ".join(one.strip() if isinstance(one, str) else one.text for one in self.children).strip()

    def all(self, *tags: str, **attrs: str) -> Iterator[Element]:
        """Every element in it with such a tag and such attributes, in the order of the page."""
        for one in self.children:
            if isinstance(one, Element):
                if one.tag in tags and all(one.attrs.get(name) == value for name, value in attrs.items()):
                    yield one
                yield from one.all(*tags, **attrs)

    def one(self, *tags: str, **attrs: str) -> Element:
        """The first of them."""
        return next(self.all(*tags, **attrs))


class _Reader(HTMLParser):
    """Builds elements."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(found)
        if tag not in VOID:
            self.open.append(found)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        places = [at for at, one in enumerate(self.open) if one.tag == tag and at]
        if places:
            del self.open[places[-1] :]

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


Where = tuple[str, ...]
SKIPPED = "What got worse"
"""Of the head of the page: it tells KPIs of the scorecards and nothing of the return."""


def pieces(html: str) -> dict[Where, str]:
    """Every text of the return by where it stands: heading, fact, or table, row and column."""
    reader = _Reader()
    reader.feed(html)
    section = reader.root.one("section", **{"aria-labelledby": "worth"})
    found: dict[Where, str] = {("title",): reader.root.one("h1").text}
    names = list(reader.root.one("dl", **{"class": "answers"}).all("dt", "dd"))
    for name, text in zip(names[::2], names[1::2], strict=True):
        if name.text != SKIPPED:
            found["answer", name.text] = text.text
    for item in [item for facts in section.all("ul", **{"class": "facts"}) for item in facts.all("li")]:
        name = item.one("b").text
        found["fact", name] = item.text.replace(name, "", 1)
    for table in section.all("table"):
        cells = list(_table(table))
        assert len(dict(cells)) == len(cells), "two rows of a table have one name"
        found |= dict(cells)
    for at, tick in enumerate(section.one("div", **{"class": "axis"}).all("span")):
        found["axis", str(at)] = tick.text
    rest = _without(section, ("table", "ul.facts", "div.axis"))
    found["rest",] = rest.text
    found |= {("label", str(at)): text for at, text in enumerate(_labels(section))}
    return found


def _table(table: Element) -> Iterator[tuple[Where, str]]:
    """The cells of a table; the caption up to its first comma, bracket or colon names it."""
    caption = table.one("caption").text
    name = re.split(r"[,(:;]", caption)[0].strip()
    heads = [head.text for head in table.one("thead").all("th")]
    yield (name, "caption"), caption
    yield (name, "heads"), " ".join(heads)
    for row in table.one("tbody").all("tr"):
        title, *cells = row.all("th", "td")
        yield (name, title.text, ""), title.text
        for head, cell in zip(heads[1:], cells, strict=True):
            yield (name, title.text, head), cell.text


def _without(held: Element, left_out: tuple[str, ...]) -> Element:
    """An element without its tables, lists and axis."""
    kept = [
        one if isinstance(one, str) else _without(one, left_out)
        for one in held.children
        if isinstance(one, str)
        or not (one.tag in left_out or f"{one.tag}.{one.attrs.get('class')}" in left_out)
    ]  # fmt: skip
    return Element(held.tag, held.attrs, kept)


def _labels(held: Element) -> Iterator[str]:
    """What is said of drawings to those who cannot see them."""
    for one in held.all("svg", "div", "span", "section", "table"):
        yield from (one.attrs[name] for name in ("aria-label", "title") if name in one.attrs)
