"""The catalogue written up for readers: Markdown with a section for every KPI."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pipeline.catalog.expressions import Measure, parse_measure
from pipeline.catalog.model import AnyMetric, Catalog, Difference, Percentile, Ratio, Snapshot, SurvivalMedian, Target

_DIRECTIONS = {"up": "higher is better", "down": "lower is better"}
_INTERVALS = {
    "exact": "none, an exact count",
    "wilson": "Wilson score",
    "clustered": "by cluster",
    "order_statistics": "order statistics",
    "greenwood": "Greenwood",
    "newcombe": "Newcombe hybrid score",
}
_PERIOD = "day >= :period_start and day < :period_end"


def markdown(catalog: Catalog, meanings: Mapping[str, str] | None = None) -> str:
    """The whole catalogue as Markdown, in catalogue order; a catalogue whose expressions parse is expected.

    `meanings` says of each fact what one of its rows is.
    """
    blocks = [
        "# KPI definitions",
        "Written from `metrics_catalog.yaml` by `roi catalog docs`; edit the catalogue, not this page. A period is "
        "half-open, `[:period_start, :period_end)`, in UTC days. The SQL says what is counted; the published values "
        "are put together from daily states and agree with it.",
        "\n".join(_overview(catalog)),
    ]
    for kpi_id, metric in catalog.metrics.items():
        blocks += _section(kpi_id, metric, catalog, (meanings or {}).get(metric.fact, ""))
    return "\n\n".join(blocks) + "\n"


def _overview(catalog: Catalog) -> Iterator[str]:
    yield "| KPI | Owner | Unit | Better | Target | Judged |"
    yield "|---|---|---|---|---|---|"
    for kpi_id, metric in catalog.metrics.items():
        target = _target_value(metric.target, metric.unit) if metric.target else "none"
        owner, name = _owner(metric, catalog), f"[{_plain(metric.name)}](#{kpi_id})"
        yield f"| {name} | {owner} | {metric.unit} | {metric.direction} | {target} | {metric.cadence} |"


def _section(kpi_id: str, metric: AnyMetric, catalog: Catalog, meaning: str) -> list[str]:
    heading = f'<a id="{kpi_id}"></a>\n\n## {_plain(metric.name)} (`{kpi_id}`)'
    facts = [f"- **{label}**: {text}" for label, text in _facts(kpi_id, metric, catalog)]
    formula = f"**Formula**: {formula_words(metric)}."
    row = [f"**One row is**: {_plain(meaning)}"] if meaning else []
    return [heading, _plain(metric.question), formula, *row, f"```sql\n{formula_sql(metric)}\n```", "\n".join(facts)]


def _facts(kpi_id: str, metric: AnyMetric, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Label and text of every line of a section's list."""
    yield "Owner", _owner(metric, catalog)
    watching = [role.title for role in catalog.roles.values() if kpi_id in role.subscribes]
    yield "Also read by", ", ".join(map(_plain, watching)) or "nobody"
    yield "Unit", f"{metric.unit}; {_DIRECTIONS[metric.direction]}"
    yield "Target", _target(metric)
    yield "Cadence", f"judged {metric.cadence}" + _maturity(metric.matures_after_days)
    yield "Dimensions", ", ".join(f"`{column}`" for column in metric.dimensions) or "none"
    yield "Interval", _interval(metric)
    yield "Enough data", f"from n = {metric.min_n}" + (_PEOPLE if metric.people else "")
    if metric.unknown is not None:
        unknown = _words(parse_measure(metric.unknown))
        yield "Not available", f"while {unknown} is above zero"
    yield "What is left out", _plain(metric.leaves_out)
    yield "Pitfall", _plain(metric.pitfall)
    yield "References", "; ".join(map(_plain, metric.references)) or "none"


_PEOPLE = "; groups of fewer than 5 people are not shown"


def _owner(metric: AnyMetric, catalog: Catalog) -> str:
    role = catalog.roles.get(metric.owner)
    return _plain(role.title if role else metric.owner)


