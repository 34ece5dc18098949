"""The page of a role: its finding, headlines, scorecard, charts and trust panel as plain records."""

from __future__ import annotations

from dataclasses import replace

from pipeline.reports import charts, formats, lineage, rows, sentences, words
from pipeline.reports.answer import answer
from pipeline.reports.changes import changes
from pipeline.reports.model import Chart, Headline, Mark, Record, RolePage, SourceRow
from pipeline.reports.returns import OWNER
from pipeline.reports.rows import Edition
from pipeline.reports.values import shown
from pipeline.reports.worse import worse

HEADLINES_LEAST, HEADLINES_MOST = 3, 5
FRESHNESS = "source_freshness"


def failed_checks(edition: Edition, kpi_ids: list[str]) -> list[Record]:
    """Failed checks that touch one of the KPIs, or the whole edition when they name none."""
    wanted = set(kpi_ids)
    return [
        check for check in edition.data.checks
        if not check["passed"] and (not check["kpis"] or wanted & set(check["kpis"]))
    ]  # fmt: skip


def status(edition: Edition, owned: list[str]) -> Mark:
    """final, provisional, incomplete or not built: the worst thing that is true of the role's KPIs.

    A role is not built while none of its KPIs ever had a value; one whose data has run dry is incomplete.
    """
    current = [edition.current(kpi) for kpi in owned]
    known = [row for row in current if row is not None and row.value is not None]
    failed = failed_checks(edition, owned)
    blocked = [check for check in failed if check["severity"] in ("block", "hold")]
    doubted = [check for check in failed if check["kpis"]]
    if not known and not any(edition.last_known(kpi) for kpi in owned):
        return words.STATUSES["not built"]
    if len(known) < len(owned) or blocked:
        return words.STATUSES["incomplete"]
    if doubted or any(row.status != "computed" for row in known):
        return words.STATUSES["provisional"]
    return words.STATUSES["final"]


def edition_status(edition: Edition) -> Mark:
    """The worst of the statuses of all roles that have a page or own a KPI."""
    catalog = edition.catalog
    owners = {metric.owner for metric in catalog.metrics.values()}
    roles = [role for role in catalog.roles if role in owners or role in catalog.reported_roles()]
    return words.edition_status([status(edition, catalog.owned_by(role)) for role in roles])


def unpaged(edition: Edition) -> list[str]:
    """KPIs whose owner has no page."""
    pages = set(edition.catalog.reported_roles())
    return [kpi for kpi, metric in edition.catalog.metrics.items() if metric.owner not in pages]


def unpaged_headline(edition: Edition, kpi_id: str) -> Headline:
    """The sentence about a KPI whose owner has no page, with the pages on which it is watched."""
    catalog = edition.catalog
    metric = catalog.metrics[kpi_id]
    watched = [role for role in catalog.reported_roles() if kpi_id in catalog.roles[role].subscribes]
    details = [f"Owned by: {catalog.roles[metric.owner].title}"]
    details += [f"Watched by: {formats.listed([catalog.roles[role].title for role in watched])}"] if watched else []
    return replace(
        _headline(edition, kpi_id),
        href=f"{watched[0]}.html#watch" if watched else "",
        status=status(edition, [kpi_id]),
        details=tuple(details),
    )


def _check_words(check: Record) -> str:
    return f"{check['subject']}: expected {check['expected']}, observed {check['observed']}"


def _check_banner(edition: Edition, owned: list[str], stale: set[str]) -> list[str]:
    """Failed checks of the page's own KPIs, then those of the whole edition in one line; staleness has its own line."""
    failed = [check for check in failed_checks(edition, owned)
              if not (check["check"] == FRESHNESS and check["subject"] in stale)]  # fmt: skip
    own = [check for check in failed if check["kpis"] or check["severity"] == "block"]
    said = [f"Check failed on {_check_words(check)}." for check in own[:2]]
    said += [f"{_checks(len(own) - 2)} more failed."] if len(own) > 2 else []
    general = [str(check["subject"]) for check in failed if check not in own]
    subjects = formats.listed(list(dict.fromkeys(general))[:3])
    return [*said, f"{_checks(len(general))} of the edition as a whole failed ({subjects})."] if general else said


def _checks(count: int) -> str:
    return f"{count} check{'' if count == 1 else 's'}"


def _banner(edition: Edition, owned: list[str], sources: list[SourceRow], restated: int) -> tuple[str, ...]:
    """What is wrong, and nothing else."""
    said = _check_banner(edition, owned, {row.name for row in sources if row.is_stale})
    raw = lineage.behind(edition.data.sources, edition.catalog, owned)
    lost = sum(lineage.still_open(source) for source in raw)
    total = sum(int(source["rows_in"]) for source in raw)
    if lost:
        share = f"{formats.grouped(lost)} of {formats.counted(total, 'row')} ({formats.percent(lost / total)})"
        verb = "is" if lost == 1 else "are"
        said.append(f"{share} of the sources behind this page {verb} quarantined and not counted.")
    stale = [f"{row.name} ({row.lag})" for row in sources if row.is_stale]
    if stale:
        said.append(f"Stale: {formats.listed(stale)}.")
    if restated:
        verb = "value reads" if restated == 1 else "values read"
        said.append(f"{formats.grouped(restated)} {verb} differently than in the last edition.")
    return tuple(said)


def headlines(edition: Edition, owned: list[str], watched: list[str] | None = None) -> tuple[Headline, ...]:
    """One sentence per owned KPI, at most five; filled up to three with what is remarkable among the watched."""
    found = [_headline(edition, kpi) for kpi in owned[:HEADLINES_MOST]]
    others = [_headline(edition, kpi) for kpi in watched or ()]
    remarkable = [replace(line, text=f"Watched: {line.text}") for line in others if line.mark.word == "missed"]
    return tuple(found + remarkable[: max(HEADLINES_LEAST - len(found), 0)])


