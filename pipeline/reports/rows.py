"""Scorecard lines, breakdowns and corrections: from values to what a table prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from pipeline.catalog.hashes import definition_hash
from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.catalog.people import UNKNOWN, unknown_words, withheld_words
from pipeline.commands import Commands
from pipeline.facts import facts_of_deeds
from pipeline.reports import formats, geometry, lineage, sentences, words
from pipeline.reports.cells import number, text
from pipeline.reports.model import (
    Breakdown,
    Correction,
    Definition,
    EditionData,
    Figure,
    KpiRow,
    Mark,
    Record,
    SliceRow,
    Value,
)
from pipeline.reports.values import Values, began, current, index, judged, last_known, prior, sliced_period, year
from pipeline.roi.records import RoiResult

SLICES_SHOWN = 20
CORRECTIONS_SHOWN = 30


def as_of(data: EditionData) -> date:
    """The last day with data."""
    return date.fromisoformat(str(data.edition["as_of"])[:10])


@dataclass(frozen=True)
class Edition:
    """An edition with its values indexed once for all pages."""

    data: EditionData
    values: Values

    @property
    def catalog(self) -> Catalog:
        """The catalogue that the values were computed with."""
        return self.data.catalog

    @property
    def commands(self) -> Commands:
        """The commands about the warehouse of this edition."""
        return self.data.commands

    @property
    def as_of(self) -> date:
        """The last day with data."""
        return as_of(self.data)

    def current(self, kpi_id: str) -> Value | None:
        """The value a page headlines."""
        return current(self.values, kpi_id, self.catalog.metrics[kpi_id])

    def headline(self, kpi_id: str) -> str:
        """The sentence about one KPI."""
        metric = self.catalog.metrics[kpi_id]
        seen = judged(self.values, kpi_id, metric)
        now = self.current(kpi_id)
        moves = sentences.signal(seen, self.began(seen), metric)
        return sentences.headline(now, self.last_known(kpi_id), moves, metric, self.by_severity(kpi_id))

    def by_severity(self, kpi_id: str) -> str:
        """How much of what a KPI counts is of which severity; empty for one that is not told by severity."""
        now = self.current(kpi_id)
        is_told = sentences.SEVERITY in self.catalog.metrics[kpi_id].dimensions
        return sentences.by_severity(self.values.slices(now)) if is_told and now is not None else ""

    def last_known(self, kpi_id: str) -> Value | None:
        """The newest value there is, however old."""
        return last_known(self.values, kpi_id, self.catalog.metrics[kpi_id])

    def moved(self, kpi_id: str) -> str:
        """The signal of a KPI in a few words."""
        metric = self.catalog.metrics[kpi_id]
        seen = judged(self.values, kpi_id, metric)
        return sentences.moved(seen, self.began(seen), metric)

    def course(self, kpi_id: str) -> str:
        """The title of its chart."""
        metric, now = self.catalog.metrics[kpi_id], self.current(kpi_id)
        seen = judged(self.values, kpi_id, metric)
        return sentences.course(seen, self.began(seen), metric, is_known=now is not None and now.value is not None)

    def began(self, seen: Value | None) -> Value | None:
        """The point since which the signal of a judged point has lasted; None when it is a single point."""
        return None if seen is None else began(self.values, seen)


def indexed(data: EditionData) -> Edition:
    """An edition ready to be read by pages; running totals know since when they count.

    Each KPI has the target that holds on the last day of the value it is headlined by.
    """
    values = index(data.values, as_of(data), running_since(data.catalog, data.roi))

    def last_day(kpi_id: str, metric: AnyMetric) -> date:
        now = current(values, kpi_id, metric)
        return now.end - timedelta(days=1) if now else values.as_of

    metrics = {kpi_id: words.holding(one, last_day(kpi_id, one)) for kpi_id, one in data.catalog.metrics.items()}
    return Edition(replace(data, catalog=data.catalog.model_copy(update={"metrics": metrics})), values)


def without_value(data: EditionData) -> list[str]:
    """KPIs without a current value, as the index counts them and `roi edition show` lists them."""
    edition = indexed(replace(data, values=data.values[data.values["dimension"] == ""]))
    now = {kpi_id: edition.current(kpi_id) for kpi_id in edition.catalog.metrics}
    return [kpi_id for kpi_id, value in now.items() if value is None or value.value is None]


def running_since(catalog: Catalog, result: RoiResult | None) -> dict[tuple[str, date], date]:
    """First month of each running total, by KPI and month."""
    points = result.points if result else ()
    running = [kpi_id for kpi_id, metric in catalog.metrics.items() if metric.cumulative]
    return {(kpi_id, point.month): point.since for kpi_id in running for point in points}


def _absent(kpi_id: str, metric: AnyMetric) -> Value:
    """Stand-in for a KPI of which no value was handed on at all."""
    never = date.min
    return Value(kpi_id, "", never, never, "", "", None, metric.unit, None, None, None, None, None, "", "not_available",
                 "", "", "", sentences.NO_VALUE, "")  # fmt: skip


def _population(metric: AnyMetric) -> str:
    if not metric.facts:
        return "See the formula."
    said = [f"Production only. Below n = {metric.min_n} nothing is judged."]
    if metric.matures_after_days:
        said.append(f"A period closes {metric.matures_after_days} days after its end.")
    return " ".join([*said, withheld_words(metric, facts_of_deeds())]).strip()


def definition(edition: Edition, kpi_id: str) -> Definition:
    """The definition of a KPI in words."""
    metric, now = edition.catalog.metrics[kpi_id], edition.current(kpi_id)
    return Definition(
        kpi_id=kpi_id,
        name=metric.name,
        question=metric.question,
        row=" ".join(lineage.meaning(fact) for fact in dict.fromkeys(metric.facts)),
        formula=words.formula(metric),
        unit=formats.unit_words(metric.unit),
        leaves_out=metric.leaves_out,
        pitfall=metric.pitfall,
        target=words.target(metric),
        target_source=words.target_source(metric),
        hash=now.definition_hash if now else definition_hash(metric),
        references=metric.references,
        population=_population(metric),
        command=_explain(edition, now) if now and now.value is not None else "",
    )


def _explain(edition: Edition, now: Value) -> str:
    """The command that shows where a value comes from."""
    period = formats.period_code(now.grain, now.start, now.end)
    return f".venv/bin/{edition.commands.roi(f'explain {now.kpi_id} --period {period}')}"


def _is_restated(edition: Edition, now: Value) -> bool:
    return any(
        (found["kpi_id"], found["grain"], str(found["period_start"])[:10], text(found["dimension"]))
        == (now.kpi_id, now.grain, now.start.isoformat(), "")
        for found in edition.data.restatements
    )


def _sliced(edition: Edition, now: Value) -> list[Value]:
    """The slices that are shown of a KPI, by each of its dimensions."""
    values, metric = edition.values, edition.catalog.metrics[now.kpi_id]
    return [
        row
        for dimension in metric.dimensions
        for row in values.slices(sliced_period(values, now, metric, dimension))
        if row.dimension == dimension
    ]


def _flags(edition: Edition, now: Value) -> tuple[Mark, ...]:
    raised = {
        "p": now.status in ("immature", "insufficient_data"),
        "r": _is_restated(edition, now),
        "s": any(row.is_withheld for row in (now, *_sliced(edition, now))),
    }
    return tuple(words.FLAGS[letter] for letter, is_raised in raised.items() if is_raised)


def _prior(edition: Edition, now: Value, metric: AnyMetric) -> tuple[Figure, str, str]:
    """The value before, its period, and the step from it to now; where there is none now, the last one known."""
    before = prior(edition.values, now)
    last = edition.last_known(now.kpi_id) if now.value is None else None
    if last is not None and (before is None or before.end < last.end <= now.end):
        before = last
    if before is None:
        return Figure("none", "not-applicable", "no earlier period has a value"), "", ""
    when = formats.when(before)
    if now.value is None or before.value is None:
        return words.leading(before, metric), f"last known, {when}" if before is last else when, ""
    step = formats.change(now.value, before.value, now.unit)
    seen = " seen" if metric.headline == "upper_bound" and now.value != before.value else ""
    return words.leading(before, metric), when, step + seen


def _signal(edition: Edition, now: Value, seen: Value | None, metric: AnyMetric) -> tuple[Mark, str]:
    if seen is None:
        is_known = now.value is not None
        return words.NO_VALUE if not is_known else words.RUNNING_TOTAL if metric.cumulative else words.SIGNALS[""], ""
    when = formats.when(seen)
    found = sentences.side(seen, metric)
    lasts = sentences.since(edition.began(seen))
    return words.signal(seen), f"{when}, {found.where} than usual{lasts}" if found else when


def kpi_href(kpi_id: str) -> str:
    """The page of a KPI."""
    return f"kpi/{kpi_id}.html"


def _note(metric: AnyMetric, now: Value) -> str:
    said = [] if words.is_causal(metric) else ["Not causal: the groups were not randomised."]
    if now.value is not None:
        said += [words.reading(metric), words.SIMULATED if now.method == "simulation" else ""]
    said += [now.note, now.reason if now.value is not None else ""]
    return " ".join(filter(None, said))


def kpi_row(edition: Edition, kpi_id: str) -> KpiRow:
    """One line of a scorecard, complete with definition, marks and small graphics."""
    metric = edition.catalog.metrics[kpi_id]
    now = edition.current(kpi_id) or _absent(kpi_id, metric)
    seen = judged(edition.values, kpi_id, metric)
    signal, signal_period = _signal(edition, now, seen, metric)
    before, before_period, step = _prior(edition, now, metric)
    is_paged = metric.owner in edition.catalog.reported_roles()
    value = words.leading(now, metric)
    return KpiRow(
        definition=definition(edition, kpi_id),
        href=kpi_href(kpi_id),
        owner=edition.catalog.roles[metric.owner].title,
        owner_href=f"{metric.owner}.html" if is_paged else "",
        period=formats.when(now) if now.grain else "",
        value=Figure(sentences.value(now, metric), value.state, value.why),
        interval=formats.interval(now),
        n=formats.count(now.n),
        bullet=geometry.bullet(now, metric),
        verdict=words.verdict(now) if metric.target else words.VERDICTS[""],
        prior=before,
        prior_period=before_period,
        change=step,
        spark=geometry.spark(year(edition.values, kpi_id, metric), metric),
        signal=signal,
        signal_period=signal_period,
        flags=_flags(edition, now),
        status=words.status(now, metric),
        note=_note(metric, now),
    )


def _slice_row(row: Value, metric: AnyMetric) -> SliceRow:
    verdict = words.verdict(row) if metric.target else words.VERDICTS[""]
    return SliceRow(
        row.dimension_value, words.leading(row, metric), formats.interval(row), formats.count(row.n), verdict
    )


def breakdowns(edition: Edition, kpi_id: str) -> list[Breakdown]:
    """A KPI by each of its dimensions in its current period, largest groups first; see `sliced_period`."""
    now, metric = edition.current(kpi_id), edition.catalog.metrics[kpi_id]
    found: list[Breakdown] = []
    if now is None:
        return found
    shown_of = _sliced(edition, now)
    for dimension in metric.dimensions:
        period = sliced_period(edition.values, now, metric, dimension)
        rows = [row for row in shown_of if row.dimension == dimension]
        rows.sort(key=lambda row: (row.value is None, -(row.n or 0), row.dimension_value))
        if rows:
            shown = tuple(_slice_row(row, metric) for row in rows[:SLICES_SHOWN])
            name, left_off = dimension.replace("_", " "), len(rows) - len(shown)
            when = formats.when(period) + (f" (of {formats.when(now)} most is withheld)" if period != now else "")
            note = unknown_words(dimension) if any(one.name == UNKNOWN for one in shown) else ""
            interval = words.interval_name(rows)
            found.append(Breakdown(metric.name, f"kpi/{kpi_id}.csv", name, when, shown, left_off, interval, note))
    return found


def _period_of(grain: str, start: object, values: Sequence[Value]) -> str:
    """A restated period in words; windows are named by their end, which the values know."""
    first = date.fromisoformat(str(start)[:10])
    same = next((row for row in values if row.start == first), None)
    return formats.period(grain, first, same.end) if same else f"{grain} from {formats.day(first)}"


def _side(found: object, metric: AnyMetric) -> str:
    known = number(found)
    return "not available" if known is None else words.seen(known, metric)


def correction(edition: Edition, found: Record) -> Correction:
    """A restated value as printed, old and new apart even where both would round alike."""
    metric = edition.catalog.metrics[found["kpi_id"]]
    dimension = text(found["dimension"])
    series = edition.values.series(found["kpi_id"], found["grain"])
    old, new = _side(found["old"], metric), _side(found["new"], metric)
    return Correction(
        kpi=metric.name,
        period=_period_of(found["grain"], found["period_start"], series),
        slice=f"{dimension.replace('_', ' ')}: {text(found['dimension_value'])}" if dimension else "overall",
        old=str(found["old"]) if old == new else old,
        new=str(found["new"]) if old == new else new,
        why=text(found["why"]),
        edition=text(found.get("edition")),
    )


def past_corrections(edition: Edition, kpi_id: str) -> tuple[tuple[Correction, ...], int]:
    """What any edition restated of a KPI in total, the newest first, and how many were cut."""
    found = [row for row in edition.data.history if row["kpi_id"] == kpi_id]
    shown = found[:CORRECTIONS_SHOWN]
    return tuple(correction(edition, row) for row in shown), len(found) - len(shown)


def corrections(edition: Edition, kpi_ids: Iterable[str]) -> tuple[tuple[Correction, ...], int]:
    """What reads differently than in the last edition: overall values and new periods first, and how many were cut."""
    wanted = set(kpi_ids)
    found = [row for row in edition.data.restatements if row["kpi_id"] in wanted]
    found.sort(key=lambda row: (row["kpi_id"], row["grain"], text(row["dimension"]), text(row["dimension_value"])))
    found.sort(key=lambda row: str(row["period_start"])[:10], reverse=True)
    found.sort(key=lambda row: text(row["dimension"]) != "")
    shown = tuple(correction(edition, row) for row in found[:CORRECTIONS_SHOWN])
    return shown, len(found) - len(shown)
