"""What the programme around the applications did: surveys, evaluations, attacks, portfolio, components, experiments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.sample import (
    audits,
    calibration,
    components,
    evaluation,
    experiments,
    portfolio,
    quality,
    redteam,
    retrieval,
    surveys,
    throttling,
    voices,
)
from pipeline.sample.chance import Chance
from pipeline.sample.clock import Span, day_of, ms_of
from pipeline.sample.records import Person, Score, Session
from pipeline.sample.shelf import Shelf


@dataclass
class Programme:
    """Everything of it; what depends on sessions is taken in as they happen, each kind with a chance of its own."""

    span: Span
    chance: Callable[[str], Chance]
    short: throttling.Shortages
    invites: list[surveys.Invite]
    attacks: list[redteam.Attack]
    use_cases: list[portfolio.UseCase]
    prompt_versions: list[portfolio.PromptVersion]
    runs: list[evaluation.Run]
    uses: list[components.Use]
    units: list[experiments.Unit]
    said: list[voices.Voice]
    scores: list[Score]
    _chances: dict[str, Chance] = field(default_factory=dict)

    def throttled(self, session: Session) -> Session:
        """The session with what a provider refused it."""
        return throttling.throttled(self._of("throttling"), session, self.short)

    def take(self, session: Session) -> list[voices.Voice]:
        """Takes in what was said and judged about a session; returns the reports of wrong answers."""
        until_ms = ms_of(self.span.end)
        reports = list(voices.reports(self._of("reports"), session, until_ms=until_ms))
        self.said.extend(reports)
        self.scores.extend(audits.safety(self._of("audits"), session))
        self.scores.extend(audits.quality(self._of("ratings"), session, self.span))
        return reports

    def _of(self, stream: str) -> Chance:
        if stream not in self._chances:
            self._chances[stream] = self.chance(stream)
        return self._chances[stream]


def found(chance: Callable[[str], Chance], people: tuple[Person, ...], span: Span, *, load: float) -> Programme:
    """Makes it up, all but what depends on sessions."""
    attempts = redteam.attacks(chance("attacks"), span)
    cases = portfolio.use_cases(chance("portfolio"), span)
    return Programme(
        span=span,
        chance=chance,
        short=throttling.shortages(chance("shortages"), span),
        invites=surveys.invites(chance("surveys"), people, span),
        attacks=attempts,
        use_cases=cases,
        prompt_versions=portfolio.prompt_versions(chance("prompts"), cases, span),
        runs=evaluation.runs(chance("evaluation-runs"), cases, attempts, span),
        uses=components.uses(chance("components"), span),
        units=experiments.units(chance("experiments"), span, load=load),
        said=list(voices.recommendations(chance("recommendations"), span, load=load)),
        scores=list(audits.refusals(chance("refusals"), span)),
    )


def write(shelf: Shelf, programme: Programme) -> None:
    """Writes its exports."""
    _write_answers(shelf, programme)
    _write_evaluation(shelf, programme)
    _write_portfolio(shelf, programme)
    _write_experiments(shelf, programme)


def _write_answers(shelf: Shelf, programme: Programme) -> None:
    for voice in sorted(programme.said, key=lambda voice: (voice.responded_ms, voice.voice_id)):
        name = f"feedback/feedback-in-app-{day_of(voice.responded_ms):%Y-%m}.csv"
        shelf.row(name, voices.COLUMNS, voices.voice_row(voice))
    for invite in programme.invites:
        shelf.row(f"surveys/survey-{invite.survey_id}.csv", surveys.COLUMNS, surveys.invite_row(invite))


def _write_evaluation(shelf: Shelf, programme: Programme) -> None:
    for score in sorted(programme.scores, key=lambda score: (score.created_ms, score.score_id)):
        name = f"evaluation/evaluation-scores-reviews-{day_of(score.created_ms):%Y-%m}.jsonl"
        shelf.line(name, quality.score_record(score))
    for row in calibration.rows(programme.span):
        shelf.row("evaluation/judge-calibration.csv", calibration.COLUMNS, row)
    for run in programme.runs:
        shelf.line(f"evaluation/evaluation-runs-{programme.span.last}.jsonl", evaluation.run_record(run))
    for attack in programme.attacks:
        shelf.line(f"redteam/red-team-{day_of(attack.started_ms):%Y-%m}.jsonl", redteam.attack_record(attack))
    _write_retrieval(shelf, programme)


def _write_retrieval(shelf: Shelf, programme: Programme) -> None:
    judged = retrieval.judgements(programme.chance("judgements"))
    for line in retrieval.qrels_lines(judged):
        shelf.text(f"retrieval/{retrieval.JUDGEMENTS}.txt", line)
    chance = programme.chance("retrieval")
    for day in programme.span.mondays():
        for line in retrieval.run_lines(chance, judged, day, programme.span):
            shelf.text(f"retrieval/knowledge-{day:%Y-%m}.run", line)


def _write_portfolio(shelf: Shelf, programme: Programme) -> None:
    last = programme.span.last
    for case in programme.use_cases:
        row = portfolio.use_case_row(case)
        shelf.row(f"portfolio/use-cases-{last}.csv", portfolio.USE_CASE_COLUMNS, row)
    for one in programme.prompt_versions:
        row = portfolio.prompt_row(one)
        shelf.row(f"registry/prompt-versions-{last}.csv", portfolio.PROMPT_COLUMNS, row)
    for use in programme.uses:
        shelf.row(f"registry/component-usage-{last}.csv", components.COLUMNS, components.use_row(use))


def _write_experiments(shelf: Shelf, programme: Programme) -> None:
    last = programme.span.last
    for one in experiments.experiments(programme.span):
        row = experiments.experiment_row(one)
        shelf.row(f"ab/experiments-{last}.csv", experiments.EXPERIMENT_COLUMNS, row)
    for unit in programme.units:
        row = experiments.assignment_row(unit)
        shelf.row(f"ab/assignments-{last}.csv", experiments.ASSIGNMENT_COLUMNS, row)
        outcome = experiments.outcome_row(unit, programme.span)
        shelf.row(f"ab/outcomes-{last}.csv", experiments.OUTCOME_COLUMNS, outcome)
