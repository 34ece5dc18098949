"""The states a catalogue needs: which tables are kept per fact and day, and the SQL that fills them.

`cells_<fact>` holds every sum and count that any KPI needs, and who did it, by day and all dimensions at once, and
`sets_<fact>` the members that KPIs count, by day and slice; what neither adds up nor unites (clusters, distributions,
instants) has a table per KPI. See pipeline/engine/kinds for what each kind keeps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.engine.kinds import Leaf, kind_of
from pipeline.engine.kinds.base import EXACT, column_of, each_slice, from_rows
from pipeline.engine.people import PEOPLE, STRANGERS
from pipeline.engine.sets import set_sql
from pipeline.facts import fact_sql, load_facts


def measured(catalog: Catalog) -> dict[str, AnyMetric]:
    """The KPIs that are computed from facts."""
    return {kpi_id: metric for kpi_id, metric in catalog.metrics.items() if metric.facts}


def read_facts(catalog: Catalog) -> dict[str, dict[str, AnyMetric]]:
    """Fact -> the KPIs that read it, both in catalogue order."""
    found: dict[str, dict[str, AnyMetric]] = {}
    for kpi_id, metric in measured(catalog).items():
        for fact in metric.facts:
            found.setdefault(fact, {})[kpi_id] = metric
    return found


def kpis_by_table(catalog: Catalog) -> dict[str, list[str]]:
    """Canonical table -> the KPIs whose facts read it."""
    found: dict[str, list[str]] = {}
    for fact, metrics in read_facts(catalog).items():
        for table in load_facts()[fact].reads:
            found[table] = list(dict.fromkeys([*found.get(table, []), *metrics]))
    return found


def leaves(catalog: Catalog) -> dict[str, list[Leaf]]:
    """State tables per fact, in catalogue order."""
    return {fact: _of_fact(fact, metrics) for fact, metrics in read_facts(catalog).items()}


def _of_fact(fact: str, metrics: dict[str, AnyMetric]) -> list[Leaf]:
    own = (leaf for kpi_id, metric in metrics.items() for leaf in kind_of(metric).leaves(kpi_id, metric))
    return [_cells(fact, metrics), *_sets(fact, metrics), *(leaf for leaf in own if leaf.fact == fact)]


def leaf_hash(leaf: Leaf) -> str:
    """Hash of everything a state depends on besides rows: when it changes, every day is built anew."""
    fact = load_facts()[leaf.fact]
    text = "\n".join([leaf.table, leaf.sql, fact_sql(fact), fact.deeds])
    return hashlib.sha256(text.encode()).hexdigest()


def dimensions_of(fact: str, metrics: dict[str, AnyMetric]) -> tuple[str, ...]:
    """Every dimension of a fact some KPI is sliced by, each once."""
    counted = (metric for metric in metrics.values() if fact in metric.counted_facts)
    return tuple(dict.fromkeys(name for metric in counted for name in metric.dimensions))


def aggregates_of(fact: str, metrics: dict[str, AnyMetric]) -> list[str]:
    """Aggregate SQL of everything that is summed over a fact, each once."""
    found = (sql for metric in metrics.values() for sql in kind_of(metric).measures(metric, fact).values())
    return list(dict.fromkeys(found))


def _cells(fact: str, metrics: dict[str, AnyMetric]) -> Leaf:
    keys = ", ".join(["day", *dimensions_of(fact, metrics)])
    sums = [f"CAST(coalesce({sql}, 0) AS {EXACT}) AS {column_of(sql)}" for sql in aggregates_of(fact, metrics)]
    people = [f"{sql} AS {column_of(sql)}" for sql in (PEOPLE, STRANGERS) if load_facts()[fact].deeds]
    held = ", ".join(sums + people)
    return Leaf(f"cells_{fact}", fact, f"SELECT {keys}, {held} FROM {from_rows(fact)} GROUP BY {keys}")


def _sets(fact: str, metrics: dict[str, AnyMetric]) -> Iterator[Leaf]:
    """Sets of members, which are counted in slices of one dimension alone: of those there are fewer than of cells."""
    counted = {kpi_id: one for kpi_id, one in metrics.items() if kind_of(one).sets(one)}
    found = (set_sql(of) for one in counted.values() for of in kind_of(one).sets(one).values())
    held = ", ".join(f"{sql} AS {column_of(sql)}" for sql in dict.fromkeys(found))

    def sets(keys: str, told: str) -> str:
        return f"SELECT {told}, {held} FROM {from_rows(fact)} GROUP BY {keys}"

    if held:
        yield Leaf(f"sets_{fact}", fact, each_slice(dimensions_of(fact, counted), sets))
