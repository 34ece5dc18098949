"""One thing broken in a good catalogue gives one problem, at its place, with its code and its words."""
# ruff: noqa: E501 - a message stands in one piece

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog.check import examine, load_checked
from pipeline.catalog.implication import counterexample, shown
from pipeline.catalog.model import KINDS
from pipeline.errors import Problem

GOOD = """\
# A catalogue with one KPI of every kind.
version: 1

roles:
  head:
    title: Head
    layer: strategic
    tier: 1
    question: Is it worth it?
    subscribes: [cost, speed]
  engineer:
    title: Engineer
    layer: build_operate
    tier: 1
    question: Does it work?
    subscribes:
      - adoption
  trainer:
    title: Trainer
    layer: enablement_adoption
    tier: 3
    question: Who is trained?

metrics:
  adoption:
    name: Adoption
    owner: head
    question: Who uses it?
    kind: ratio
    fact: people_days
    numerator: distinct(person_id) where is_active = 1
    denominator: distinct(person_id)
    unit: ratio
    direction: up
    cadence: weekly
    dimensions: [department]
    people: true
    min_n: 5
    interval: exact
    target: {at_least: 0.20, since: 2026-01-01, source: "a plan"}
    leaves_out: Leavers.
    pitfall: Seats are not people.
    references: ["a book"]
  cost:
    name: Cost
    owner: engineer
    question: What does a session cost?
    kind: ratio
    fact: sessions
    numerator: sum(cost_usd)
    denominator: sum(sessions)
    unknown: count(*) where unpriced > 0
    unit: USD/session
    direction: down
    cadence: daily
    dimensions: [use_case, department]
    min_n: 30
    interval: clustered
    cluster: session_key
    target:
      at_most: 0.05
      since: 2026-01-01
      source: a plan
    leaves_out: Tests.
    pitfall: Cached tokens.
  speed:
    name: Speed
    owner: engineer
    question: How slow is it?
    kind: percentile
    fact: requests
    value: latency_s
    percentile: 0.95
    unit: s
    direction: down
    cadence: daily
    dimensions: [model]
    min_n: 200
    interval: order_statistics
    leaves_out: Batches.
    pitfall: Averages.
  recovery:
    name: Recovery
    owner: engineer
    question: How long is it down?
    kind: survival_median
    fact: incidents
    start: started_at
    end: resolved_at
    unit: h
    direction: down
    cadence: monthly
    min_n: 5
    interval: greenwood
    leaves_out: Duplicates.
    pitfall: Open ones.
  happiness:
    name: Happiness
    owner: head
    question: Are they happier?
    kind: difference
    fact: answers
    value: is_top2
    arm: variant
    treated: ai
    control: baseline
    first_per: respondent
    unit: points
    direction: up
    cadence: monthly
    dimensions: [channel]
    people: true
    min_n: 30
    interval: newcombe
    target: {at_least: 3, since: 2026-01-01, source: a plan}
    leaves_out: Second answers.
    pitfall: Not randomised.
  trained:
    name: Trained
    owner: trainer
    question: Who is trained?
    kind: snapshot
    fact: roster
    numerator: sum(is_trained)
    denominator: count(*)
    unit: ratio
    direction: up
    cadence: monthly
    dimensions: [department]
    people: true
    min_n: 5
    interval: exact
    leaves_out: Leavers.
    pitfall: Old courses.
  hours:
    name: Hours
    owner: head
    question: How much time is saved?
    kind: total
    fact: tasks
    total: sum(hours_saved)
    unit: h
    direction: up
    cadence: monthly
    min_n: 30
    interval: clustered
    cluster: session_key
    leaves_out: Claims.
    pitfall: Felt savings.
  price:
    name: Price of a success
    owner: head
    question: What does a success cost?
    kind: derived
    fact: sessions
    numerator: sum(cost_usd)
    over: tasks
    denominator: count(*)
    unit: USD/task
    direction: down
    cadence: monthly
    dimensions: [department]
    min_n: 30
    interval: fieller
    leaves_out: Building it.
    pitfall: Joins.
  complaints:
    name: Complaints
    owner: engineer
    question: How many sessions bring a complaint?
    kind: ratio
    fact: sessions
    numerator: sum(has_complaint)
    denominator: count(*)
    per: 1000
    unit: per_1k_sessions
    direction: down
    cadence: weekly
    min_n: 30
    interval: poisson
    leaves_out: Tests.
    pitfall: The will to complain.
  comeback:
    name: Comeback
    owner: head
    question: Who comes back?
    kind: recurrence
    fact: people_days
    member: person_id
    people: true
    where: is_active = 1
    per: week
    at_least: 2
    unit: ratio
    direction: up
    cadence: weekly
    min_n: 5
    interval: wilson
    leaves_out: Leavers.
    pitfall: Trials.
  rightness:
    name: Rightness
    owner: head
    question: How often is it right?
    kind: judged
    fact: verdicts
    numerator: sum(is_right)
    denominator: count(*)
    judge: judge
    labels: labelled
    unit: ratio
    direction: up
    cadence: weekly
    min_n: 30
    interval: judge_corrected
    leaves_out: Tests.
    pitfall: A judge that is believed.
  gain:
    name: Gain
    owner: head
    question: Is it worth it?
    kind: formula
    inputs: {benefit_usd: USD, cost_usd: USD}
    formula: (benefit_usd - cost_usd) / cost_usd
    awaits: the model
    unit: ratio
    direction: up
    cadence: monthly
    interval: exact
    leaves_out: Nothing.
    pitfall: Licences as the only cost.
"""

FACTS = {
    "people_days": {
        "day": "DATE", "person_id": "VARCHAR", "department": "VARCHAR", "is_active": "INTEGER", "product": "VARCHAR",
    },
    "sessions": {
        "day": "DATE", "session_key": "VARCHAR", "use_case": "VARCHAR", "department": "VARCHAR", "sessions": "INTEGER",
        "cost_usd": "DECIMAL(38,12)", "unpriced": "HUGEINT", "model": "VARCHAR", "tokens": "BIGINT",
        "has_complaint": "INTEGER", "cached_share": "DECIMAL(9,6)",
    },
    "requests": {
        "day": "DATE", "latency_s": "DOUBLE", "latency_ms": "DOUBLE", "model": "VARCHAR", "is_batch": "BOOLEAN",
    },
    "incidents": {
        "day": "DATE", "started_at": "TIMESTAMP WITH TIME ZONE", "resolved_at": "TIMESTAMP WITH TIME ZONE",
        "severity": "VARCHAR",
    },
    "answers": {
        "day": "DATE", "is_top2": "INTEGER", "variant": "VARCHAR", "respondent": "VARCHAR", "channel": "VARCHAR",
        "first_order": "VARCHAR",
        "score": "DOUBLE",
    },
    "roster": {"day": "DATE", "department": "VARCHAR", "is_trained": "INTEGER", "person_id": "VARCHAR"},
    "verdicts": {"day": "DATE", "judge": "VARCHAR", "model": "VARCHAR", "is_right": "INTEGER"},
    "labelled": {"day": "DATE", "judge": "VARCHAR", "is_good": "INTEGER", "is_passed": "INTEGER"},
    "tasks": {"day": "DATE", "department": "VARCHAR", "outcome": "VARCHAR", "hours_saved": "DECIMAL(28,9)", "minutes_felt": "DOUBLE", "session_key": "VARCHAR"},
}  # fmt: skip

