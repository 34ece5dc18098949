"""The mappings of what a programme keeps beside its systems, from surveys to budgets: export to table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest

from pipeline.contracts import judge
from pipeline.sources.mapping import SourceMapping, load_mappings
from pipeline.sources.readers import read_raw
from pipeline.sources.recognise import recognise
from pipeline.sources.stage import stage
from pipeline.tables import load_tables

NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
Row = tuple[str | None, ...]

SURVEY = """\
survey_id,respondent,audience,sent_at,answered_at,score,scale_max,comment
pulse-q4,Ana@Example.com,sponsor,2026-10-15T09:00:00Z,2026-10-16T08:30:00+02:00,4,5,"quite good, thanks"
pulse-q4,ben@example.com,builder,2026-10-15T09:00:00Z,,,5,
"""
RUNS = """\
{"runId":"r1","useCase":"drafting","suite":"answer-quality","suiteVersion":"7","split":"test",\
"prompt":{"name":"drafting","version":3},"model":"gpt-4.1","startedAt":"2026-10-05T08:00:00Z",\
"finishedAt":"2026-10-05T08:09:00Z","status":"completed","passed":true,"expiresAt":"2027-01-03T08:00:00Z"}
{"runId":"r2","suite":"retrieval","suiteVersion":"qrels-a","startedAt":"2026-10-05T09:00:00Z","status":"error",\
"passed":false}
{"runId":"r3","suite":"retrieval","startedAt":"2026-10-06T09:00:00Z","status":"running"}
"""
ATTACKS = """\
{"id":"a1","runId":"r9","suite":"indirect-injection","technique":"role-play","model":"gpt-4.1-mini",\
"startedAt":"2026-10-05T01:00:00.250Z","status":"ok","goalReached":false,"benignTaskOk":true,"prompt":"Ignore ..."}
{"id":"a2","suite":"tool-abuse","startedAt":"2026-10-05T02:00:00Z","status":"error","goalReached":false,\
"benignTaskOk":false}
"""
PROMPTS = """\
prompt,version,requested_at,evaluated_at,live_at,replaces,updated_at
drafting,2,2026-09-01T08:00:00Z,2026-09-10T12:00:00Z,2026-09-12T09:00:00Z,1,2026-09-12T09:00:00Z
drafting,3,2026-10-28T08:00:00Z,,,2,2026-10-28T08:00:00Z
"""
COMPONENTS = """\
component,version,owner_team,consumer_team,used_on,calls,live_at,retired_at
retriever,2,Data Platform,Web Shop,2026-10-05,120,2026-03-01,
pii-filter,,AI Platform,Sales Tools,2026-10-05,7,2025-01-01,2026-10-20
"""
USE_CASES = """\
use_case,name,business_unit,owner_role,stage,risk_class,baseline,target,sources_shared,ethics_reviewed_on,prompt,\
prompt_version,model,cancelled_on_purpose,valid_from,valid_to
drafting,Drafting,Sales,,pilot,limited,yes,no,yes,,drafting,1,gpt-4.1,no,2026-01-05,2026-04-01
drafting,Drafting,Sales,Head of Marketing,production,limited,yes,yes,yes,2026-03-20,drafting,2,gpt-4.1,no,2026-04-01,
"""
EXPERIMENTS = """\
experiment,name,use_case,design,treated,control,allocation,starts_on,ends_on
exp-1,Voice assistant,,,voice,text,0.3,2026-10-04,2026-12-01
roll-2,For all,drafting,Before_After,drafts,none,,2026-03-01,2026-08-31
"""
ASSIGNMENTS = """\
experiment,unit,variant,assigned_at,exposed_at
exp-1,Customer-7@mail.example,voice,2026-10-05T10:00:00Z,2026-10-05T10:20:00Z
exp-1,customer-8@mail.example,text,2026-10-05T11:00:00Z,
"""
OUTCOMES = """\
experiment,unit,metric,pre_value,value,currency,measured_on
exp-1,Customer-7@mail.example,margin,12.10,-3.05,USD,2026-10-31
exp-1,customer-8@mail.example,margin,,0.00,USD,2026-10-31
"""
ASSUMPTIONS = """\
assumption,use_case,low,base,high,unit,distribution,evidence_grade,source,owner,approved_by,approved_on,valid_from,\
valid_to,note,updated_on
realisation,,0,0.25,0.5,ratio,PERT,e,House rule,ROI analyst,Finance director,2026-01-12,2026-01-01,2027-01-01,,
quality_loss.drafting,drafting,-1.5,0,2,USD/task,,E,Sample of 40 texts,,,,2026-03-01,,"few were read",2026-03-02
"""
COSTS = """\
cost_id,use_case,business_unit,category,date,amount,currency,description,vendor,updated_on
c-1,drafting,Sales,Build,2025-12-31,48000.00,eur,"Four developers, six weeks",Studio Nord,2026-01-04
c-2,,,licence,2026-10-01,-120.55,USD,Credit for seats given back,,
"""
BUDGETS = """\
period,initiative,approved_amount,currency,approved_by,approved_on
2026-10,drafting,12000,usd,Finance director,2026-09-20
2026-11-01,programme,0.00,EUR,,
"""
RATES = """\
date,from_currency,to_currency,rate
2026-10-30,EUR,USD,1.0842
2026-10-30,usd,eur,0.922339
"""
PANEL = """\
experiment,unit,metric,period,value,currency,measured_on
roll-3,Team-4@mail.example,minutes_per_task,2026-03-01,31.25,,2026-04-02
roll-3,team-4@mail.example,minutes_per_task,2026-04-01,27.50,,
"""


class Export(NamedTuple):
    """A file, the source and table it is for, and the rows of that table in the order of the file."""

    name: str
    text: str
    source: str
    table: str
    rows: list[Row]


EXPORTS = [
    Export(
        "hr/pulse-survey-2026-q4.csv",
        SURVEY,
        "survey_csv",
        "survey_invites",
        [
            ("pulse-q4", "P(ana@example.com)", "sponsor", "2026-10-15 09:00:00+00", "2026-10-16 06:30:00+00", "4.0",
             "5.0"),
            ("pulse-q4", "P(ben@example.com)", "builder", "2026-10-15 09:00:00+00", None, None, "5.0"),
        ],
    ),
    Export(
        "evaluation-runs-2026-10.jsonl",
        RUNS,
        "evaluation_runs",
        "evaluation_runs",
        [
            ("r1", "drafting", "answer-quality", "7", "test", "drafting", "3", "gpt-4.1", "2026-10-05 08:00:00+00",
             "completed", "true", "2027-01-03 08:00:00+00"),
            ("r2", None, "retrieval", "qrels-a", None, None, None, None, "2026-10-05 09:00:00+00", "error", None, None),
        ],
    ),
    Export(
        "red-team-2026-10.jsonl",
        ATTACKS,
        "red_team_results",
        "attack_attempts",
        [
            ("a1", "r9", "indirect-injection", "role-play", "gpt-4.1-mini", "2026-10-05 01:00:00.25+00", "ok", "false",
             "true"),
            ("a2", None, "tool-abuse", None, None, "2026-10-05 02:00:00+00", "error", None, None),
        ],
    ),
    Export(
        "prompt-versions.csv",
        PROMPTS,
        "prompt_registry_csv",
        "prompt_versions",
        [
            ("drafting", "2", "2026-09-01 08:00:00+00", "2026-09-10 12:00:00+00", "2026-09-12 09:00:00+00", "1"),
            ("drafting", "3", "2026-10-28 08:00:00+00", None, None, "2"),
        ],
    ),
    Export(
        "component-usage-2026-10.csv",
        COMPONENTS,
        "component_usage_csv",
        "components",
        [
            ("retriever", "2", "Data Platform", "Web Shop", "2026-10-05", "120", "2026-03-01 00:00:00+00", None),
            ("pii-filter", "unversioned", "AI Platform", "Sales Tools", "2026-10-05", "7", "2025-01-01 00:00:00+00",
             "2026-10-20 00:00:00+00"),
        ],
    ),
    Export(
        "use-cases-2026-10.csv",
        USE_CASES,
        "use_cases_csv",
        "use_cases",
        [
            ("drafting", "2026-01-05", "2026-04-01", "Drafting", "Sales", None, "pilot", "limited", "true", "false",
             "true", None, "drafting", "1", "gpt-4.1", "false"),
            ("drafting", "2026-04-01", None, "Drafting", "Sales", "Head of Marketing", "production", "limited", "true",
             "true", "true", "2026-03-20", "drafting", "2", "gpt-4.1", "false"),
        ],
    ),
    Export(
        "experiments.csv",
        EXPERIMENTS,
        "experiments_csv",
        "experiments",
        [
            ("exp-1", "Voice assistant", None, None, "voice", "text", "0.3", "2026-10-04", "2026-12-01"),
            ("roll-2", "For all", "drafting", "before_after", "drafts", "none", None, "2026-03-01", "2026-08-31"),
        ],
    ),
    Export(
        "experiments/assignments.csv",
        ASSIGNMENTS,
        "assignments_csv",
        "assignments",
        [
            ("exp-1", "P(customer-7@mail.example)", "voice", "2026-10-05 10:20:00+00"),
            ("exp-1", "P(customer-8@mail.example)", "text", None),
        ],
    ),
    Export(
        "experiments/outcomes.csv",
        OUTCOMES,
        "outcomes_csv",
        "outcomes",
        [
            ("exp-1", "P(customer-7@mail.example)", "margin", "12.10000000000000", "-3.05000000000000", "USD"),
            ("exp-1", "P(customer-8@mail.example)", "margin", None, "0.00000000000000", "USD"),
        ],
    ),
    Export(
        "ab/outcome-panel.csv",
        PANEL,
        "outcome_panel_csv",
        "outcome_panel",
        [
            ("roll-3", "P(team-4@mail.example)", "minutes_per_task", "2026-03-01", "31.25000000000000", None),
            ("roll-3", "P(team-4@mail.example)", "minutes_per_task", "2026-04-01", "27.50000000000000", None),
        ],
    ),
    Export(
        "finance/assumptions-2026-10-31.csv",
        ASSUMPTIONS,
        "assumptions_csv",
        "assumptions",
        [
            ("realisation", "2026-01-01", "2027-01-01", None, "0.0", "0.25", "0.5", "ratio", "pert", "E", "House rule",
             "ROI analyst", "Finance director", "2026-01-12", None),
            ("quality_loss.drafting", "2026-03-01", None, "drafting", "-1.5", "0.0", "2.0", "USD/task", None, "E",
             "Sample of 40 texts", None, None, None, "few were read"),
        ],
    ),
    Export(
        "finance/initiative-costs-2026.csv",
        COSTS,
        "initiative_costs_csv",
        "initiative_costs",
        [
            ("c-1", "drafting", "Sales", "build", "2025-12-31", "48000.00000000000000", "EUR",
             "Four developers, six weeks", "Studio Nord"),
            ("c-2", None, None, "licence", "2026-10-01", "-120.55000000000000", "USD", "Credit for seats given back",
             None),
        ],
    ),
    Export(
        "finance/budgets-2026.csv",
        BUDGETS,
        "budgets_csv",
        "budgets",
        [
            ("2026-10-01", "drafting", "12000.00000000000000", "USD", "Finance director", "2026-09-20"),
            ("2026-11-01", "programme", "0.00000000000000", "EUR", None, None),
        ],
    ),
    Export(
        "finance/fx-rates-2026-10.csv",
        RATES,
        "fx_rates_csv",
        "fx_rates",
        [
            ("2026-10-30", "EUR", "USD", "1.084200000000"),
            ("2026-10-30", "USD", "EUR", "0.922339000000"),
        ],
    ),
]  # fmt: skip
SOURCES = [export.source for export in EXPORTS]


@pytest.fixture(scope="module")
def mappings() -> tuple[SourceMapping, ...]:
    """All mappings of the package, so that another one could claim a file."""
    return load_mappings()


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in UTC with a pseudonym that shows what it was given."""
    with duckdb.connect(config={"memory_limit": "1GB"}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE TEMP MACRO pseudonym(x) AS 'P(' || x || ')'")
        yield connection


@pytest.fixture
def take(con: duckdb.DuckDBPyConnection, mappings: tuple[SourceMapping, ...], tmp_path: Path) -> Taker:
    """Takes files in as a run does, up to the judged rows."""
    return Taker(con, mappings, tmp_path)


class Taker:
    """Recognises, reads, stages and judges a file of one table."""

    def __init__(self, con: duckdb.DuckDBPyConnection, mappings: tuple[SourceMapping, ...], folder: Path) -> None:
        self.con, self.mappings, self.folder = con, mappings, folder

    def __call__(self, name: str, text: str) -> tuple[str, str, list[Row]]:
        """The source and table of a file, and its rows with every value as text."""
        path = self.folder / "received"
        path.write_text(text, encoding="utf-8")
        recognition = recognise(path, name, self.mappings)
        assert recognition.mapping is not None, recognition.reason
        assert recognition.warnings == ()
        assert read_raw(self.con, path, name=name, mapping=recognition.mapping).malformed == 0
        (table,) = recognition.mapping.tables
        stage(self.con, recognition.mapping, table, staged="staged")
        declared = load_tables()[table]
        judge(self.con, declared, staged="staged", typed="typed", verdicts="found", now=NOW, pandera_up_to_rows=0)
        columns = ", ".join(f'"{column}"::VARCHAR' for column in declared.column_names)
        return recognition.mapping.source, table, self.rows(f"SELECT {columns} FROM typed ORDER BY _row")

    def rows(self, sql: str) -> list[Row]:
        """All rows of a query."""
        return self.con.execute(sql).fetchall()

    def versions(self, name: str, text: str) -> list[str]:
        """The versions of a file's rows."""
        self(name, text)
        return [row[0] or "" for row in self.rows("SELECT _version FROM typed ORDER BY _row")]

    @property
    def reasons(self) -> list[str | None]:
        """What stands against the rows of the last file."""
        return [row[0] for row in self.rows("SELECT reason FROM found ORDER BY _row")]


@pytest.mark.parametrize("export", EXPORTS, ids=SOURCES)
def test_an_export_becomes_exactly_these_rows(take: Taker, export: Export) -> None:
    """Every column of the table, people as pseudonyms, times in UTC, blanks as unknown, and no rule broken."""
    assert take(export.name, export.text) == (export.source, export.table, export.rows)
    assert take.reasons == []


@pytest.mark.parametrize("export", EXPORTS, ids=SOURCES)
def test_a_file_of_any_name_is_known_by_its_columns(take: Taker, export: Export) -> None:
    """Each kind has columns of its own: under a name that says nothing it is taken all the same, and by no other."""
    assert take(f"export{Path(export.name).suffix}", export.text)[0] == export.source


@pytest.mark.parametrize("source", SOURCES)
def test_no_free_text_is_mapped(mappings: tuple[SourceMapping, ...], source: str) -> None:
    """Comments, attack texts, answers and templates may stand in an export; no expression names them."""
    (mapping,) = [one for one in mappings if one.source == source]
    free = {"comment", "prompt", "response", "template"} & set(mapping.optional)
    expected = {"survey_csv": {"comment"}, "red_team_results": {"prompt", "response"}}
    expected |= {"prompt_registry_csv": {"template"}, "use_cases_csv": {"prompt"}, "evaluation_runs": {"prompt"}}
    assert free == expected.get(source, set())
    named = {text for table in mapping.tables.values() for text in table.expressions()} & free
    assert named == ({"prompt"} if source == "use_cases_csv" else set())  # there it is the name of a template


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a-survey.csv", SURVEY.replace(",4,5,", ",four,5,"), "score: not a number"),
        ("a-survey.csv", SURVEY.replace("2026-10-16", "2026-10-14"), "invited_at after answered_at"),
        ("a-survey.csv", SURVEY.replace("2026-10-16", "2026-12-16"), "answered_at: in the future"),
        ("evaluation-runs.jsonl", RUNS.replace('"error"', '"crash"'), "status: not one of completed, error, cancelled"),
        ("red-team.jsonl", ATTACKS.replace('"suite":"tool-abuse",', '"suite":"",'), "suite: missing"),
        ("prompt-versions.csv", PROMPTS.replace("2026-09-10", "2026-08-10"), "requested_at after evaluated_at"),
        ("component-usage.csv", COMPONENTS.replace(",120,", ",-120,"), "calls: negative"),
        ("use-cases.csv", USE_CASES.replace(",pilot,", ",test,"), "stage: not one of idea, pilot, production, retired"),
        ("experiments.csv", EXPERIMENTS.replace("2026-12-01", "2026-10-01"), "starts_on after ends_on"),
        ("experiments.csv", EXPERIMENTS.replace("Before_After", "guess"),
         "design: not one of randomised, staggered, did, before_after"),
        ("outcome-panel.csv", PANEL.replace("31.25", ""), "value: missing"),
        ("assignments.csv", ASSIGNMENTS.replace(",voice,", ",,"), "variant: missing"),
        ("outcomes.csv", OUTCOMES.replace("-3.05", "some"), "value: not an amount of money"),
        ("assumptions.csv", ASSUMPTIONS.replace(",0,0.25,", ",0.3,0.25,"), "low above base"),
        ("assumptions.csv", ASSUMPTIONS.replace(",0.25,0.5,", ",0.6,0.5,"), "base above high"),
        ("assumptions.csv", ASSUMPTIONS.replace(",0,0.25,0.5,", ",0.5,0.25,0,"), "low above base; base above high"),
        ("assumptions.csv", ASSUMPTIONS.replace(",e,", ",F,"), "evidence_grade: not one of A, B, C, D, E"),
        ("assumptions.csv", ASSUMPTIONS.replace(",0.25,", ",,"), "base: missing"),
        ("assumptions.csv", ASSUMPTIONS.replace(",ratio,", ",,"), "unit: missing"),
        ("assumptions.csv", ASSUMPTIONS.replace("2027-01-01", "2025-01-01"), "valid_from after valid_to"),
        ("initiative-costs.csv", COSTS.replace(",eur,", ",,"), "currency: missing"),
        ("initiative-costs.csv", COSTS.replace(",Build,", ",Fun,"), "category: not one of licence, usage, platform, "
         "build, integration, training, change_management, governance, incident, learning_dip, other"),
        ("initiative-costs.csv", COSTS.replace("48000.00", "48.000 EUR"), "amount: not an amount of money"),
        ("budgets.csv", BUDGETS.replace(",12000,", ",-12000,"), "approved_amount: negative"),
        ("budgets.csv", BUDGETS.replace("2026-10,", "Q4 2026,"), "period: not a date"),
        ("budgets.csv", BUDGETS.replace(",usd,", ",,"), "currency: missing"),
        ("fx-rates.csv", RATES.replace("1.0842", "0"), "rate: not above 0"),
        ("fx-rates.csv", RATES.replace("1.0842", "-1.0842"), "rate: not above 0"),
        ("fx-rates.csv", RATES.replace("2026-10-30,EUR", "2027-10-30,EUR"), "date: in the future"),
    ],
)  # fmt: skip
def test_one_thing_wrong_is_one_row_with_its_reason(take: Taker, name: str, text: str, reason: str) -> None:
    """A good export with one value spoilt: that row is refused, and the reason names the column."""
    take(name, text)
    assert take.reasons == [reason]