def _target(metric: AnyMetric) -> str:
    if metric.target is None:
        return "none"
    since, source = metric.target.since.isoformat(), _plain(metric.target.source)
    return f"{_target_value(metric.target, metric.unit)}, since {since}; source: {source}"


def _target_value(target: Target, unit: str) -> str:
    side = "at least" if target.at_least is not None else "at most"
    value = target.at_least if target.at_least is not None else target.at_most
    return f"{side} {value}" if unit == "ratio" else f"{side} {value} {unit}"


def _maturity(days: int) -> str:
    return f"; a period is closed {days} days after its end" if days else ""


def _interval(metric: AnyMetric) -> str:
    cluster = getattr(metric, "cluster", None)
    return _INTERVALS[metric.interval] + (f" `{cluster}`" if cluster else "")


def formula_words(metric: AnyMetric) -> str:
    """The formula of a KPI in words."""
    fact = f"over the rows of `{metric.fact}`"
    if isinstance(metric, (Ratio, Snapshot)):
        day = ", on the last day of the period that has data" if isinstance(metric, Snapshot) else ""
        above, below = parse_measure(metric.numerator), parse_measure(metric.denominator)
        return f"{_words(above)}, divided by {_words(below)}, {fact}{day}"
    if isinstance(metric, Percentile):
        return f"the {metric.percentile:g} quantile of `{metric.value}` {fact}, from histograms with 1 % relative error"
    if isinstance(metric, SurvivalMedian):
        return f"the Kaplan-Meier median of `{metric.end}` - `{metric.start}` {fact}; those without an end are censored"
    if isinstance(metric, Difference):
        arms = f"where `{metric.arm}` is {_plain(metric.treated)} minus where it is {_plain(metric.control)}"
        first = f"the first row of each `{metric.first_per}` and `{metric.arm}` counts"
        return f"the share of `{metric.value}` {arms}, times 100, {fact}; {first}"
    return f"{_words(parse_measure(metric.total))} {fact}"


def _words(measure: Measure) -> str:
    of = {
        "sum": f"the sum of `{measure.column}`",
        "count": "the number of rows",
        "distinct": f"the number of distinct `{measure.column}`",
    }
    where = f" where `{measure.predicate}`" if measure.predicate is not None else ""
    return of[measure.aggregate] + where


def formula_sql(metric: AnyMetric) -> str:
    """Portable SQL over the fact that says what is counted; a Kaplan-Meier median is shown as its spells."""
    table, period = f"facts.{metric.fact}", _PERIOD
    if isinstance(metric, (Ratio, Snapshot)):
        above, below = parse_measure(metric.numerator).sql(), parse_measure(metric.denominator).sql()
        if isinstance(metric, Snapshot):
            period = f"day = (select max(day) from {table} where {_PERIOD})"
        return f"select {above} / nullif({below}, 0)\nfrom {table}\nwhere {period}"
    if isinstance(metric, Percentile):
        quantile = f"percentile_cont({metric.percentile:g}) within group (order by {metric.value})"
        return f"select {quantile}\nfrom {table}\nwhere {period}"
    if isinstance(metric, SurvivalMedian):
        return f"select {metric.start}, {metric.end}\nfrom {table}\nwhere {period}"
    if isinstance(metric, Difference):
        return _difference_sql(metric, table)
    return f"select {parse_measure(metric.total).sql()}\nfrom {table}\nwhere {period}"


def _difference_sql(metric: Difference, table: str) -> str:
    """Shares of the two arms over the rows that are the first of their respondent; the fact says which row is first."""
    shares = [
        f"avg({metric.value}) filter (where {metric.arm} = {_literal(arm)})" for arm in (metric.treated, metric.control)
    ]
    first = f"-- of each {metric.first_per} and {metric.arm} only the first row of the period"
    return f"select 100 * ({shares[0]}\n  - {shares[1]})\nfrom {table}  {first}\nwhere {_PERIOD}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _plain(text: str) -> str:
    """Prose that Markdown shows as it stands: no markup, no HTML, no table cell ended early."""
    return re.sub(r"([\\`*_\[\]<>|#$~]|&(?=#?\w+;))", r"\\\1", text)