# Each mistake: what is replaced, by what, the passage the problem stands at (`§` marks the spot), code and message.
MISTAKES = [
    pytest.param(
        "numerator: sum(cost_usd)\n    denominator: sum(sessions)", "numerator: sum(tokens)\n    denominator: sum(sessions)",
        "§unit: USD/session", "C040", "found unit 'USD/session', expected tokens/session for this ratio", id="tokens",
    ),
    pytest.param(
        "    interval: wilson\n    leaves_out: Leavers.\n    pitfall: Trials",
        "    interval: wilson\n    headline: upper_bound\n    leaves_out: Leavers.\n    pitfall: Trials",
        "§headline: upper_bound", "C056", "found headline upper_bound with direction up, expected headline: value",
        id="flattering headline",
    ),
    pytest.param(
        "    interval: exact\n    target: {at_least: 0.20", "    worst_of: product\n    interval: exact\n    target: {at_least: 0.20",
        "§department]\n    people: true\n    min_n: 5\n    worst_of", "C050",
        "found dimension 'department' beside worst_of, expected product alone; other slices would pool it", id="pooled",
    ),
    pytest.param(
        "numerator: sum(has_complaint)", "numerator: sum(cached_share)", "§numerator: sum(cached_share)", "C045",
        "found the sum of cached_share, expected what it was worked out from; shares and percentiles do not add up",
        id="sum of shares",
    ),
    pytest.param(
        "numerator: sum(is_trained)", "numerator: sum(has_complaint)  # joined", "§numerator: sum(has_complaint)  #", "C046",
        "found column 'has_complaint' in numerator, expected a column of roster; a join with sessions would multiply "
        "rows: use kind derived", id="join that multiplies rows",
    ),
    pytest.param(
        "    denominator: count(*)\n    unit: USD/task", "    denominator: count(*) where outcome = 'success'\n"
        "    unit: USD/task", "§denominator: count(*) where", "C047",
        "found a denominator picked by outcome, which says how things ended, expected everything that was started; the "
        "fact leaves out what was never a try", id="failures left out",
    ),
    pytest.param(
        "/ cost_usd\n", "/ costs_usd\n", "§formula:", "C048",
        "found input 'costs_usd' in formula, expected one of benefit_usd, cost_usd, did you mean cost_usd?",
        id="unknown input",
    ),
    pytest.param(
        "cost_usd: USD}", "cost_usd: USD, spare_usd: USD}", "§spare_usd", "C048",
        "found input 'spare_usd', expected inputs the formula uses", id="input nobody uses",
    ),
    pytest.param(
        "cost_usd: USD}", "cost_usd: tokens}", "§formula:", "C040",
        "found USD and token added up in benefit_usd - cost_usd, expected like added to like", id="USD and tokens",
    ),
    pytest.param(
        "formula: (benefit_usd - cost_usd) / cost_usd", "formula: (benefit_usd - cost_usd) * cost_usd",
        "§unit: ratio\n    direction: up\n    cadence: monthly\n    interval: exact\n    leaves_out: N", "C040",
        "found unit 'ratio', expected USD·USD, which the inputs give", id="unit of formula",
    ),
    pytest.param(
        "formula: (benefit_usd - cost_usd) / cost_usd", "formula: __import__('os') / cost_usd", "§formula:", "C031",
        "found formula \"__import__('os')\", expected names, numbers, + - * /, brackets, sum(series), abs(x) or "
        "first(series)", id="formula that is code",
    ),
    pytest.param(
        "    per: 1000\n", "    per: 100\n", "§per: 100\n", "C049", "found per 100, expected 1000, or no per",
        id="per hundred",
    ),
    pytest.param(
        "unit: USD/session\n", "unit: USD/session\n    per: 1000\n", "§per: 1000\n    direction: down\n    cadence: daily",
        "C049", "found per 1000 of sum(cost_usd), expected a count above a count, in per_1k_...s", id="per thousand of USD",
    ),
    pytest.param(
        "unit: per_1k_sessions", "unit: ratio", "§per: 1000", "C049",
        "found per 1000 of a ratio, expected a count above a count, in per_1k_...s", id="fraction per thousand",
    ),
    pytest.param(
        "unit: USD/task", "unit: USD/session", "§unit: USD/session\n    direction: down\n    cadence: monthly", "C040",
        "found unit 'USD/session', expected USD/task for this derived", id="unit of derived",
    ),
    pytest.param(
        "over: tasks", "over: task", "§over: task", "C030",
        "found fact 'task', expected a fact; `roi catalog facts` lists them, did you mean tasks?", id="unknown fact below",
    ),
    pytest.param(
        "    cadence: monthly\n    dimensions: [department]\n    min_n: 30\n    interval: fieller",
        "    cadence: monthly\n    dimensions: [use_case]\n    min_n: 30\n    interval: fieller", "§use_case]", "C034",
        "found dimension 'use_case', expected one of department", id="dimension of one fact only",
    ),
    pytest.param(
        "where: is_active = 1\n    per", "where: is_activ = 1\n    per", "§where: is_activ", "C032",
        "found column 'is_activ' in where, expected one of day, person_id, department, is_active, product, did you mean "
        "is_active?", id="column of a condition",
    ),
    pytest.param(
        "where: is_active = 1\n    per", "where: is_active = (\n    per", "§where: is_active = (", "C031",
        "found where 'is_active = (' after `where`, expected a complete condition", id="condition cut off",
    ),
    pytest.param(
        "at_least: 2\n", "at_least: 1\n", "§at_least: 1", "C012", "found at_least 1, expected at least 2",
        id="once is no comeback",
    ),
    pytest.param(
        "version: 1", "version: 2", "§version: 2", "C012", "found version 2, expected one of 1", id="version",
    ),
    pytest.param(
        "    numerator: sum(is_trained)\n", "    numerater: sum(is_trained)\n", "§numerater:", "C010",
        "found the key 'numerater', expected a key of the record, did you mean numerator?", id="typo in a key",
    ),
    pytest.param(
        "    tier: 3\n", "    tier: 3\n    colour: red\n", "§colour:", "C010",
        "found the key 'colour', expected one of title, layer, tier, question, subscribes", id="unknown key",
    ),
    pytest.param(
        "    start: started_at\n", "    start: started_at\n    cluster: severity\n", "§cluster: severity", "C010",
        "found the key 'cluster', expected a key of ratio, total, mean only", id="key of another kind",
    ),
    pytest.param(
        "at_least: 3, since: 2026-01-01, source", "at_least: 3, sinc: 2026-01-01, source", "§sinc:", "C010",
        "found the key 'sinc', expected one of at_least, at_most, since, source, did you mean since?",
        id="target key",
    ),
    pytest.param(
        "    pitfall: Averages.\n", "", "§speed:", "C011", "found no key 'pitfall', expected it; it is required",
        id="missing key",
    ),
    pytest.param(
        "    kind: snapshot\n", "", "§trained:", "C011",
        f"found no key 'kind', expected one of {', '.join(KINDS)}",
        id="missing kind",
    ),
    pytest.param(
        "kind: percentile", "kind: percentil", "§kind: percentil", "C013",
        f"found 'percentil', expected one of {', '.join(KINDS)}, did you mean percentile?", id="unknown kind",
    ),
    pytest.param(
        "    cadence: weekly\n    dimensions", "    cadence: weakly\n    dimensions", "§cadence: weakly", "C012",
        "found cadence 'weakly', expected one of daily, weekly, monthly, quarterly, did you mean weekly?",
        id="choice",
    ),
    pytest.param(
        "    people: true\n    min_n: 5\n    interval: exact\n    target",
        "    people: no\n    min_n: 5\n    interval: exact\n    target", "§people: no", "C012",
        "found people 'no', expected true or false", id="no is text",
    ),
    pytest.param(
        "min_n: 200", "min_n: 12:30", "§min_n: 12", "C012", "found min_n '12:30', expected a whole number",
        id="12:30 is text",
    ),
    pytest.param(
        "min_n: 200", "min_n: 0", "§min_n: 0", "C012", "found min_n 0, expected at least 1", id="too small",
    ),
    pytest.param(
        "min_n: 200", "min_n: 71", "§min_n: 71", "C053",
        "found min_n 71, and no interval around the 0.95 quantile of fewer than 72 values, expected at least 72, did you "
        "mean min_n: 72?", id="percentile of few",
    ),
    pytest.param(
        "kind: percentile\n    fact: requests\n    value: latency_s\n    percentile: 0.95\n    unit: s\n    direction: down\n"
        "    cadence: daily\n    dimensions: [model]\n    min_n: 200",
        "kind: median\n    fact: tasks\n    value: hours_saved\n    unit: h\n    direction: down\n"
        "    cadence: daily\n    min_n: 5", "direction: down\n    cadence: daily\n    §min_n: 5\n", "C053",
        "found min_n 5, and no interval around the median of fewer than 6 values, expected at least 6, did you mean "
        "min_n: 6?", id="median of few",
    ),
    pytest.param(
        "min_n: 200", "min_n: '200'", "§min_n: '", "C012", "found min_n '200', expected a whole number", id="quoted",
    ),
    pytest.param(
        "min_n: 200", "min_n: true", "§min_n: t", "C012", "found min_n true, expected a whole number", id="flag",
    ),
    pytest.param(
        "tier: 3", "tier: 4", "§tier: 4", "C012", "found tier 4, expected at most 3", id="tier",
    ),
    pytest.param(
        "percentile: 0.95", "percentile: 95", "§percentile: 95", "C012",
        "found percentile 95, expected less than 1, did you mean 0.95?", id="percentile in percent",
    ),
    pytest.param(
        "at_most: 0.05", "at_most: 5%", "§at_most: 5%", "C012", "found at_most '5%', expected a number, did you mean 0.05?",
        id="percent as a number",
    ),
    pytest.param(
        "    direction: down\n    cadence: daily\n    dimensions: [model]",
        "    direction: lower\n    cadence: daily\n    dimensions: [model]", "§direction: lower", "C012",
        "found direction 'lower', expected one of up, down, did you mean down?", id="direction in other words",
    ),
    pytest.param(
        "    unit: s\n", "    unit: $\n", "§unit: $", "C012",
        "found unit '$', expected one of ratio, points, index, score_1_5, count, USD, s, min, h, d, months, or a form "
        "such as USD/session, tokens/call, per_1k_sessions, calls/min, did you mean USD?", id="sign of a currency",
    ),
    pytest.param(
        "    owner: trainer", "    owner: Trainer", "§owner: Trainer", "C012",
        "found owner 'Trainer', expected 2 to 63 lower-case letters, digits and _, a letter first, did you mean trainer?",
        id="owner by title",
    ),
    pytest.param(
        "target: {at_least: 3, since: 2026-01-01, source: a plan}", "target: 3  # points", "§target: 3", "C012",
        "found target 3, expected a side, a day and who says so, such as {at_least: 3, since: 2026-01-31, source: a plan}",
        id="a bare target",
    ),
    pytest.param(
        "total: sum(hours_saved)", "total: count(hours_saved > 0)", "§total: count", "C031",
        "found total count(hours_saved > 0), expected count(*), did you mean count(*) where hours_saved > 0?",
        id="condition inside of count",
    ),
    pytest.param(
        "name: Speed", "name: 1.10", "§name: 1.10", "C012",
        "found name 1.10, expected text; quote it when it looks like a number", id="number as text",
    ),
    pytest.param(
        "name: Speed", "name:", "§name:\n    owner: engineer\n    question: How slow", "C012",
        "found name without a value, expected text; quote it when it looks like a number", id="no value",
    ),
    pytest.param(
        "name: Speed", 'name: "  "', '§name: "  "', "C012", "found name '  ', expected text that is not empty",
        id="blank",
    ),
    pytest.param(
        "name: Speed",
        f"name: {'x' * 401}", "§name: xx", "C012",
        f"found name '{'x' * 58}…, expected at most 400 characters",
        id="too long",
    ),
    pytest.param(
        "name: Speed", 'name: "a\\x1b[31mb"', '§name: "a', "C012",
        "found name 'a\\x1b[31mb', expected one line of text without control characters", id="control character",
    ),
    pytest.param(
        "dimensions: [model]", "dimensions: model", "§dimensions: model", "C012",
        "found dimensions 'model', expected a list, such as [a, b]", id="text for a list",
    ),
    pytest.param(
        "dimensions: [model]", "dimensions: [Model]", "§Model]", "C012",
        "found dimensions 'Model', expected 2 to 63 lower-case letters, digits and _, a letter first",
        id="upper case",
    ),
    pytest.param(
        "  recovery:\n", "  Time to recovery:\n", "§Time to recovery:", "C012",
        "found the id 'Time to recovery', expected 2 to 63 lower-case letters, digits and _, a letter first",
        id="bad id",
    ),
    pytest.param(
        "at_most: 0.05", "at_most: five", "§at_most: five", "C012", "found at_most 'five', expected a number",
        id="word",
    ),
    pytest.param(
        "at_most: 0.05", "at_most: .inf", "§at_most: .inf", "C012", "found at_most '.inf', expected a number",
        id="infinite",
    ),
    pytest.param(
        "      since: 2026-01-01", "      since: 2026-02-30", "§since: 2026-02-30", "C012",
        "found since '2026-02-30', expected a date of the calendar, written as 2026-01-31", id="no such day",
    ),
    pytest.param(
        "      since: 2026-01-01", "      since: 20260101", "§since: 20260101", "C012",
        "found since 20260101, expected a date of the calendar, written as 2026-01-31", id="a number as date",
    ),
    pytest.param(
        "      at_most: 0.05\n", "      at_most: 0.05\n      at_least: 0.01\n", "§target:\n      at_most: 0.05",
        "C014", "found both of at_least and at_most, expected one of the two", id="two sides",
    ),
    pytest.param(
        "      at_most: 0.05\n", "", "§target:\n      since", "C014",
        "found neither of at_least and at_most, expected one of the two", id="no side",
    ),
    pytest.param(
        "    owner: trainer", "    owner: trianer", "§owner: trianer", "C020",
        "found owner 'trianer', expected one of head, engineer, trainer, did you mean trainer?", id="owner",
    ),
    pytest.param(
        "owner: trainer", "owner: no", "§owner: no", "C020",
        "found owner 'no', expected one of head, engineer, trainer", id="owner no",
    ),
    pytest.param(
        "      - adoption\n", "      - adaption\n", "§adaption", "C021",
        "found a subscription to 'adaption', expected a KPI of this catalogue, did you mean adoption?", id="unknown subscription",
    ),
    pytest.param(
        "[cost, speed]", "[cost, hours, speed]", "§hours, speed]", "C022",
        "found a subscription to 'hours', expected KPIs of others; head owns this one and sees it anyway",
        id="own KPI",
    ),
    pytest.param(
        "metrics:\n", "  auditor: {title: Auditor, layer: strategic, tier: 1, question: Is it so?}\n\nmetrics:\n",
        "§auditor:", "C023",
        "found role 'auditor' without a KPI, expected a KPI it owns or subscribes to",
        id="idle role",
    ),
    pytest.param(
        "name: Recovery", "name: sPEED", "§name: sPEED", "C024",
        "found name 'sPEED', expected another one; speed has it already", id="same name",
    ),
    pytest.param(
        "title: Trainer", "title: Head", "§title: Head\n    layer: enablement", "C024",
        "found title 'Head', expected another one; head has it already", id="same title",
    ),
    pytest.param(
        "[use_case, department]", "[use_case, department, use_case]", "§use_case]", "C025",
        "found 'use_case' a second time in dimensions, expected it once", id="listed twice",
    ),
    pytest.param(
        "fact: roster", "fact: rooster", "§fact: rooster", "C030",
        "found fact 'rooster', expected a fact; `roi catalog facts` lists them, did you mean roster?", id="unknown fact",
    ),
    pytest.param(
        "total: sum(hours_saved)", "total: sums(hours_saved)", "§total: sums", "C031",
        "found total sums(hours_saved), expected sum(column), count(*) or distinct(column), each with or without "
        "`where ...`, did you mean sum?", id="bad expression",
    ),
    pytest.param(
        "total: sum(hours_saved)", "total: count(distinct task_id) where hours_saved > 0", "§total: count", "C031",
        "found total 'count(distinct task_id) where hours_saved > 0', expected sum(column), count(*) or "
        "distinct(column), each with or without `where ...`, did you mean distinct(task_id) where hours_saved > 0?",
        id="distinct as SQL writes it",
    ),
    pytest.param(
        "where is_active = 1", "where lower(department) = 'x'", "§numerator: distinct", "C031",
        "found numerator 'LOWER(department)', expected columns and literals joined by = <> < <= > >=, in, is null, "
        "and, or, not", id="function in a condition",
    ),
    pytest.param(
        "    numerator: sum(cost_usd)\n    denominator", "    numerator: sum(cost_us)\n    denominator", "§numerator: sum(cost_us)", "C032",
        "found column 'cost_us' in numerator, expected a column of sessions, did you mean cost_usd?", id="column",
    ),
    pytest.param(
        "where is_active = 1", "where active = 1", "§numerator: distinct", "C032",
        "found column 'active' in numerator, expected one of day, person_id, department, is_active, product, did you mean "
        "is_active?", id="column of a condition",
    ),
    pytest.param(
        "    denominator: distinct(person_id)\n", "    denominator: distinct(person)\n",
        "§denominator: distinct(person)", "C032",
        "found column 'person' in denominator, expected one of day, person_id, department, is_active, product, did you mean "
        "person_id?", id="column of a denominator",
    ),
    pytest.param(
        "where unpriced > 0", "where unprised > 0", "§unknown:", "C032",
        "found column 'unprised' in unknown, expected a column of sessions, did you mean unpriced?",
        id="column of unknown",
    ),
    pytest.param(
        "value: latency_s", "value: latencies", "§value: latencies", "C032",
        "found column 'latencies' in value, expected one of day, latency_s, latency_ms, model, is_batch, did you "
        "mean latency_s?", id="column of value",
    ),
    pytest.param(
        "end: resolved_at", "end: solved_at", "§end: solved", "C032",
        "found column 'solved_at' in end, expected one of day, started_at, resolved_at, severity, did you mean "
        "resolved_at?", id="column of end",
    ),
    pytest.param(
        "start: started_at", "start: start_at", "§start: start_at", "C032",
        "found column 'start_at' in start, expected one of day, started_at, resolved_at, severity, did you mean "
        "started_at?", id="column of start",
    ),
    pytest.param(
        "arm: variant", "arm: varient", "§arm: varient", "C032",
        "found column 'varient' in arm, expected one of day, is_top2, variant, respondent, channel, first_order, score, did you "
        "mean variant?", id="column of arm",
    ),
    pytest.param(
        "first_per: respondent", "first_per: respondant", "§first_per:", "C032",
        "found column 'respondant' in first_per, expected one of day, is_top2, variant, respondent, channel, first_order, "
        "score, did you mean respondent?", id="first_per",
    ),
    pytest.param(
        "cluster: session_key\n    target", "cluster: session\n    target", "§cluster: session\n", "C032",
        "found column 'session' in cluster, expected a column of sessions, did you mean sessions?",
        id="column of cluster",
    ),
    pytest.param(
        "numerator: sum(is_trained)", "numerator: sum(person_id)", "§numerator: sum(person_id)", "C033",
        "found numerator person_id of type VARCHAR, expected whole numbers or DECIMAL; sums of anything else fail "
        "or differ between runs", id="sum of text",
    ),
    pytest.param(
        "total: sum(hours_saved)", "total: sum(minutes_felt)", "§total: sum", "C033",
        "found total minutes_felt of type DOUBLE, expected whole numbers or DECIMAL; sums of anything else fail or "
        "differ between runs", id="sum of floating point",
    ),
    pytest.param(
        "value: latency_s", "value: model", "§value: model", "C033",
        "found value model of type VARCHAR, expected a number", id="percentile of text",
    ),
    pytest.param(
        "end: resolved_at", "end: severity", "§end: severity", "C033",
        "found end severity of type VARCHAR, expected a date or time", id="end is no time",
    ),
    pytest.param(
        "value: is_top2", "value: score", "§value: score", "C033",
        "found value score of type DOUBLE, expected whole numbers or DECIMAL", id="share of floating point",
    ),
    pytest.param(
        "arm: variant", "arm: score", "§arm: score", "C033", "found arm score of type DOUBLE, expected text",
        id="arm type",
    ),
    pytest.param(
        "where is_active = 1", "where is_active = 'yes'", "§numerator: distinct", "C033",
        "found is_active of type INTEGER used as text or a time in numerator, expected a literal of the column's "
        "own type, such as is_active = 1", id="number against text",
    ),
    pytest.param(
        "where is_active = 1", "where is_active", "§numerator: distinct", "C033",
        "found is_active of type INTEGER used as a flag (true or false) in numerator, expected a literal of the "
        "column's own type, such as is_active = 1", id="number as a flag",
    ),
    pytest.param(
        "dimensions: [model]", "dimensions: [modell]", "§modell", "C034",
        "found dimension 'modell', expected one of model, did you mean model?", id="dimension",
    ),
    pytest.param(
        "dimensions: [model]", "dimensions: [latency_s]", "§latency_s]", "C033",
        "found dimension latency_s of type DOUBLE, expected a text column", id="dimension of numbers",
    ),
    pytest.param(
        "[use_case, department]", "[use_case, session_key]", "§session_key]", "C036",
        "found dimension 'session_key', expected a column that groups people or sessions, not one each",
        id="identifying",
    ),
    pytest.param(
        "    people: true\n    min_n: 5\n    interval: exact\n    target",
        "    min_n: 5\n    interval: exact\n    target", "§numerator: distinct", "C051",
        "found numerator of different person_id without people: true, expected people: true, which withholds groups of "
        "fewer than five", id="people not withheld",
    ),
    pytest.param(
        "    people: true\n    min_n: 30\n    interval: newcombe", "    min_n: 30\n    interval: newcombe", "§fact: answers",
        "C051", "found fact answers, whose rows are people or their answers, without people: true, expected "
        "people: true, which withholds groups of fewer than five", id="answers of people not withheld",
    ),
    pytest.param(
        "    fact: answers\n    value: is_top2\n    arm: variant\n    treated: ai\n    control: baseline\n    first_per: respondent\n    unit: points\n    direction: up\n    cadence: monthly\n    dimensions: [channel]",
        "    fact: verdicts\n    value: is_right\n    arm: judge\n    treated: ai\n    control: baseline\n    first_per: model\n    unit: points\n    direction: up\n    cadence: monthly\n    dimensions: []",
        "§fact: verdicts\n    value: is_right", "C032",
        "found fact verdicts without first_order, expected one that tells which row of several came first",
        id="nothing tells what came first",
    ),
    pytest.param(
        "    denominator: distinct(person_id)\n", "    denominator: sum(is_active)\n", "§numerator: distinct", "C035",
        "found distinct(person_id) where is_active = 1 over sum(is_active), expected both distinct over one "
        "column, or neither", id="distinct over sum",
    ),
    pytest.param(
        "    denominator: distinct(person_id)\n", "    denominator: distinct(is_active)\n", "§numerator: distinct",
        "C035",
        "found distinct(person_id) where is_active = 1 over distinct(is_active), expected both distinct over one "
        "column, or neither", id="distinct of two things",
    ),
    pytest.param(
        "total: sum(hours_saved)", "total: distinct(session_key)", "§total: distinct", "C035",
        "found total distinct(session_key), expected sum(column) or count(*), which add up over days",
        id="distinct total",
    ),
    pytest.param(
        "    unit: ratio\n    direction: up\n    cadence: weekly\n    dimensions: [department]",
        "    unknown: count(*) where is_active = 0\n    unit: ratio\n    direction: up\n    cadence: weekly\n"
        "    dimensions: [department]", "§unknown: count(*) where is_active", "C035",
        "found unknown beside distinct(person_id) where is_active = 1, expected it beside sums and counts alone",
        id="unknown beside distinct",
    ),
    pytest.param(
        "    value: latency_s\n", "    value: latency_s\n    unknown: count(*)\n", "§unknown: count(*)\n", "C010",
        "found the key 'unknown', expected a key of ratio, snapshot, total, derived, judged only",
        id="unknown of a kind that leaves it out",
    ),
    pytest.param(
        "    unit: USD/session", "    unit: ratio", "§unit: ratio\n    direction: down", "C040",
        "found unit 'ratio', expected USD/session for this ratio", id="money as ratio",
    ),
    pytest.param(
        "    unit: s\n", "    unit: h\n", "§unit: h\n    direction: down\n    cadence: daily", "C040",
        "found unit 'h', expected s for this percentile", id="unit of percentile",
    ),
    pytest.param(
        "value: latency_s", "value: latency_ms", "§unit: s\n", "C040",
        "found unit 's', expected a column in a unit that KPIs have; latency_ms is in ms", id="milliseconds",
    ),
    pytest.param(
        "    unit: h\n    direction: down", "    unit: s\n    direction: down\n    # hours",
        "§unit: s\n    direction: down\n    # ", "C040", "found unit 's', expected h or d or min for this survival_median",
        id="unit of survival",
    ),
    pytest.param(
        "unit: points", "unit: count", "§unit: count", "C040",
        "found unit 'count', expected points for this difference", id="unit of difference",
    ),
    pytest.param(
        "    unit: h\n    direction: up", "    unit: ratio\n    direction: up",
        "§unit: ratio\n    direction: up\n    cadence: monthly\n    min_n: 30", "C040",
        "found unit 'ratio', expected h for this total", id="unit of total",
    ),
    pytest.param(
        "unit: points", "unit: percent", "§unit: percent", "C012",
        "found unit 'percent', expected one of ratio, points, index, score_1_5, count, USD, s, min, h, d, months, or a "
        "form such as USD/session, tokens/call, per_1k_sessions, calls/min, did you mean ratio?", id="unit that there is not",
    ),
    pytest.param(
        "    total: sum(hours_saved)\n    unit: h\n    direction: up\n    cadence: monthly\n    min_n: 30\n"
        "    interval: clustered\n    cluster: session_key",
        "    total: distinct(session_key)\n    unit: h\n    direction: up\n    cadence: monthly\n    min_n: 30\n"
        "    interval: exact",
        "total: distinct(session_key)\n    §unit: h", "C040",
        "found unit 'h', expected count for this total", id="unit of different members",
    ),
    pytest.param(
        "    judge: judge", "    judge: model", "§labels: labelled", "C052",
        "found labelled, whose model is not there, expected a fact with model: text", id="labels without the judge",
    ),
    pytest.param(
        "labels: labelled", "labels: label", "§labels: label", "C030",
        "found fact 'label', expected a fact; `roi catalog facts` lists them, did you mean labelled?", id="unknown labels",
    ),
    pytest.param(
        "    judge: judge", "    judge: judges", "§judge: judges", "C032",
        "found column 'judges' in judge, expected one of day, judge, model, is_right, did you mean judge?",
        id="unknown judge",
    ),
    pytest.param(
        "at_least: 3,", "at_most: 3,", "§at_most: 3,", "C041",
        "found at_most with direction up, expected at_least, or the other direction", id="wrong side",
    ),
    pytest.param(
        "at_most: 0.05", "at_least: 0.05", "§at_least: 0.05", "C041",
        "found at_least with direction down, expected at_most, or the other direction", id="wrong side, other way",
    ),
    pytest.param(
        "at_least: 0.20", "at_least: 20", "§at_least: 20", "C042",
        "found a target of 20, expected 0 to 1 for ratio, did you mean 0.2?", id="percent as ratio",
    ),
    pytest.param(
        'target: {at_least: 0.20, since: 2026-01-01, source: "a plan"}',
        'earlier_targets: [{at_least: 10, since: 2025-01-01, source: us}]\n'
        '    target: {at_least: 0.20, since: 2026-01-01, source: "a newer plan"}', "§at_least: 10", "C042",
        "found a target of 10, expected 0 to 1 for ratio, did you mean 0.1?", id="an earlier target as percent",
    ),
    pytest.param(
        'since: 2026-01-01, source: "a plan"', 'since: 0026-01-01, source: "a plan"', "§since: 0026", "C054",
        "found since 0026-01-01, expected a day of the years 1990 to 2100", id="a target of the year 26",
    ),
    pytest.param(
        'target: {at_least: 0.20, since: 2026-01-01, source: "a plan"}',
        'earlier_targets:\n      - {at_least: 0.1, since: 2025-06-01, source: us}\n      - {at_least: 0.15, since: '
        '2025-01-01, source: us}\n    target: {at_least: 0.20, since: 2026-01-01, source: "a newer plan"}',
        "§since: 2025-06-01", "C054",
        "found since 2025-06-01 before 2025-01-01, expected the oldest first, and `target` the newest",
        id="earlier targets in no order",
    ),
    pytest.param(
        'target: {at_least: 0.20, since: 2026-01-01, source: "a plan"}',
        'earlier_targets: [{at_least: 0.1, since: 2026-01-01, source: us}]\n'
        '    target: {at_least: 0.20, since: 2026-01-01, source: "a newer plan"}', "§since: 2026-01-01, source: us", "C054",
        "found since 2026-01-01 before 2026-01-01, expected the oldest first, and `target` the newest",
        id="two targets of one day",
    ),
    pytest.param(
        'target: {at_least: 0.20, since: 2026-01-01, source: "a plan"}',
        'earlier_targets: [{at_least: 0.1, since: 2026-01-01, source: us}]', "§earlier_targets", "C054",
        "found earlier_targets without a target, expected the newest of them as `target`", id="only earlier targets",
    ),
    pytest.param(
        'target: {at_least: 0.20, since: 2026-01-01, source: "a plan"}',
        'earlier_targets: {at_least: 0.1, since: 2025-01-01, source: us}\n'
        '    target: {at_least: 0.20, since: 2026-01-01, source: "a newer plan"}', "§earlier_targets", "C012",
        "found earlier_targets with a mapping, expected a list of targets, such as "
        "[{at_least: 2, since: 2025-01-31, source: a plan}]", id="an earlier target that is no list",
    ),
    pytest.param(
        'target: {at_least: 0.20, since: 2026-01-01, source: "a plan"}',
        'earlier_targets: [{at_least: 0.1, sinse: 2025-01-01, since: 2025-01-01, source: us}]\n'
        '    target: {at_least: 0.20, since: 2026-01-01, source: "a newer plan"}', "§sinse", "C010",
        "found the key 'sinse', expected one of at_least, at_most, since, source", id="a key of an earlier target",
    ),
    pytest.param(
        "at_most: 0.05", "at_most: -0.05", "§at_most: -0.05", "C042",
        "found a target of -0.05, expected at least 0 for USD/session", id="negative target",
    ),
    pytest.param(
        "    cluster: session_key\n    target", "    target", "§interval: clustered\n    target", "C043",
        "found interval clustered without cluster, expected cluster: the column that groups rows", id="no cluster",
    ),
    pytest.param(
        "    interval: clustered\n    cluster: session_key\n    target",
        "    interval: exact\n    cluster: session_key\n    target", "§cluster: session_key\n    target", "C043",
        "found cluster with interval exact, expected interval: clustered, or no cluster", id="idle cluster",
    ),
    pytest.param(
        "control: baseline", "control: ai", "§control: ai", "C044",
        "found the same for treated and control, expected two different ones", id="same arms",
    ),
    pytest.param(
        "end: resolved_at", "end: started_at", "§end: started_at", "C044",
        "found the same for start and end, expected two different ones", id="same times",
    ),
    pytest.param(
        "    denominator: count(*)\n    unit: ratio", "    denominator:  sum( is_trained )\n    unit: ratio", "§denominator:  sum", "C044",
        "found the same for numerator and denominator, expected two different ones", id="same measures",
    ),
]  # fmt: skip


