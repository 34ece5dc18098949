"""Deployments, incidents and availability of the services, and the exports of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from pipeline.sample.chance import Chance, Curve
from pipeline.sample.clock import DAY_MS, HOUR_MS, MINUTE_MS, WEEKDAY_LOAD, Span, day_of, iso_s, ms_of
from pipeline.sample.records import Deployment, Incident, Window

Json = dict[str, object]
SERVICES = ("assistant-api", "agent-tools", "llm-gateway", "retrieval-index")
CHANGE_TYPES = {"code": 0.5, "prompt": 0.25, "config": 0.15, "model": 0.1}
REPAIR_HOURS: Curve = ((0.0, 0.1), (0.25, 0.5), (0.5, 1.0), (0.75, 2.2), (0.9, 5.0), (0.97, 20.0), (1.0, 70.0))
HARMS = {"outage": 0.76, "quality": 0.12, "quota": 0.05, "safety": 0.03, "compliance": 0.04}
REGIMES = {"EU AI Act": 0.4, "GDPR": 0.4, "internal AI policy": 0.2}
WINDOW_HOURS = 4
DEPLOYMENT_COLUMNS = (
    "deployment_id",
    "service",
    "change_type",
    "environment",
    "started_at",
    "finished_at",
    "result",
    "rework",
    "rollback_of",
    "gate_passed",
)
AVAILABILITY_COLUMNS = ("service", "window_start", "window_minutes", "good", "valid", "maintenance")


def deployments(chance: Chance, span: Span) -> list[Deployment]:
    """Deployments in the order they began; a bad one is often rolled back or repaired by the next."""
    made: list[Deployment] = []
    for day in span.days():
        for _ in range(chance.count(1.9 * WEEKDAY_LOAD[day.weekday()])):
            began = ms_of(day) + chance.whole(8 * 60, 20 * 60) * MINUTE_MS
            made.extend(_with_repair(chance, began, len(made)))
    finished = [one for one in made if (one.finished_ms or one.started_ms) < ms_of(span.end)]
    return sorted(finished, key=lambda one: (one.started_ms, one.deployment_id))


def _with_repair(chance: Chance, began: int, number: int) -> Iterator[Deployment]:
    result = chance.weighed({"success": 0.91, "failed": 0.03, "rolled_back": 0.025, "cancelled": 0.035})
    finished = None if chance.happens(0.004) else began + chance.whole(3, 40) * MINUTE_MS
    first = Deployment(
        deployment_id=f"dep-{number:06d}",
        service=chance.pick(SERVICES),
        change_type=chance.weighed(CHANGE_TYPES),
        environment="production" if chance.happens(0.72) else "staging",
        started_ms=began,
        finished_ms=finished,
        result=result,
    )
    yield first
    is_repaired = chance.happens(0.04 if result == "success" else 0.5)
    if is_repaired and result != "cancelled" and finished is not None:
        again = finished + chance.whole(10, 200) * MINUTE_MS
        yield replace(
            first,
            deployment_id=f"dep-{number + 1:06d}",
            started_ms=again,
            finished_ms=again + chance.whole(3, 15) * MINUTE_MS,
            result="success",
            rollback_of=first.deployment_id,
        )


def deployment_row(one: Deployment) -> tuple[str, ...]:
    """One row of the delivery pipeline's export."""
    return (
        one.deployment_id,
        one.service,
        one.change_type,
        one.environment,
        iso_s(one.started_ms),
        "" if one.finished_ms is None else iso_s(one.finished_ms),
        one.result,
        "true" if one.rollback_of else "false",
        one.rollback_of or "",
        "true" if one.started_ms % 7 else "false",
    )


def incidents(chance: Chance, span: Span, deployed: list[Deployment]) -> list[Incident]:
    """Incidents in the order they were noticed; a few are open, cancelled, duplicates or of unknown start."""
    made: list[Incident] = []
    for day in span.days():
        if chance.happens(0.42):
            impact = ms_of(day) + chance.whole(0, 23 * 60) * MINUTE_MS
            made.append(_incident(chance, impact, len(made), span, deployed))
    return made