def test_an_experiment_may_end_after_the_run(take: Taker) -> None:
    """Its horizon is fixed beforehand, so a day still to come is no mistake."""
    _, _, rows = take("experiments.csv", EXPERIMENTS)
    assert rows[0][-1] == "2026-12-01" > f"{NOW:%Y-%m-%d}"
    assert take.reasons == []


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("s-survey.csv", SURVEY, SURVEY.replace(",,,5,", ",2026-10-17T10:00:00Z,3,5,")),
        ("prompt-versions.csv", PROMPTS, PROMPTS.replace(",,,2,2026-10-28", ",2026-10-29T09:00:00Z,,2,2026-10-29")),
        ("use-cases.csv", USE_CASES, USE_CASES.replace("2026-04-01,\n", "2026-04-01,2026-10-01\n")),
        ("assignments.csv", ASSIGNMENTS, ASSIGNMENTS.replace("11:00:00Z,", "11:00:00Z,2026-10-06T07:00:00Z")),
        ("outcomes.csv", OUTCOMES, OUTCOMES.replace("0.00,USD,2026-10-31", "8.00,USD,2026-11-01")),
        ("outcome-panel.csv", PANEL, PANEL.replace("27.50,,", "27.75,,2026-05-02")),
        ("assumptions.csv", ASSUMPTIONS, ASSUMPTIONS.replace(",,,,2026-03-01,,", ",,CFO,2026-04-01,2026-03-01,,")),
        ("assumptions.csv", ASSUMPTIONS, ASSUMPTIONS.replace("2026-03-01,,", "2026-03-01,2026-09-01,")),
        ("initiative-costs.csv", COSTS, COSTS.replace("given back,,", "given back,,2026-10-09")),
        ("budgets.csv", BUDGETS, BUDGETS.replace("EUR,,", "EUR,CFO,2026-10-20")),
    ],
)
def test_a_row_that_was_completed_is_the_newer_one(take: Taker, name: str, before: str, after: str) -> None:
    """An export made again when more was known: the row that changed has the greater version, the other the same."""
    (first, second), (first_again, second_again) = (take.versions(name, text) for text in (before, after))
    assert first_again == first
    assert second_again > second