def written(folder: Path, text: str) -> Path:
    """The text as a catalogue file."""
    path = folder / "metrics_catalog.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def place(text: str, marked: str) -> str:
    """`file:line:column` of the spot marked with § in the one passage of the text that reads so."""
    before, after = marked.split("§")
    assert text.count(before + after) == 1, f"{marked!r} is not one passage"
    head = text[: text.index(before + after) + len(before)]
    return f"metrics_catalog.yaml:{head.count(chr(10)) + 1}:{len(head) - head.rfind(chr(10))}"


def broken(old: str, new: str) -> str:
    """The good catalogue with its one passage `old` replaced."""
    assert GOOD.count(old) == 1, f"{old!r} stands {GOOD.count(old)} times in the good catalogue"
    return GOOD.replace(old, new)


def test_the_good_catalogue_is_good(tmp_path: Path) -> None:
    """Nothing is wrong with the text that the mistakes are seeded in."""
    catalog = load_checked(written(tmp_path, GOOD), facts=FACTS)
    assert [metric.kind for metric in catalog.metrics.values()] == [
        "ratio", "ratio", "percentile", "survival_median", "difference", "snapshot", "total", "derived", "ratio",
        "recurrence", "judged", "formula",
    ]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "at", "code", "message"), MISTAKES)
