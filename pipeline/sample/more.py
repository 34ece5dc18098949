"""The right values of KPIs about the programme, as entries of truth.json of the same form."""

from __future__ import annotations

from pipeline.sample import answers, ground_programme
from pipeline.sample.organisation import Organisation
from pipeline.sample.truth import Kpi, by_day, on_last_day

LONG = ("month", "28d")
QUARTERS = ("month", "quarter")


def kpis(org: Organisation) -> dict[str, Kpi]:
    """All of them over what happened in the organisation."""
    return {**_use(org), **_service(org), **_assurance(org), **_programme(org)}


def _use(org: Organisation) -> dict[str, Kpi]:
    tried = ground_programme.tried_tasks(org.tasks)
    costs = ground_programme.success_costs(org.traffic.session_costs, tried)
    trained = ground_programme.trained_people(org.attempts, org.entitlements, org.span)
    used = ground_programme.active_days(org.entitlements)
    by_work = ("use_case", "department")
    return {
        "task_success_rate": Kpi(by_day(tried), answers.task_success_rate, "weekly", by_work),
        "cost_per_successful_task": Kpi(by_day(costs), answers.cost_per_successful_task, "monthly", by_work),
        "retained_usage_rate": Kpi(
            used, answers.retained_usage_rate, "weekly", ("department", "product"), counts_people=True, grains=("28d",)
        ),
        "post_training_usage_rate": Kpi(
            by_day(trained),
            answers.post_training_usage_rate,
            "monthly",
            ("department",),
            ripens_days=7 * ground_programme.WEEKS_FOLLOWED,
            counts_people=True,
        ),
    }


def _service(org: Organisation) -> dict[str, Kpi]:
    contacts = by_day(ground_programme.claimed_contacts(org.contacts))
    noticed = by_day(ground_programme.detections(org.incidents))
    limited = by_day(ground_programme.limited_calls(org.traffic.provider_calls))
    return {
        "deflection_claim_gap": Kpi(
            contacts, answers.deflection_claim_gap, "weekly", ("topic", "channel"), ripens_days=7
        ),
        "mttd": Kpi(noticed, answers.mttd, "monthly", ("severity",)),
        "rate_limit_incidents": Kpi(limited, answers.rate_limit_incidents, "weekly", ("provider",)),
    }


def _assurance(org: Organisation) -> dict[str, Kpi]:
    sessions = by_day(org.sessions)
    audited = by_day(ground_programme.audited_sessions(org.programme.scores))
    attacked = by_day(ground_programme.attack_outcomes(org.programme.attacks))
    return {
        "hallucination_report_rate": Kpi(sessions, answers.hallucination_report_rate, "weekly", ("use_case",)),
        "safety_violation_rate": Kpi(audited, answers.safety_violation_rate, "daily", ("use_case",)),
        "prompt_injection_resistance": Kpi(
            attacked, answers.prompt_injection_resistance, "weekly", ("suite",), grains=LONG
        ),
    }


def _programme(org: Organisation) -> dict[str, Kpi]:
    programme, span = org.programme, org.span
    answered = by_day(ground_programme.survey_answers(programme.invites))
    reused = by_day(ground_programme.component_uses(programme.uses))
    piloted = by_day(ground_programme.pilot_starts(programme.use_cases))
    exposed = by_day(ground_programme.exposed_units(programme.units))
    live = ground_programme.Portfolio(programme.use_cases, programme.runs, org.sessions)
    on_day = on_last_day(live.on, span.start, span.last)
    unit = ("business_unit",)
    return {
        "stakeholder_satisfaction": Kpi(
            answered,
            answers.stakeholder_satisfaction,
            "quarterly",
            ("audience_role",),
            counts_people=True,
            grains=QUARTERS,
        ),
        "component_reuse_rate": Kpi(reused, answers.component_reuse_rate, "quarterly", (), grains=("quarter",)),
        "pilot_to_production_rate": Kpi(
            piloted,
            answers.pilot_to_production_rate,
            "quarterly",
            unit,
            ripens_days=ground_programme.PILOT_DAYS,
            grains=QUARTERS,
        ),
        "evaluation_coverage": Kpi(on_day, answers.evaluation_coverage, "monthly", unit),
        "measurement_coverage": Kpi(on_day, answers.measurement_coverage, "monthly", unit),
        "conversion_uplift": Kpi(exposed, answers.conversion_uplift, "monthly", ("experiment",), grains=("month",)),
    }
