"""From the ledger of an edition to its one result: scopes, lines, grades, assumptions, spreads, tornado, perception."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from functools import partial
from itertools import takewhile

from pipeline.catalog.hashes import benefit_hash
from pipeline.catalog.model import Catalog
from pipeline.roi import records as r
from pipeline.roi.briefs import with_brief
from pipeline.roi.claims import cents, micros
from pipeline.roi.evaluate import Ledger, ledger_of, net_under, summed
from pipeline.roi.evidence import grade_shares
from pipeline.roi.inputs import Inputs
from pipeline.roi.points import points, saving_lines
from pipeline.roi.records import Claim, LineSummary, Perception, RoiResult, Spread, Standing, Swing
from pipeline.roi.register import DISCOUNT_RATE, WEIGHT_BEFORE_AFTER, Found
from pipeline.roi.results import COMPUTED, PROGRAMME, UNIT, USE_CASE, Scope, scopes
from pipeline.roi.simulation import DRAWS, draw, scenarios, tornado
from pipeline.roi.uncertain import Draws, money_spread, simulated

SEED = 7


def evaluate(catalog: Catalog, inputs: Inputs, *, seed: int = SEED, draws: int = DRAWS) -> RoiResult:
    """The result of the model; the same catalogue, inputs and seed give the same result, to the byte."""
    ledger = ledger_of(catalog, inputs)
    model = ledger.model
    drawn = draw(model.inputs, draws=draws, seed=seed)
    worths = [with_brief(ledger, one, one.worth(_spread(ledger, one, drawn, draws))) for one in scopes(ledger)]
    is_told = worths[0].status == COMPUTED
    swings = tornado(model.net, model.inputs) if is_told and model.inputs else ()
    told = partial(net_under, ledger)
    named = scenarios(model.net, model.inputs, told=told) if is_told and model.inputs else {}
    return RoiResult(
        as_of=inputs.as_of,
        first_month=ledger.months[0] if ledger.months else None,
        last_month=ledger.months[-1] if ledger.months else None,
        discount_rate=ledger.rate.value if ledger.rate.may_count else None,
        seed=seed,
        draws=draws,
        programme=worths[0],
        use_cases=tuple(one for one in worths if one.scope == USE_CASE),
        business_units=tuple(one for one in worths if one.scope == UNIT),
        lines=tuple(_line(ledger, name) for name in catalog.benefits),
        grades=grade_shares(ledger.claims),
        assumptions=tuple(standings(ledger)),
        tornado=tuple(Swing(one.name, _money(one.at_p10), _money(one.at_p90)) for one in swings),
        scenarios={name: _money(value) for name, value in named.items()},
        perception=tuple(_perceptions(ledger)),
        bills=ledger.bills,
        points=tuple(points(ledger, drawn, size=draws)),
        problems=ledger.problems,
        saving_lines=tuple(sorted(saving_lines(ledger))),
        claims=ledger.claims,
        costs=ledger.costs,
        simulated=simulated(model, ledger.weight),
    )


def _money(value: float) -> Decimal:
    return cents(Decimal(str(value)))


def _spread(ledger: Ledger, scope: Scope, drawn: Draws, size: int) -> Spread | None:
    """Spread of the net present value of the programme, a use case or a business unit; None without a result."""
    if scope.state[0] != COMPUTED:
        return None
    if scope.scope == PROGRAMME and drawn:
        return money_spread(ledger.model.net(drawn))
    case, unit = (scope.name if scope.scope == kind else None for kind in (USE_CASE, UNIT))
    costs = ledger.model.cost(case, unit=unit)
    flows = ledger.model.benefits(drawn, size=size, use_case=case, unit=unit) - costs[:, None]
    return money_spread((flows * ledger.model.discounts(drawn, size=size)).sum(axis=0))


def _line(ledger: Ledger, name: str) -> LineSummary:
    """One line over everything it claims."""
    line = ledger.catalog.benefits[name]
    held = [claim for claim in ledger.claims if claim.line == name]
    known = [claim.amount for claim in held if claim.amount is not None]
    hours = [claim.hours for claim in held if claim.hours is not None]
    return LineSummary(
        line=name,
        name=line.name,
        owner=line.owner,
        ledger=line.ledger,
        grade=held[0].grade if held else "",
        status=_status(held) if line.ledger != "strategic" else "told in words",
        reason="; ".join(_reasons(held)),
        claimed=sum(known, Decimal("0.00")) if known else None,
        counted=sum((claim.counted for claim in held), Decimal("0.00")),
        present=summed(claim.present for claim in held),
        hours=sum(hours, Decimal(0)).quantize(Decimal("0.01")) if hours else None,
        definition_hash=benefit_hash(line),
        says=line.says or (line.evidence.says if line.evidence else ""),
    )


def _status(held: list[Claim]) -> str:
    """What is true of most of a line's claims; `counted` as soon as one of them is in the headline."""
    if not held:
        return r.UNAVAILABLE
    inside = [claim.status for claim in held if claim.is_in_headline]
    found = inside or [claim.status for claim in held]
    return max(dict.fromkeys(found), key=found.count)