def test_one_mistake_gives_one_problem(tmp_path: Path, old: str, new: str, at: str, *, code: str, message: str) -> None:
    """Breaking one thing gives exactly that problem, at its line and column, with its code and message."""
    text = broken(old, new)
    _, problems = examine(written(tmp_path, text), facts=FACTS)
    assert problems == [Problem(place(text, at), code, message)]


def test_what_one_kpi_clusters_by_slices_another(tmp_path: Path) -> None:
    """It tells nobody apart, and refuses no dimension of a KPI that nobody touched; of its own KPI it is none."""
    clustered = "interval: clustered\n    cluster: use_case\n    leaves_out: Tests"
    text = broken("interval: poisson\n    leaves_out: Tests", clustered)
    assert examine(written(tmp_path, text), facts=FACTS)[1] == []
    text = text.replace(clustered, "dimensions: [model, use_case]\n    " + clustered)
    message = "found dimension 'use_case', which is under cluster in this KPI, expected one that groups those"
    wanted = [Problem(place(text, "dimensions: [model, §use_case]"), "C036", message)]
    assert examine(written(tmp_path, text), facts=FACTS)[1] == wanted


def test_an_id_that_no_kpi_counts_is_no_dimension(tmp_path: Path) -> None:
    """And it is not offered as one either."""
    facts = FACTS | {"requests": FACTS["requests"] | {"call_id": "VARCHAR"}}
    text = GOOD.replace("dimensions: [model]", "dimensions: [call_id]")
    expected = "found dimension 'call_id', expected a column that groups people or sessions, not one each"
    assert examine(written(tmp_path, text), facts=facts)[1] == [Problem(place(text, "§call_id]"), "C036", expected)]
    text = GOOD.replace("dimensions: [model]", "dimensions: [caller]")
    told = [one.message for one in examine(written(tmp_path, text), facts=facts)[1]]
    assert told == ["found dimension 'caller', expected one of model"]


