"""A generated warehouse: the canonical tables filled in SQL, set by set, from nothing but a scale and a range of days.

Every value is a function of the number of its row, so the same scale gives the same rows (on one version of DuckDB,
whose `hash` it is), and the rows of a day do not depend on which days are filled with it: a year and then one more day
is what 366 days at once are. The proportions are those of a busy organisation: about five calls per session (a request,
a model and mostly a tool per turn), a person per thousand calls a year, quiet weekends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

NEW_DAY = date(2026, 1, 6)
"""The day after every history, a Tuesday: the nights measured are those of working days, however long the history."""
WEEKEND = 0.25
"""Sessions of a Saturday or Sunday, as a share of a working day's."""
TURNS = {1: 0.5, 2: 0.3, 3: 0.2}
TOOL_SHARE = 0.94
CALLS_PER_SESSION = sum(turns * share for turns, share in TURNS.items()) * (2 + TOOL_SHARE)  # 1.7 * 2.94 = 4.998

MODELS = {
    "aurora-large": "aurora", "aurora-small": "aurora", "aurora-mini": "aurora", "borealis-4": "borealis",
    "borealis-4-fast": "borealis", "borealis-3": "borealis", "cirrus-pro": "cirrus", "cirrus-lite": "cirrus",
}  # fmt: skip
USE_CASES = ("claims", "code_help", "contracts", "onboarding", "search", "support")
DEPARTMENTS = ("engineering", "finance", "hr", "it", "legal", "operations", "sales", "support")
REGIONS = ("americas", "apac", "dach", "nordics")
TOOLS = tuple(f"tool_{number:02}" for number in range(10))
SERVICES = ("assistant", "gateway", "rag", "search", "voice")
TOPICS = ("access", "billing", "delivery", "login", "other", "refund")
CHANNELS = ("api", "chat", "mail", "web")
TOKEN_CLASSES = {"in_uncached": 1.0, "cache_read": 0.1, "cache_write_5m": 1.25, "cache_write_1h": 2.0, "out": 5.0}
"""Price of a token of each class, as a multiple of an input token's."""


@dataclass(frozen=True)
class Scale:
    """How much there is: about so many calls, spread over so many days."""

    calls: int
    days: int = 365

    @property
    def first_day(self) -> date:
        """Day number 0, so that the last day is the one before `NEW_DAY`."""
        return NEW_DAY - timedelta(days=self.days)

    @property
    def people(self) -> int:
        """One person per thousand calls a year, forty at least."""
        return max(40, round(self.calls / self.days * 365 / 1000))

    def stretched(self, days: int) -> Scale:
        """The same traffic per day over another number of days."""
        return Scale(round(self.calls * days / self.days), days)

    def plan(self, first: int, count: int) -> list[tuple[date, int, int]]:
        """(day, number of its first session, sessions) of `count` days from day number `first` on."""
        weekly = (5 + 2 * WEEKEND) / 7
        busy = self.calls / CALLS_PER_SESSION / self.days / weekly
        begun, planned = 0, []
        for number in range(first + count):
            day = self.first_day + timedelta(days=number)
            sessions = round(busy * (WEEKEND if day.weekday() >= 5 else 1))
            planned.append((day, begun, sessions))
            begun += sessions
        return planned[first:]


def fill_standing(con: duckdb.DuckDBPyConnection, scale: Scale, *, load: int = 1) -> None:
    """Fill what does not come day by day: people, their other names, seats, training and prices."""
    _begin(con, scale)
    for table, query in _STANDING.items():
        _insert(con, table, query, load=load, file="'standing'", line="i")


