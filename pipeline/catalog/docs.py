"""The catalogue written up for readers: Markdown with a section for every KPI."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping

from pipeline.catalog.expressions import Measure, parse_measure
from pipeline.catalog.formulas import formula_line
from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.catalog.people import withheld_words
from pipeline.catalog.target import Target
from pipeline.catalog.worked import Example

_DIRECTIONS = {"up": "higher is better", "down": "lower is better"}
_INTERVALS = {
    "exact": "none, an exact count",
    "wilson": "Wilson score",
    "clustered": "by cluster",
    "order_statistics": "order statistics",
    "greenwood": "Greenwood",
    "newcombe": "Newcombe hybrid score",
    "newcombe_paired": "Newcombe for pairs",
    "multinomial": "multinomial standard error",
    "clopper_pearson": "Clopper-Pearson (exact)",
    "poisson": "exact Poisson",
    "delta": "delta method",
    "fieller": "Fieller, over days",
    "judge_corrected": "Lang-Reiczigel, which takes in how little is known of the judge",
    "simulation": "simulation",
}


def markdown(
    catalog: Catalog,
    meanings: Mapping[str, str] | None = None,
    sql: Callable[[AnyMetric], str] = lambda _: "",
    deeds: Collection[str] = (),
) -> str:
    """The whole catalogue as Markdown, in catalogue order; a catalogue whose expressions parse is expected.

    `meanings` says of each fact what one of its rows is; `sql` gives the query that recomputes a KPI from them. `deeds`
    are the facts whose rows are what people did.
    """
    blocks = [
        "# KPI definitions",
        "Written from `metrics_catalog.yaml` by `roi catalog docs`; edit the catalogue, not this page. A period is "
        "half-open, `[:period_start, :period_end)`, in UTC days. The SQL says what is counted; the published values "
        "are put together from daily states and agree with it.",
        "\n".join(_overview(catalog)),
    ]
    for kpi_id, metric in catalog.metrics.items():
        few = withheld_words(metric, deeds).rstrip(".")
        blocks += _section(kpi_id, metric, catalog, meanings or {}, sql(metric), few=few[:1].lower() + few[1:])
    return "\n\n".join(blocks) + "\n"


def _overview(catalog: Catalog) -> Iterator[str]:
    yield "| KPI | Owner | Unit | Better | Target | Judged |"
    yield "|---|---|---|---|---|---|"
    for kpi_id, metric in catalog.metrics.items():
        target = "; before ".join(_dated(metric)) or "none"
        owner, name = _owner(metric, catalog), f"[{_plain(metric.name)}](#{kpi_id})"
        yield f"| {name} | {owner} | {metric.unit} | {metric.direction} | {target} | {metric.cadence} |"


def _section(
    kpi_id: str, metric: AnyMetric, catalog: Catalog, meanings: Mapping[str, str], sql: str, *, few: str
) -> list[str]:
    heading = f'<a id="{kpi_id}"></a>\n\n## {_plain(metric.name)} (`{kpi_id}`)'
    told = [f"- **{label}**: {text}" for label, text in _facts(kpi_id, metric, catalog, few)]
    row = [
        f"**One row of `{fact}` is**: {_plain(meanings[fact])}"
        for fact in dict.fromkeys(metric.facts)
        if fact in meanings
    ]
    shown = [f"```sql\n{sql}\n```"] if sql else []
    return [heading, _plain(metric.question), f"**Formula**: `{formula_line(metric)}`", *row, *shown, "\n".join(told)]


def _facts(kpi_id: str, metric: AnyMetric, catalog: Catalog, few: str) -> Iterator[tuple[str, str]]:
    """Label and text of every line of a section's list; `few` says what is withheld of few people."""
    yield "Owner", _owner(metric, catalog)
    watching = [role.title for role in catalog.roles.values() if kpi_id in role.subscribes]
    yield "Also read by", ", ".join(map(_plain, watching)) or "nobody"
    yield "Unit", f"{metric.unit}; {_DIRECTIONS[metric.direction]}"
    yield "Target", _target(metric)
    if metric.aim is not None:
        yield "Aim", _plain(metric.aim)
    yield "Cadence", f"judged {metric.cadence}" + _maturity(metric.matures_after_days)
    yield "Dimensions", ", ".join(f"`{column}`" for column in metric.dimensions) or "none"
    yield "Interval", _interval(metric)
    if metric.kind == "formula":
        yield "Not available until", _plain(metric.awaits)
    else:
        yield "Enough data", "; ".join(filter(None, (f"from n = {metric.min_n}", few)))
    if metric.unknown is not None:
        unknown = _words(parse_measure(metric.unknown))
        yield "Not available", f"while {unknown} is above zero"
    yield "What is left out", _plain(metric.leaves_out)
    yield "Pitfall", _plain(metric.pitfall)
    for example in metric.examples:
        yield "Example", _example(example)
    yield "References", "; ".join(map(_plain, metric.references)) or "none"


def _example(example: Example) -> str:
    right = "not available" if example.value is None else f"{example.value}"
    return f"{_plain(example.says)} → {right}"


def _owner(metric: AnyMetric, catalog: Catalog) -> str:
    role = catalog.roles.get(metric.owner)
    return _plain(role.title if role else metric.owner)


def _target(metric: AnyMetric) -> str:
    if metric.target is None:
        return "none"
    told = (
        f"{_target_value(one, metric.unit)}, since {one.since.isoformat()}; source: {_plain(one.source)}"
        for one in reversed(metric.targets)
    )
    return "; before: ".join(told)


def _dated(metric: AnyMetric) -> Iterator[str]:
    """The targets, the newest first; with their days where there are several."""
    for one in reversed(metric.targets):
        told = _target_value(one, metric.unit)
        yield f"{told} since {one.since.isoformat()}" if metric.earlier_targets else told


def _target_value(target: Target, unit: str) -> str:
    side = target.side.replace("_", " ")
    return f"{side} {target.value}" if unit == "ratio" else f"{side} {target.value} {unit}"


def _maturity(days: int) -> str:
    return f"; a period is closed {days} days after its end" if days else ""


def _interval(metric: AnyMetric) -> str:
    cluster = getattr(metric, "cluster", None)
    return _INTERVALS[metric.interval] + (f" `{cluster}`" if cluster else "")


def _words(measure: Measure) -> str:
    of = {
        "sum": f"the sum of `{measure.column}`",
        "count": "the number of rows",
        "distinct": f"the number of distinct `{measure.column}`",
    }
    where = f" where `{measure.predicate}`" if measure.predicate is not None else ""
    return of[measure.aggregate] + where


def _plain(text: str) -> str:
    """Prose that Markdown shows as it stands: no markup, no HTML, no table cell ended early."""
    return re.sub(r"([\\`*_\[\]<>|#$~]|&(?=#?\w+;))", r"\\\1", text)