@pytest.mark.parametrize(
    ("below", "column"),
    [
        ("sum(is_passed)", "is_passed, which says how things ended"),
        ("count(*) where is_ok = 1", "is_ok, which says how things ended"),
        ("count(*) where not is_ok = 0 and course_hours <= 30", "is_ok, which says how things ended"),
        ("count(*) where course_hours <= 30", "course_hours, how long things took"),
        ("sum(is_due)", None),
        ("count(*) where is_due = 1", None),
    ],
)
def test_a_share_of_what_went_well_is_refused(tmp_path: Path, below: str, column: str | None) -> None:
    """Below the line of a share stands everything that was started, the failed and the slow with the rest."""
    more = dict.fromkeys(("is_passed", "is_ok", "is_due", "course_hours"), "INTEGER")
    facts = FACTS | {"roster": FACTS["roster"] | more}
    text = broken("sum(is_trained)\n    denominator: count(*)", f"sum(is_trained)\n    denominator: {below}")
    expected = "everything that was started; the fact leaves out what was never a try"
    wanted = [
        Problem(
            place(text, "§denominator: " + below),
            "C047",
            f"found a denominator picked by {column}, expected {expected}",
        )
    ]
    assert examine(written(tmp_path, text), facts=facts)[1] == (wanted if column else [])


