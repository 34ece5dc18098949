"""What a catalogue must keep beyond its schema: who owns and reads what, and whether units, targets and columns fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.catalog import codes
from pipeline.catalog.benefit_checks import check_benefits
from pipeline.catalog.columns import check_columns
from pipeline.catalog.document import NOWHERE, KeyPath, Positions
from pipeline.catalog.interval_checks import check_headline, check_interval
from pipeline.catalog.load import Reading, configuration_error, read_catalog
from pipeline.catalog.model import AnyMetric, Catalog, Median, Percentile
from pipeline.catalog.units import check_target, check_unit
from pipeline.catalog.wording import near, one_of, problem, quoted
from pipeline.errors import Problem, in_file_order

Facts = Mapping[str, Mapping[str, str]]
"""Fact name -> {column name: SQL type}."""


def load_checked(path: Path, *, facts: Facts) -> Catalog:
    """The catalogue in a file, checked in full; raises one ConfigurationError with every problem."""
    reading, problems = examine(path, facts=facts)
    if problems or reading.catalog is None:
        raise configuration_error(path, problems)
    return reading.catalog


def examine(path: Path, *, facts: Facts) -> tuple[Reading, list[Problem]]:
    """What can be judged of a catalogue and everything that is wrong with the file, schema and meaning alike."""
    reading = read_catalog(path)
    found = list(reading.problems)
    if reading.catalog is not None:
        found += check_catalog(reading.catalog, reading.positions, facts=facts, set_aside=reading.set_aside)
    return reading, list(in_file_order(found))


def wrong_keys(reading: Reading, problems: Sequence[Problem]) -> dict[str, frozenset[str]]:
    """KPI id -> its keys that a problem stands at, or that cannot be read."""
    positions = reading.positions
    paths = {f"{positions.file}:{line}:{column}": path for path, (line, column) in positions.places.items()}
    wrong = [*positions.unknown, *reading.doubled, *(paths.get(one.where, ()) for one in problems)]
    found: dict[str, frozenset[str]] = {}
    for path in wrong:
        if path[:1] == ("metrics",) and len(path) > 2:
            found[str(path[1])] = found.get(str(path[1]), frozenset()) | {str(path[2])}
    return found


def check_catalog(
    catalog: Catalog, positions: Positions, *, facts: Facts, set_aside: frozenset[KeyPath] = frozenset()
) -> list[Problem]:
    """Every problem of meaning, in file order.

    `facts` gives the SQL type of each column of each fact. `set_aside` names records, as ("roles", "metrics" or
    "benefits", id), that are in the file but not in `catalog`, because their own problems have been told: naming them
    is no mistake. What is found of keys that are `unknown` in `positions` follows from what has been told, too.
    """
    found = [
        *_owners(catalog, positions, set_aside),
        *_subscriptions(catalog, positions, set_aside),
        *_same_names(catalog, positions),
        *_lists(catalog, positions),
        *_idle_roles(catalog, positions, set_aside),
        *_measures(catalog, positions, facts),
        *check_benefits(catalog, positions, facts=facts, set_aside=set_aside),
    ]
    nowhere = f"{positions.file}:{NOWHERE[0]}:{NOWHERE[1]}"
    return list(in_file_order(one for one in found if one.where != nowhere))


def _measures(catalog: Catalog, positions: Positions, facts: Facts) -> Iterator[Problem]:
    """Problems of units, targets and columns of the KPIs."""
    for kpi_id, metric in catalog.metrics.items():
        yield from check_unit(kpi_id, metric, positions, facts)
        yield from check_target(kpi_id, metric, positions)
        yield from _too_few(kpi_id, metric, positions)
        yield from check_interval(kpi_id, metric, positions, facts)
        yield from check_headline(kpi_id, metric, positions)
        yield from check_columns(kpi_id, metric, positions, facts=facts)


def _too_few(kpi_id: str, metric: AnyMetric, positions: Positions) -> Iterator[Problem]:
    """A quantile is judged by its interval, so from as many values on as have one."""
    if not isinstance(metric, Median | Percentile) or positions.is_unknown("metrics", kpi_id, "percentile"):
        return
    from pipeline.statistics.intervals import least_n_of_quantile

    quantile = metric.percentile if isinstance(metric, Percentile) else 0.5
    least = least_n_of_quantile(quantile)
    if metric.min_n < least:
        what = "the median" if isinstance(metric, Median) else f"the {quantile:g} quantile"
        found = f"min_n {metric.min_n}, and no interval around {what} of fewer than {least} values"
        where = positions.where("metrics", kpi_id, "min_n")
        yield problem(where, codes.TOO_FEW, found=found, expected=f"at least {least}", meant=f"min_n: {least}")


def _names(section: str, present: Mapping[str, object], set_aside: frozenset[KeyPath]) -> list[str]:
    return [*present, *sorted(str(path[1]) for path in set_aside if path[0] == section)]


def _owners(catalog: Catalog, positions: Positions, set_aside: frozenset[KeyPath]) -> Iterator[Problem]:
    roles = _names("roles", catalog.roles, set_aside)
    if positions.is_unknown("roles"):
        return
    for kpi_id, metric in catalog.metrics.items():
        if metric.owner not in roles:
            where = positions.where("metrics", kpi_id, "owner")
            found, meant = f"owner {quoted(metric.owner)}", near(metric.owner, roles)
            expected = one_of(roles, otherwise="a role of this catalogue, by its id under roles")
            yield problem(where, codes.UNKNOWN_OWNER, found=found, expected=expected, meant=meant)


def _subscriptions(catalog: Catalog, positions: Positions, set_aside: frozenset[KeyPath]) -> Iterator[Problem]:
    kpis = _names("metrics", catalog.metrics, set_aside)
    for role_id, role in catalog.roles.items():
        owned = catalog.owned_by(role_id)
        for index, kpi_id in enumerate(role.subscribes):
            where, found = positions.where("roles", role_id, "subscribes", index), f"a subscription to {quoted(kpi_id)}"
            if kpi_id not in kpis and positions.is_unknown("metrics"):
                continue
            if kpi_id not in kpis:
                expected, meant = one_of(kpis, otherwise="a KPI of this catalogue"), near(kpi_id, kpis)
                yield problem(where, codes.UNKNOWN_SUBSCRIPTION, found=found, expected=expected, meant=meant)
            elif kpi_id in owned and positions.is_whole("metrics", kpi_id, "owner"):
                expected = f"KPIs of others; {role_id} owns this one and sees it anyway"
                yield problem(where, codes.OWN_SUBSCRIPTION, found=found, expected=expected)


def _idle_roles(catalog: Catalog, positions: Positions, set_aside: frozenset[KeyPath]) -> Iterator[Problem]:
    """Roles with a page and nothing on it; while a KPI has an owner nobody knows, it may be any of them."""
    owners = [("metrics", kpi_id, "owner") for kpi_id in catalog.metrics]
    if any(positions.is_unknown(*owner) for owner in [("metrics",), *owners, *set_aside]):
        return
    meant = {near(metric.owner, catalog.roles) for metric in catalog.metrics.values()}
    for role_id in catalog.reported_roles():
        is_named = role_id in meant or positions.is_unknown("roles", role_id, "subscribes")
        if not is_named and not catalog.roles[role_id].subscribes:
            where, found = positions.where("roles", role_id), f"role {quoted(role_id)} without a KPI"
            expected = "a KPI it owns or subscribes to"
            yield problem(where, codes.IDLE_ROLE, found=found, expected=expected)


def _same_names(catalog: Catalog, positions: Positions) -> Iterator[Problem]:
    titles = {("roles", role_id, "title"): role.title for role_id, role in catalog.roles.items()}
    names = {("metrics", kpi_id, "name"): metric.name for kpi_id, metric in catalog.metrics.items()}
    lines = {("benefits", name, "name"): line.name for name, line in catalog.benefits.items()}
    for labels in (titles, names, lines):
        first: dict[str, KeyPath] = {}
        for path, label in labels.items():
            other = first.setdefault(" ".join(label.casefold().split()), path)
            if other != path:
                found, expected = f"{path[2]} {quoted(label)}", f"another one; {other[1]} has it already"
                yield problem(positions.where(*path), codes.SAME_NAME, found=found, expected=expected)


def _lists(catalog: Catalog, positions: Positions) -> Iterator[Problem]:
    for role_id, role in catalog.roles.items():
        yield from _repeated(role.subscribes, ("roles", role_id, "subscribes"), positions)
    for kpi_id, metric in catalog.metrics.items():
        yield from _repeated(metric.dimensions, ("metrics", kpi_id, "dimensions"), positions)
        yield from _repeated(metric.references, ("metrics", kpi_id, "references"), positions)


def _repeated(items: Sequence[str], path: KeyPath, positions: Positions) -> Iterator[Problem]:
    for index, item in enumerate(items):
        if item in items[:index]:
            where, found = positions.where(*path, index), f"{quoted(item)} a second time in {path[-1]}"
            yield problem(where, codes.LISTED_TWICE, found=found, expected="it once")
