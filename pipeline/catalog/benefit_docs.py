"""The page about the lines of benefit: each with its formula, what it rests on, and what it must not meet."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.catalog.benefit_checks import HOURS_ARE
from pipeline.catalog.benefits import Benefit, Factor
from pipeline.catalog.hashes import benefit_hash
from pipeline.catalog.model import Catalog
from pipeline.catalog.units import dimension_of

_DESIGNS = {
    "randomised": "randomised; A while its split is as planned",
    "staggered": "staggered roll-out; B while the waves moved in parallel before",
    "did": "difference in differences; B while the groups moved in parallel before, C where that cannot be checked",
    "before_after": "before and after; C",
    "self_report": "self-report; D",
    "assumption": "assumption; E",
}
_LEDGERS = {
    "cash": "cash: it left or entered the books",
    "capacity": "capacity: hours first, money as far as they become money",
    "strategic": "strategic: told in words, in no sum",
}


def markdown(catalog: Catalog) -> str:
    """Every line as Markdown, in catalogue order."""
    blocks = [
        "# Lines of benefit",
        "Written from `metrics_catalog.yaml` by `roi catalog docs`; edit the catalogue, not this page. "
        "[roi.md](roi.md) says how lines become a result. A factor in `code` is a KPI with its part, the others are "
        "rows of the register of assumptions; one that has a row `name.use_case` takes that.",
    ]
    for name, line in catalog.benefits.items():
        facts = "\n".join(f"- **{label}**: {text}" for label, text in _facts(line, catalog))
        blocks.append(f'<a id="{name}"></a>\n\n## {_plain(line.name)} (`{name}`)\n\n{facts}')
    return "\n\n".join(blocks) + "\n"


def _facts(line: Benefit, catalog: Catalog) -> Iterator[tuple[str, str]]:
    role = catalog.roles.get(line.owner)
    yield "Owner", _plain(role.title if role else line.owner)
    yield "Use cases", ", ".join(line.use_cases)
    yield "Ledger", _LEDGERS[line.ledger]
    if line.says is not None:
        yield "In words", _plain(line.says)
    if line.claims is not None:
        yield "Counts", f"each {line.claims} once"
        yield "Formula", formula(line)
    for one in line.deductions:
        yield f"Less {_plain(one.name).lower()}", _product(one.factors)
    if line.evidence is not None:
        yield "Evidence", _evidence(line)
    if line.perception_of is not None:
        yield "Stands beside", f"`{line.perception_of}`: what people say is never added to what is measured"
    for other in line.excludes:
        yield "Excludes", f"`{other}`: where both claim, neither is counted"
    for other, why in line.disjoint.items():
        yield "Never meets", f"`{other}`: {_plain(why)}"
    if line.since or line.until:
        yield "Claimed", " ".join(f"{word} {day}" for word, day in (("from", line.since), ("until", line.until)) if day)
    yield "Definition", f"hash `{benefit_hash(line)}`"


def formula(line: Benefit) -> str:
    """Factors, shares and risk of a line in one product."""
    shares = [f"(1 - {name})" if what == "risk" else name for what, name in line.shares.items()]
    return " × ".join([_product(line.factors), *shares])


def _product(factors: tuple[Factor, ...]) -> str:
    parts = " × ".join(f"(1 - {_factor(one)})" if one.remainder else _factor(one) for one in factors)
    divisors = [per for unit, per in HOURS_ARE.items() if any(dimension_of(one.unit)[unit] for one in factors)]
    return parts + "".join(f" ÷ {per}" for per in divisors)


def _factor(factor: Factor) -> str:
    if factor.kpi is not None:
        return f"`{factor.kpi}.{factor.part}` [{factor.unit}]"
    named = factor.assumption if factor.assumption is not None else f"measured effect ({_plain(str(factor.effect))})"
    return f"{named} [{factor.unit}]"


def _evidence(line: Benefit) -> str:
    held = line.evidence
    if held is None:
        return "none"
    data = f"; `{held.experiment}`, {held.metric}, {held.better} is better" if held.experiment else ""
    return f"{_plain(held.says)} ({_DESIGNS[held.design]}{data})"


def _plain(text: str) -> str:
    """Prose that Markdown shows as it stands."""
    return re.sub(r"([\\`*_<>|#~])", r"\\\1", text)