@pytest.mark.parametrize(
    ("above", "below", "message"),
    [
        ("sum(course_hours)", "sum(paid_hours)",
         "found interval wilson of sum(course_hours), expected counts of things; clustered goes with sums of amounts"),
        ("count(*) where is_trained = 1", "count(*) where is_due = 1",
         "found count(*) where is_trained = 1, which counts a row of is_due 0 that the denominator leaves out, expected a "
         "part of it: where ... and is_due = 1"),
        ("sum(is_trained)", "count(*) where is_due = 1",
         "found sum(is_trained), which counts a row of is_due 0 that the denominator leaves out, expected a part of it: "
         "where ... and is_due = 1"),
        ("count(*) where department <> 'x'", "count(*) where department = 'y' or is_due = 1",
         "found count(*) where department <> 'x', which counts a row of department 'other' and is_due 0 that the "
         "denominator leaves out, expected a part of it: where ... and (department = 'y' or is_due = 1)"),
        ("count(*)", "count(*) where department is not null",
         "found count(*), which counts a row of department null that the denominator leaves out, expected a part of it: "
         "where ... and department is not null"),
        ("count(*) where hired_on >= '2026-01-01'", "count(*) where hired_on > '2026-01-01'",
         "found count(*) where hired_on >= '2026-01-01', which counts a row of hired_on '2026-01-01' that the denominator "
         "leaves out, expected a part of it: where ... and hired_on > '2026-01-01'"),
        ("count(*) where department = 'x'", "count(*) where department = 'x' or department = 'y'", ""),
        ("count(*) where department = 'x'", "count(*) where department in ('x', 'y')", ""),
        ("count(*) where department in ('x', 'y') and is_due = 1", "count(*) where department in ('y', 'x')", ""),
        ("count(*) where department = 'x'", "count(*) where department <> 'y'", ""),
        ("count(*) where department = 'x'", "count(*) where department is not null", ""),
        ("count(*) where (department = 'x' or department = 'y') and is_due = 1",
         "count(*) where department = 'y' or department = 'x'", ""),
        ("count(*) where day > '2026-01-02'", "count(*) where day >= '2026-01-02'", ""),
        ("count(*) where hired_on > '2026-01-01'", "count(*) where hired_on >= '2026-01-02'", ""),
        ("count(*) where paid > 0.5", "count(*) where paid >= 1",
         "found count(*) where paid > 0.5, which counts a row of paid 0.75 that the denominator leaves out, expected a part "
         "of it: where ... and paid >= 1"),
        ("sum(is_due)", "count(*) where is_due = 1", ""),
        ("distinct(person_id)", "distinct(person_id) where person_id is not null", ""),
        ("count(*) where is_due = 1 and is_trained = 1", "count(*) where is_due = 1", ""),
        ("sum(is_trained) where is_due = 1", "sum(is_due) where is_due = 1", ""),
        ("sum(is_trained)", "sum(is_due)", ""),
    ],
)  # fmt: skip
def test_a_binomial_interval_is_around_a_part_of_a_whole(tmp_path: Path, above: str, below: str, message: str) -> None:
    """Hours are no trials, and successes are some of the trials."""
    facts = FACTS | {"roster": FACTS["roster"] | dict.fromkeys(("is_due", "course_hours", "paid_hours"), "INTEGER")
             | {"hired_on": "DATE", "paid": "DECIMAL(9,2)"}}  # fmt: skip
    exact, wilson = (f"interval: {one}\n    leaves_out: Leavers.\n    pitfall: Old" for one in ("exact", "wilson"))
    old = "kind: snapshot\n    fact: roster\n    numerator: sum(is_trained)\n    denominator: count(*)"
    new = f"kind: ratio\n    fact: roster\n    numerator: {above}\n    denominator: {below}"
    text = broken(old, new).replace(exact, wilson)
    at = "§" + (wilson if "interval" in message else f"numerator: {above}")
    wanted = [Problem(place(text, at), "C055", message)] if message else []
    assert examine(written(tmp_path, text), facts=facts)[1] == wanted


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("numerator: sum(has_complaint)\n    denominator: count(*)\n    per: 1000\n    unit: per_1k_sessions",
         "numerator: sum(has_complaint)\n    denominator: count(*)\n    unit: ratio",
         "found interval poisson of sum(has_complaint) over count(*), a share, expected wilson, clopper_pearson or clustered"),
        ("numerator: sum(has_complaint)\n    denominator: count(*)\n    per: 1000\n    unit: per_1k_sessions",
         "numerator: sum(unpriced)\n    denominator: count(*)\n    unit: ratio", ""),
        ("numerator: sum(has_complaint)\n    denominator: count(*)\n    per: 1000\n    unit: per_1k_sessions",
         "numerator: sum(cost_usd)\n    denominator: count(*)\n    unit: USD/session",
         "found interval poisson of sum(cost_usd), expected counts of things; clustered goes with sums of amounts"),
        ("interval: clustered\n    cluster: session_key\n    leaves_out: Claims", "interval: poisson\n    leaves_out: Claims",
         "found interval poisson of sum(hours_saved), expected counts of things; clustered goes with sums of amounts"),
    ],
)  # fmt: skip
def test_an_interval_of_events_is_around_events(tmp_path: Path, old: str, new: str, message: str) -> None:
    """A share has trials, and hours and money are no events; how often something happened by session is a rate."""
    text = broken(old, new)
    at = "§interval: poisson\n    leaves_out: " + ("Claims" if "hours" in message else "Tests")
    wanted = [Problem(place(text, at), "C055", message)] if message else []
    assert examine(written(tmp_path, text), facts=FACTS)[1] == wanted