def _headline(edition: Edition, kpi_id: str) -> Headline:
    metric, row = edition.catalog.metrics[kpi_id], edition.current(kpi_id)
    known = row is not None and row.value is not None
    mark = words.verdict(row) if row and metric.target else words.VERDICTS[""] if known else words.NOT_JUDGED
    return Headline(edition.headline(kpi_id), mark, f"#{kpi_id}", metric.name)


def finding(edition: Edition, owned: list[str]) -> str:
    """The title of a role's page."""
    if not owned:
        return "No KPI of this role is built yet"
    return sentences.finding([
        (edition.current(kpi), edition.last_known(kpi), edition.moved(kpi), edition.catalog.metrics[kpi])
        for kpi in owned
    ])  # fmt: skip


def title(edition: Edition, role_id: str) -> str:
    """The title of a role's page; for whoever pays it is the answer of the return."""
    if role_id == OWNER and edition.data.roi is not None:
        return answer(edition.data.roi).title
    return finding(edition, edition.catalog.owned_by(role_id))


def programme(edition: Edition) -> str:
    """The title of the index: one sentence over every KPI of the catalogue."""
    return sentences.programme([(edition.current(kpi), metric) for kpi, metric in edition.catalog.metrics.items()])


def _details(edition: Edition, owned: list[str]) -> tuple[str, ...]:
    """What backs the numbers of a role's one sentence, KPI by KPI; a single one needs no name."""
    if len(owned) == 1:
        return (_detail(edition, owned[0]),)
    return tuple(f"{edition.catalog.metrics[kpi].name}: {_detail(edition, kpi)}" for kpi in owned)


def _detail(edition: Edition, kpi_id: str) -> str:
    """Interval, n, period and movement of a KPI, or why there is no value."""
    row = edition.current(kpi_id)
    if row is None or row.value is None:
        return sentences.absent(row, edition.last_known(kpi_id), edition.catalog.metrics[kpi_id])
    when = formats.when(row)
    return f"{sentences.spread(row)}, {when}; {edition.moved(kpi_id)}"


def role_headline(edition: Edition, role_id: str) -> Headline:
    """One role in one sentence, for the index and for the Chief AI Officer."""
    owned = edition.catalog.owned_by(role_id)
    name = edition.catalog.roles[role_id].title
    mark = words.worst([line.mark for line in headlines(edition, owned)])
    shown_status, details = status(edition, owned), _details(edition, owned)
    return Headline(title(edition, role_id), mark, f"{role_id}.html", name, shown_status, details)


def period(edition: Edition, owned: list[str]) -> str:
    """The periods that the headlined values are of, the newest first."""
    current = [row for kpi in owned if (row := edition.current(kpi)) is not None]
    current.sort(key=lambda row: (row.end, row.start), reverse=True)
    return formats.listed(list(dict.fromkeys(formats.period(row.grain, row.start, row.end) for row in current)))


def _charts(edition: Edition, owned: list[str]) -> list[Chart]:
    found = []
    for kpi in owned:
        metric = edition.catalog.metrics[kpi]
        title = edition.course(kpi)
        drawn, newest = shown(edition.values, kpi, metric), edition.last_known(kpi)
        chart = charts.chart(kpi, metric, drawn, title, annotations=edition.data.annotations, newest=newest)
        found += [chart] if chart else []
    return found


def _quarantine(edition: Edition, sources: list[Record]) -> tuple[Record, ...]:
    names = {source["source"] for source in sources}
    found = [row for row in edition.data.quarantine if row["source"] in names]
    ordered = sorted(found, key=lambda row: (-int(row["rows"]), str(row["source"]), str(row["reason"])))
    return tuple({**row, "rows": lineage.refused(row)} for row in ordered)


def role_page(edition: Edition, role_id: str) -> RolePage:
    """The whole page of one role."""
    role = edition.catalog.roles[role_id]
    owned = edition.catalog.owned_by(role_id)
    watched = [kpi for kpi in role.subscribes if kpi not in owned]
    raw = lineage.behind(edition.data.sources, edition.catalog, owned or watched)
    sources = [lineage.source_row(source, edition.catalog, edition.as_of) for source in raw]
    changed, cut = rows.corrections(edition, owned)
    others = [other for other in edition.catalog.reported_roles() if other != role_id]
    return RolePage(
        id=role_id,
        title=role.title,
        question=role.question,
        finding=title(edition, role_id),
        status=status(edition, owned),
        period=period(edition, owned),
        data_through=formats.day(edition.as_of),
        banner=_banner(edition, owned, sources, len(changed) + cut),
        worse=worse(edition, edition.catalog.metrics if role_id == OWNER else [*owned, *watched]),
        headlines=headlines(edition, owned, watched),
        owned=tuple(rows.kpi_row(edition, kpi) for kpi in owned),
        watched=tuple(rows.kpi_row(edition, kpi) for kpi in watched),
        other_roles=tuple(role_headline(edition, other) for other in others) if role_id == "chief_ai_officer" else (),
        breakdowns=tuple(part for kpi in owned for part in rows.breakdowns(edition, kpi)),
        charts=tuple(_charts(edition, owned)),
        changes=changes(edition.data, role_id, [*owned, *watched]),
        corrections=changed,
        corrections_left_off=cut,
        sources=tuple(sources),
        quarantine=_quarantine(edition, raw),
        checks=tuple(failed_checks(edition, owned)),
    )