def _reasons(held: Iterable[Claim]) -> list[str]:
    """Why parts of a line do not count, the most frequent first, at most three."""
    out = [f"{claim.status}: {claim.reason}" for claim in held if not claim.is_in_headline]
    told = sorted(dict.fromkeys(out), key=lambda one: -out.count(one))
    return [*told[:3], *([f"{len(told) - 3} more"] if len(told) > 3 else [])]


def standings(ledger: Ledger) -> Iterator[Standing]:
    """Every assumption that a line, the discounting or the weights look up, as it stands in the last month."""
    if not ledger.months:
        return
    found: dict[tuple[str, str, str], tuple[Found, set[str]]] = {}
    for line, name, case, default in _looked_up(ledger):
        held = ledger.book.register.find(name, use_case=case, month=ledger.months[-1], default=default)
        key = (name, held.row.assumption_id, held.row.use_case) if held.row else (name, name, case)
        found.setdefault(key, (held, set()))[1].add(line)
    for (asked, name, case), (held, lines) in sorted(found.items()):
        row = held.row
        shown = asked if held.standing == "default" else name
        yield Standing(
            assumption_id=shown,
            use_case=case,
            unit=row.unit if row else "",
            low=row.low if row else None,
            base=row.base if row else None,
            high=row.high if row else None,
            grade=row.grade if row else "",
            source=row.source if row else "",
            owner=row.owner if row else "",
            approved_by=row.approved_by if row else "",
            approved_at=row.approved_at if row else None,
            valid_from=row.valid_from if row and held.standing != "default" else None,
            valid_to=row.valid_to if row else None,
            standing=held.standing,
            reason=held.reason,
            lines=tuple(sorted(lines - {""})),
        )


def _looked_up(ledger: Ledger) -> Iterator[tuple[str, str, str, str]]:
    """Line, assumption, use case and default of everything that is looked up."""
    yield "", DISCOUNT_RATE, r.SHARED, ""
    yield "", WEIGHT_BEFORE_AFTER, r.SHARED, WEIGHT_BEFORE_AFTER
    for name, line in ledger.catalog.benefits.items():
        factors = [*line.factors, *(factor for one in line.deductions for factor in one.factors)]
        for case in sorted({claim.use_case for claim in ledger.claims if claim.line == name}):
            for factor in factors:
                if factor.assumption is not None:
                    yield name, factor.assumption, case, ""
            for what, assumption in line.shares.items():
                is_default = what == "realisation" and line.ledger == "capacity"
                yield name, assumption, case, what if is_default else ""


def _perceptions(ledger: Ledger) -> Iterator[Perception]:
    """Hours people say they save beside those measured, over the months in which both are known."""
    for name, line in ledger.catalog.benefits.items():
        if line.perception_of is None:
            continue
        felt, real = (_hours(ledger, one) for one in (name, line.perception_of))
        for case in sorted({one[0] for one in felt}):
            both = [cell for cell in felt if cell[0] == case and cell in real]
            felt_sum, real_sum = (
                sum((hours[cell] for cell in both), Decimal(0)).quantize(Decimal("0.01")) if both else None
                for hours in (felt, real)
            )
            made = [_multiplied(ledger, one, case) for one in (name, line.perception_of)]
            yield Perception(case, len(both), felt_sum, real_sum, name, line.perception_of, *made)


def _multiplied(ledger: Ledger, line: str, use_case: str) -> str:
    """What the newest claim of a line multiplies to come to its hours: the factors before the rate."""
    held = [one.terms for one in ledger.claims if (one.line, one.use_case) == (line, use_case)]
    before = takewhile(lambda term: not term.unit.startswith("USD"), held[-1] if held else ())
    return " × ".join(term.name.replace(".", ", ") for term in before if term.kind != "conversion")


def _hours(ledger: Ledger, line: str) -> dict[tuple[str, date], Decimal]:
    """Hours of a line by use case and month, with six decimals, so that what is printed is what is added."""
    held = [one for one in ledger.claims if one.line == line and one.hours is not None]
    return {(one.use_case, one.month): micros(one.hours or Decimal(0)) for one in held}