def _incident(chance: Chance, impact: int, number: int, span: Span, deployed: list[Deployment]) -> Incident:
    service = chance.pick(SERVICES)
    detected = impact + chance.whole(1, 25) * MINUTE_MS
    resolved = max(impact + int(chance.drawn(REPAIR_HOURS) * 60) * MINUTE_MS, detected + 2 * MINUTE_MS)
    state = chance.weighed({"resolved": 0.92, "duplicate": 0.04, "cancelled": 0.04})
    is_open = state == "resolved" and (chance.happens(0.015) or resolved >= ms_of(span.end))
    recent = [one for one in deployed if _may_have_caused(one, service, impact)]
    return Incident(
        incident_id=f"P{number:05d}K",
        number=number + 1,
        service=service,
        severity=chance.weighed({"P1": 0.15, "P2": 0.35, "P3": 0.5}),
        impact_ms=None if chance.happens(0.04) else impact,
        detected_ms=detected,
        acknowledged_ms=detected + MINUTE_MS,
        resolved_ms=None if is_open else resolved,
        state="open" if is_open else state,
        is_auto_resolved=chance.happens(0.15),
        caused_by=recent[-1].deployment_id if recent and chance.happens(0.6) else None,
    )


def _may_have_caused(one: Deployment, service: str, impact: int) -> bool:
    is_live = one.service == service and one.environment == "production" and one.finished_ms is not None
    return is_live and one.result != "cancelled" and one.started_ms <= impact <= one.started_ms + DAY_MS


def with_harms(chance: Chance, hit: list[Incident]) -> list[Incident]:
    """The incidents with the kind of harm each did, and with the law or policy it concerned when it broke one."""
    return [_with_harm(chance, one) for one in hit]


def _with_harm(chance: Chance, one: Incident) -> Incident:
    category = chance.weighed(HARMS)
    return replace(one, category=category, regime=chance.weighed(REGIMES) if category == "compliance" else None)


def incident_record(one: Incident) -> Json:
    """The incident in the shape of PagerDuty's REST API; what it does not know stands in custom fields."""
    fields = {
        "impact_start": None if one.impact_ms is None else iso_s(one.impact_ms),
        "caused_by_deployment": one.caused_by,
        "outcome": "false_alarm" if one.state == "cancelled" else None,
        "harm_category": one.category,
        "regime": one.regime,
    }
    ended = one.resolved_ms or one.acknowledged_ms
    closer = "service_reference" if one.is_auto_resolved else "user_reference"
    return {
        "id": one.incident_id,
        "incident_number": one.number,
        "created_at": iso_s(one.detected_ms),
        "updated_at": iso_s(ended),
        "status": "acknowledged" if one.resolved_ms is None else "resolved",
        "service": {"id": f"S{SERVICES.index(one.service)}", "type": "service_reference", "summary": one.service},
        "priority": {"type": "priority", "summary": one.severity},
        "urgency": "low" if one.severity == "P3" else "high",
        "acknowledgements": [{"at": iso_s(one.acknowledged_ms)}],
        "resolved_at": None if one.resolved_ms is None else iso_s(one.resolved_ms),
        "last_status_change_by": {"type": closer},
        "resolve_reason": {"type": "merge_resolve_reason"} if one.state == "duplicate" else None,
        "custom_fields": [{"name": name, "value": value} for name, value in fields.items()],
    }


def availability(chance: Chance, span: Span, hit: list[Incident], *, load: float) -> Iterator[Window]:
    """Windows of four hours; requests fail more often while an incident lasts and in announced maintenance."""
    outages = [(one.service, one.impact_ms, _felt_until(one, span)) for one in hit if one.impact_ms]
    for day in span.days():
        near = [one for one in outages if one[1] < ms_of(day + timedelta(days=1)) and one[2] > ms_of(day)]
        for service in SERVICES:
            for hour in range(0, 24, WINDOW_HOURS):
                start = ms_of(day) + hour * HOUR_MS
                end = start + WINDOW_HOURS * HOUR_MS
                is_hit = any(hit_service == service and a < end and b > start for hit_service, a, b in near)
                upkeep = day.weekday() == 6 and day.day <= 7 and hour == 4
                yield _window(chance, service, start, is_hit=is_hit, upkeep=upkeep, load=load)


def _felt_until(one: Incident, span: Span) -> int:
    """Requests suffer for twelve hours at most: by then traffic has been led elsewhere."""
    return min(one.resolved_ms or ms_of(span.end), (one.impact_ms or 0) + 12 * HOUR_MS)


def _window(chance: Chance, service: str, start: int, *, is_hit: bool, upkeep: bool, load: float) -> Window:
    busy = WEEKDAY_LOAD[day_of(start).weekday()]
    valid = 20 + chance.count(900 * load * (0.3 + busy))
    rate = 0.4 if upkeep else (0.004 if is_hit else 0.0004)
    return Window(service, start, valid - min(valid, chance.count(valid * rate)), valid, upkeep)


def availability_row(window: Window) -> tuple[str, ...]:
    """One row of the objective's export."""
    return (
        window.service,
        iso_s(window.started_ms),
        str(WINDOW_HOURS * 60),
        str(window.good),
        str(window.valid),
        "yes" if window.in_maintenance else "no",
    )