def test_a_grid_that_is_too_large_says_nothing() -> None:
    """Whether a condition is a part of another is asked of few rows, or not at all."""
    names = [f"c{number}" for number in range(12)]
    above, below = (" and ".join(f"{name} = {value}" for name in names) for value in (1, 2))
    assert counterexample(above, "c0 = 2", dict.fromkeys(names, "whole number")) is None
    assert counterexample("c0 = 1", below, {"c0": "whole number"}) is None


@pytest.mark.parametrize(
    ("above", "below", "row"),
    [
        ("whole >= 2", "whole > 1", {}), ("broken >= 2", "broken > 1", {}),
        ("broken > 1", "broken >= 2", {"broken": "1.5"}), ("whole > 1", "whole >= 2", {}),
        ("whole < other", "other > whole", {}), ("whole <= other", "whole < other", {"whole": "-2", "other": "-2"}),
        ("whole < other and other < 5", "whole < 4", {}), ("one = two and two = 'x'", "one = 'x'", {}),
        ("one <> two", "one < two", {"one": "'other'", "two": "''"}), ("not flag", "flag = false", {}),
        ("flag is null", "flag", {"flag": "null"}), ("one > 'a'", "one > 'b'", {"one": "'b'"}),
        ("at > '2026-01-01'", "at > '2026-01-02'", {"at": "'2026-01-01 12:00:00'"}),
        ("day > '2026-01-01'", "day >= '2026-01-02'", {}), ("at > '2026-01-01'", "at >= '2026-01-02'", {"at": "'2026-01-01 12:00:00'"}),
        ("day > '2026-01-01'", "day > '2026-01-02'", {"day": "'2026-01-02'"}),
        ("is_it <> 0", "is_it = 1", {}), ("whole <> 0", "whole = 1", {"whole": "-1"}),
        ("whole > -1", "whole >= 0", {}), ("whole = 'x'", "whole = 1", {}), ("at > 'soon'", "at is null", {}),
    ],
)  # fmt: skip
def test_a_row_is_found_when_there_is_one(above: str, below: str, row: dict[str, str]) -> None:
    """Of which one condition holds and another does not: at a literal, beside it, between two, or null."""
    families = {"whole": "whole number", "other": "whole number", "is_it": "whole number", "broken": "number",
                "one": "text", "two": "text", "flag": "flag", "at": "time", "day": "day"}  # fmt: skip
    found = counterexample(above, below, families) or {}
    assert {name: shown(value) for name, value in found.items()} == row