def fill_days(con: duckdb.DuckDBPyConnection, scale: Scale, *, first: int, count: int, load: int = 1) -> None:
    """Fill what happened on `count` days from day number `first` on."""
    _begin(con, scale)
    con.execute("CREATE OR REPLACE TEMP TABLE plan(day DATE, begun BIGINT, sessions BIGINT)")
    con.executemany("INSERT INTO plan VALUES (?, ?, ?)", scale.plan(first, count))
    con.execute(f"CREATE OR REPLACE TEMP TABLE made AS {_sessions(scale)}")
    for table, query in _daily(scale):
        _insert(con, table, query, load=load, file="sha256(day::VARCHAR)", line="i")
    con.execute("DROP TABLE made")


def _begin(con: duckdb.DuckDBPyConnection, scale: Scale) -> None:
    """Tell the queries below how many people there are, and which day is number 0."""
    con.execute(f"SET VARIABLE since = DATE '{scale.first_day}'")
    con.execute(f"CREATE OR REPLACE TEMP TABLE staff AS SELECT range AS i FROM range({scale.people})")


def _insert(con: duckdb.DuckDBPyConnection, table: str, query: str, *, load: int, file: str, line: str) -> None:
    """Insert the columns of `query` and where they come from; it also gives `i` and `day`, which are not stored."""
    con.execute(
        f"INSERT INTO core.{table} BY NAME SELECT * EXCLUDE (i, day), {file} AS _file, {line} AS _line, "
        f"{load} AS _load_id FROM ({query})"
    )


def _unit(salt: int, index: str = "i") -> str:
    """A number in [0, 1) of a row. One argument to `hash`: with two, the second one hardly changes the result."""
    return f"((hash({index} * 1024 + {salt}) >> 11) / 9007199254740992.0)"


def _normal(salt: int, index: str = "i") -> str:
    """Standard normal (Box & Muller 1958, Ann. Math. Statist. 29:610)."""
    return f"sqrt(-2 * ln(1 - {_unit(salt, index)})) * cos(2 * pi() * {_unit(salt + 1, index)})"