def test_a_quantile_of_tokens_is_by_what_a_row_is(tmp_path: Path) -> None:
    """Tokens have no unit by themselves; a mean, median or percentile of them is one of tokens by row."""
    facts = FACTS | {"requests": FACTS["requests"] | {"tokens_in": "BIGINT"}}
    text = broken("value: latency_s", "value: tokens_in")
    message = "found unit 's', expected tokens/request for this percentile"
    assert examine(written(tmp_path, text), facts=facts)[1] == [Problem(place(text, "§unit: s\n"), "C040", message)]
    assert examine(written(tmp_path, text.replace("unit: s\n", "unit: tokens/request\n")), facts=facts)[1] == []


def test_an_odd_year_of_an_earlier_target_is_told_once(tmp_path: Path) -> None:
    """Where it stands among the others follows from the year."""
    target = 'target: {at_least: 0.20, since: 2026-01-01, source: "a plan"}'
    earlier = "{at_least: 0.1, since: 2025-01-01, source: us}, {at_least: 0.1, since: 2205-06-01, source: us}"
    text = broken(target, f"earlier_targets: [{earlier}]\n    {target}")
    message = "found since 2205-06-01, expected a day of the years 1990 to 2100"
    assert examine(written(tmp_path, text), facts=FACTS)[1] == [Problem(place(text, "§since: 2205"), "C054", message)]


def test_grades_of_a_ranking_are_no_scores(tmp_path: Path) -> None:
    """Scores are numbers of any kind, grades whole ones: the two swapped are no ranking."""
    facts = FACTS | {"requests": FACTS["requests"] | {"query": "VARCHAR", "score": "DOUBLE", "grade": "BIGINT"}}
    ranking = "kind: ranking\n    fact: requests\n    measure: nDCG@10\n    query: query\n    document: model\n    "
    text = GOOD.replace("interval: order_statistics", "interval: clustered").replace("unit: s\n", "unit: index\n")
    text = text.replace(
        "kind: percentile\n    fact: requests\n    value: latency_s\n    percentile: 0.95\n    ", ranking
    )
    text = text.replace("    dimensions: [model]\n", "")
    good = text.replace("nDCG@10\n", "nDCG@10\n    score: score\n    grade: grade\n")
    bad = text.replace("nDCG@10\n", "nDCG@10\n    score: grade\n    grade: score\n")
    assert examine(written(tmp_path, good), facts=facts)[1] == []
    message = "found grade score of type DOUBLE, expected whole numbers or DECIMAL"
    assert examine(written(tmp_path, bad), facts=facts)[1] == [Problem(place(bad, "§grade: score"), "C033", message)]


def test_what_a_success_costs_counts_failures_above_the_line(tmp_path: Path) -> None:
    """Money by successes is no share: the failed ones cost as well, and are in the sum."""
    facts = FACTS | {"tasks": FACTS["tasks"] | {"is_success": "INTEGER"}}
    text = broken(
        "    denominator: count(*)\n    unit: USD/task", "    denominator: sum(is_success)\n    unit: USD/task"
    )
    assert examine(written(tmp_path, text), facts=facts)[1] == []


def test_mistakes_of_one_kpi_are_told_at_once(tmp_path: Path) -> None:
    """A key that cannot be read hides no mistake elsewhere in the KPI, and is told once itself."""
    text = GOOD
    for old, new in (
        ("    cadence: weekly\n    dimensions: [department]", "    cadence: hourly\n    dimensions: [department]"),
        ("denominator: distinct(person_id)\n    unit: ratio", "denominator: distinct(person)\n    unit: ratio"),
        ("    name: Adoption\n    owner: head", "    owner: haed"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    _, problems = examine(written(tmp_path, text), facts=FACTS)
    assert [one.code for one in problems] == ["C011", "C020", "C032", "C012"]
    assert [one.where for one in problems[1:]] == [
        place(text, mark) for mark in ("    §owner: haed", "    §denominator: distinct(person)", "    §cadence: hourly")
    ]