def _list(values: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{value}'" for value in values) + "]"


def _values(rows: Iterable[tuple[object, ...]]) -> str:
    """Rows of a VALUES list."""
    return ", ".join(f"({', '.join(repr(one) for one in row)})" for row in rows)


def _pick(values: tuple[str, ...], salt: int, index: str = "i", *, skew: float = 1.6) -> str:
    """One of the values; the first ones are picked more often, the more so the greater `skew`."""
    return f"{_list(values)}[1 + CAST(floor({len(values)} * pow({_unit(salt, index)}, {skew})) AS INTEGER)]"


def _id(salt: int, index: str = "i") -> str:
    """Sixteen hexadecimal digits, as tracing systems number spans."""
    return f"to_hex(hash({index} * 1024 + {salt}))"


def _person(number: str, kind: str = "person") -> str:
    """Thirty-two hexadecimal digits, as a pseudonym has."""
    return f"md5('{kind}' || {number})"


def _at(seconds: str, day: str = "day") -> str:
    return f"to_timestamp(epoch({day}) + {seconds})"


_SINCE = "getvariable('since')"
_STANDING = {
    "people": f"""
        SELECT i, NULL AS day, {_person("i")} AS person_id, {_SINCE} - 400 + 400 * part AS valid_from,
          CASE WHEN part = 0 AND moves THEN {_SINCE}
               WHEN {_unit(2)} < 0.03 THEN {_SINCE} + CAST(800 * {_unit(3)} AS INTEGER) END AS valid_to,
          {_pick(DEPARTMENTS, 4, "(i + part)")} AS department, {_pick(REGIONS, 5)} AS region,
          {_unit(6)} < 0.4 AS is_technical, {_unit(7)} < 0.01 AS is_service_account
        FROM (SELECT i, {_unit(1)} < 0.02 AS moves, unnest([0, 1]) AS part FROM staff) WHERE part = 0 OR moves""",
    "identities": f"""
        SELECT i, NULL AS day, {_person("i", "login")} AS alias_id, {_person("i")} AS person_id FROM staff""",
    "entitlements": f"""
        SELECT i, NULL AS day, {_person("i")} AS person_id, product,
          {_SINCE} - CAST(60 * {_unit(11)} AS INTEGER) AS valid_from,
          CASE WHEN {_unit(12)} < 0.05 THEN {_SINCE} + CAST(800 * {_unit(13)} AS INTEGER) END AS valid_to
        FROM staff, (VALUES ('assistant', 0.95), ('copilot', 0.5)) AS products(product, share)
        WHERE {_unit(14)} < share""",
    "training": f"""
        SELECT i, NULL AS day, {_person("i")} AS person_id, course AS course_id, 1 AS attempt, TRUE AS is_required,
          {_SINCE} + CAST(60 * {_unit(21)} AS INTEGER) AS assigned_at,
          CASE WHEN done THEN assigned_at + CAST(40 * {_unit(22)} AS INTEGER) END AS completed_at,
          CASE WHEN done THEN 'completed' ELSE 'assigned' END AS status, completed_at + 365 AS valid_to
        FROM (SELECT i, course, {_unit(23)} < share AS done
              FROM staff, (VALUES ('privacy', 0.97), ('prompting', 0.9)) AS courses(course, share))""",
    "prices": f"""
        SELECT i, NULL AS day, provider, model, token_class, 'standard' AS tier_rule, valid_from, 'token' AS unit,
          CAST(multiple * 1e-6 * (0.2 + i) / part AS DECIMAL(24, 12)) AS price, 'USD' AS currency
        FROM (VALUES {_values((i, provider, model) for i, (model, provider) in enumerate(MODELS.items()))})
            AS models(i, provider, model),
          (VALUES {_values(TOKEN_CLASSES.items())}) AS classes(token_class, multiple),
          (VALUES (1, {_SINCE} - 365), (2, {_SINCE} + 183)) AS d(part, valid_from)""",
}  # fmt: skip


def _sessions(scale: Scale) -> str:
    """One row per session of the planned days, with what its calls, tasks and judgements take from it."""
    turns = f"CASE WHEN {_unit(31)} < {TURNS[1]} THEN 1 WHEN {_unit(31)} < {TURNS[1] + TURNS[2]} THEN 2 ELSE 3 END"
    person = f"CAST(floor({scale.people} * pow({_unit(32)}, 1.5)) AS BIGINT)"
    return f"""
        SELECT i, day, {_id(33)} AS session_id, {turns} AS turns,
          {_at(f"25200 + 43200 * {_unit(34)}")} AS started_at,
          CASE WHEN {_unit(35)} < 0.5 THEN {_person(person, "login")} ELSE {_person(person)} END AS person_id,
          {_pick(USE_CASES, 36)} AS use_case_id, {_pick(CHANNELS, 37)} AS channel,
          CASE WHEN {_unit(38)} < 0.03 THEN 'staging' ELSE 'production' END AS environment
        FROM (SELECT day, unnest(range(begun, begun + sessions)) AS i FROM plan)"""


def _daily(scale: Scale) -> list[tuple[str, str]]:
    """(table, query) of what happens from day to day, each query with `i` and `day`."""
    return [
        ("sessions", _SESSION_ROWS), ("calls", _CALLS), ("tasks", _TASKS),
        ("scores", _scores("grounded", 0.1, 61, _GROUNDED)), ("scores", _scores("safety_flag", 0.3, 66, _FLAGGED)),
        ("scores", _scores("safety_violation", 0.05, 131, _VIOLATED, by="human")),
        ("feedback", _feedback("csat", 0.03, 91, "1 + floor(5 * sqrt({0}))")),
        ("feedback", _feedback("nps", 0.02, 136, "floor(11 * sqrt({0}))")),
        ("feedback", _feedback("report", 0.005, 141, "NULL")),
        ("usage_daily", _usage(scale)), ("contacts", _contacts(scale)),
        ("training", _REFRESHERS), ("incidents", _INCIDENTS), ("deployments", _DEPLOYMENTS),
        ("availability", _AVAILABILITY),
    ]  # fmt: skip


_SESSION_ROWS = f"""
    SELECT i, day, session_id, person_id, use_case_id, channel, started_at, environment, FALSE AS is_synthetic,
      started_at + INTERVAL 90 SECOND * turns AS ended_at, {_pick(("answers", "drafts", "summaries"), 39)} AS feature
    FROM made"""

_TURN = "(i * 4 + turn)"
_CALL = f"({_TURN} * 4 + part)"
_MODEL = f"(1 + CAST(floor({len(MODELS)} * pow({_unit(41, _TURN)}, 1.6)) AS INTEGER))"
_FAILS = _unit(42, _CALL)
# Each turn is a request (part 0), which makes one call of a model (1) and mostly one of a tool (2).
_CALLS = f"""
    SELECT i, day, {_id(43, _CALL)} AS call_id, {_id(44, _TURN)} || {_id(45, _TURN)} AS trace_id,
      CASE WHEN part > 0 THEN {_id(43, f"({_TURN} * 4)")} END AS parent_call_id, session_id, person_id,
      ['request', 'model', 'tool'][part + 1] AS kind, 'user' AS purpose, environment,
      turn_at + INTERVAL 50 MILLISECOND * part AS started_at, seconds * [1.0, 0.7, 0.2][part + 1] AS latency_s,
      started_at + to_microseconds(CAST(1e6 * latency_s AS BIGINT)) AS ended_at,
      CASE WHEN part = 1 THEN 120 + 900 * {_unit(46, _CALL)} END AS ttft_ms,
      CASE WHEN part < 2 THEN {_list(tuple(MODELS.values()))}[model_number] END AS provider,
      CASE WHEN part < 2 THEN {_list(tuple(MODELS))}[model_number] END AS model,
      CASE WHEN part = 1 THEN 'standard' END AS service_tier, FALSE AS is_batch,
      CASE WHEN part = 1 THEN 150 + CAST(3000 * pow({_unit(47, _CALL)}, 2) AS BIGINT) END AS tokens_in_uncached,
      CASE WHEN part = 1 THEN greatest(0, CAST(9000 * {_unit(48, _CALL)} - 4000 AS BIGINT)) END AS tokens_cache_read,
      CASE WHEN part = 1 THEN greatest(0, CAST(3000 * {_unit(49, _CALL)} - 2000 AS BIGINT)) END
        AS tokens_cache_write_5m,
      CASE WHEN part = 1 THEN 0 END AS tokens_cache_write_1h,
      CASE WHEN part = 1 THEN 20 + CAST(900 * pow({_unit(50, _CALL)}, 2) AS BIGINT) END AS tokens_out,
      CASE WHEN part = 1 THEN {_unit(51, _CALL)} < 0.05 END AS response_cache_hit,
      CASE WHEN {_FAILS} < 0.012 THEN 'error' WHEN {_FAILS} < 0.015 THEN 'timeout' WHEN {_FAILS} < 0.02 THEN 'cancelled'
           ELSE 'ok' END AS status,
      CASE WHEN {_FAILS} < 0.012 THEN 'upstream' END AS error_type,
      CASE WHEN part = 1 THEN CASE WHEN {_FAILS} < 0.012 THEN 500 ELSE 200 END END AS http_status,
      CASE WHEN part = 1 THEN use_case_id || '_answer' END AS prompt_name,
      CASE WHEN part = 1 THEN 'v' || (date_diff('month', {_SINCE}, day) + 1) END AS prompt_version,
      CASE WHEN part = 2 THEN {_pick(TOOLS, 52, _CALL)} END AS tool_name
    FROM (
      SELECT * EXCLUDE (started_at), {_MODEL} AS model_number, started_at + INTERVAL 90 SECOND * turn AS turn_at,
        least(60, exp(0.3 + 0.6 * {_normal(53, _TURN)})) AS seconds, unnest([0, 1, 2]) AS part
      FROM (SELECT * EXCLUDE (turns), unnest(range(turns)) AS turn FROM made)
    )
    WHERE part < 2 OR {_unit(55, _TURN)} < {TOOL_SHARE}"""

_TASKS = f"""
    SELECT i, day, {_id(56)} AS task_id, session_id, use_case_id, started_at,
      started_at + to_microseconds(CAST(6e7 * (2 + 20 * {_unit(57)}) AS BIGINT)) AS ended_at,
      CASE WHEN {_unit(58)} < 0.7 THEN 'success' ELSE 'failure' END AS outcome,
      CASE WHEN {_unit(59)} < 0.4 THEN 'verified' ELSE 'self_reported' END AS outcome_source,
      CAST(15 + 20 * {_unit(60)} AS DECIMAL(18, 6)) AS baseline_minutes
    FROM made WHERE {_unit(54)} < 0.6"""


_GROUNDED = "CASE WHEN {0} < 0.9 THEN 'grounded' WHEN {0} < 0.97 THEN 'ungrounded' ELSE 'no_claims' END"
_FLAGGED = "CASE WHEN {0} < 0.004 THEN 'flagged' ELSE 'clean' END"
_VIOLATED = "CASE WHEN {0} < 0.001 THEN 'violation_high' WHEN {0} < 0.005 THEN 'violation_low' ELSE 'none' END"


def _scores(metric: str, share: float, salt: int, label: str, *, by: str = "model") -> str:
    """Judgements of a share of the sessions; `label` is SQL with `{0}` for a number in [0, 1)."""
    return f"""
        SELECT i, day, {_id(salt)} AS score_id, 'session' AS target_type, session_id AS target_id, use_case_id,
          '{metric}' AS metric, {label.format(_unit(salt + 1))} AS label,
          CASE WHEN {_unit(salt + 2)} < 0.2 THEN 'human' ELSE '{by}' END AS evaluator_kind,
          started_at + INTERVAL 1 HOUR AS created_at
        FROM made WHERE environment = 'production' AND {_unit(salt + 3)} < {share}"""


def _usage(scale: Scale) -> str:
    """A row for whoever used a product that day, and a few for people who only had it open."""
    row = f"((date_diff('day', {_SINCE}, day) * {scale.people} + person) * 2 + place)"
    keen = f"pow({_unit(71, 'person')}, 2) * CASE WHEN isodow(day) > 5 THEN {WEEKEND} ELSE 1 END"
    return f"""
        SELECT {row} AS i, day, {_person("person")} AS person_id, product, 'all' AS feature, day AS date,
          {_unit(72, row)} < {keen} AS active, CAST(12 * {_unit(73, row)} AS BIGINT) AS prompts,
          'full' AS telemetry_level
        FROM (SELECT day, i AS person, product, place FROM plan, staff,
              (VALUES ('assistant', 0), ('copilot', 1)) AS products(product, place))
        WHERE {_unit(72, row)} < {keen} + 0.03"""


_DAY_NUMBER = f"date_diff('day', {_SINCE}, day)"
_REFRESHERS = f"""
    SELECT i, day, {_person("i")} AS person_id, 'refresher' AS course_id, 1 + {_DAY_NUMBER} // 365 AS attempt,
      TRUE AS is_required, day AS assigned_at, CASE WHEN done THEN day END AS completed_at,
      CASE WHEN done THEN 'completed' ELSE 'assigned' END AS status, completed_at + 400 AS valid_to
    FROM (SELECT i, day, {_unit(24)} < 0.95 AS done FROM plan, staff WHERE i % 365 = {_DAY_NUMBER} % 365)"""


def _contacts(scale: Scale) -> str:
    """A contact with support per ten sessions, from customers of whom many come back."""
    customer = f"CAST(floor({scale.people * 20} * pow({_unit(81)}, 1.3)) AS BIGINT)"
    return f"""
        SELECT i, day, {_id(82)} AS contact_id, {_person(customer, "customer")} AS requester_id,
          {_pick(TOPICS, 83)} AS topic, {_pick(CHANNELS, 84)} AS channel, started_at AS created_at,
          {_unit(85)} < 0.95 AS is_eligible, {_unit(86)} < 0.7 AS ai_involved,
          CASE WHEN {_unit(86)} < 0.7 THEN {_unit(90)} < 0.6 END AS ai_claimed_resolved,
          CASE WHEN {_unit(87)} < 0.5 THEN started_at + INTERVAL 20 MINUTE END AS first_human_reply_at,
          started_at + INTERVAL 5 HOUR AS solved_at, CASE WHEN {_unit(88)} < 0.05 THEN 1 ELSE 0 END AS reopens,
          CAST(30 * {_unit(89)} AS DECIMAL(18, 6)) AS handle_minutes
        FROM made WHERE i % 10 = 0"""


def _feedback(kind: str, share: float, salt: int, score: str) -> str:
    """Answers about a share of the sessions; `score` is SQL with `{0}` for a number in [0, 1)."""
    return f"""
        SELECT i, day, {_id(salt)} AS feedback_id, person_id, session_id, '{kind}' AS kind,
          CAST({score.format(_unit(salt + 1))} AS DOUBLE) AS score, {10 if kind == "nps" else 5} AS scale_max, channel,
          CASE WHEN {_unit(salt + 2)} < 0.6 THEN 'ai' ELSE 'baseline' END AS variant,
          {_unit(salt + 3)} < 0.5 AS confirmed,
          started_at + INTERVAL 10 MINUTE AS responded_at
        FROM made WHERE {_unit(salt + 4)} < {share}"""


_PER_SERVICE = f"""
    SELECT day, service, place, number, (date_diff('day', {_SINCE}, day) * 200 + place * 24 + number) AS i
    FROM plan, (VALUES {_values(zip(SERVICES, range(len(SERVICES)), strict=True))}) AS s(service, place),
      range(24) AS n(number)"""
_INCIDENTS = f"""
    SELECT * EXCLUDE (lasting) FROM (SELECT i, day, {_id(101)} AS incident_id, service,
      {_pick(("sev3", "sev2", "sev4", "sev1"), 102)} AS severity, 'outage' AS category,
      {_at(f"3600 * number + 3000 * {_unit(103)}")} AS impact_start_at,
      to_microseconds(CAST(6e7 * exp(3.5 + {_normal(105)}) AS BIGINT)) AS lasting,
      impact_start_at + lasting * 0.2 AS detected_at,
      CASE WHEN {_unit(104)} < 0.995 THEN impact_start_at + lasting END AS resolved_at,
      CASE WHEN resolved_at IS NULL THEN 'open' ELSE 'resolved' END AS state
    FROM ({_PER_SERVICE}) WHERE {_unit(107)} < 0.008)"""
_DEPLOYMENTS = f"""
    SELECT i, day, {_id(111)} AS deployment_id, service,
      {_pick(("code", "prompt", "config", "model"), 112)} AS change_type,
      'production' AS environment, {_at("3600 * number")} AS started_at, {_at("3600 * number + 600")} AS finished_at,
      CASE WHEN {_unit(113)} < 0.06 THEN 'rolled_back' ELSE 'success' END AS result
    FROM ({_PER_SERVICE}) WHERE {_unit(114)} < 0.05"""
_AVAILABILITY = f"""
    SELECT i, day, service, {_at("3600 * number")} AS window_start, 60 AS window_minutes,
      CAST(1000 + 500 * {_unit(121)} AS BIGINT) AS valid, valid - CAST(3 * pow({_unit(122)}, 4) AS BIGINT) AS good,
      FALSE AS in_maintenance
    FROM ({_PER_SERVICE})"""
