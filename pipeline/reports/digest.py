"""The mail of an edition: one page without script or links to anything, and the same with a text part as a draft."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from email.message import EmailMessage
from email.policy import SMTP

from pipeline.reports import formats, views, worse
from pipeline.reports.answer import Answer, answer
from pipeline.reports.model import Headline, WorseLine
from pipeline.reports.rows import Edition
from pipeline.reports.shown import shown, visible

MOST_BYTES = 100_000
SUBJECT_LENGTH = 150


@dataclass(frozen=True)
class Digest:
    """All that the mail says; every text is ready to print."""

    subject: str
    title: str
    status: str
    answer: Answer | None
    worse: WorseLine
    roles: tuple[Headline, ...]
    corrected: str
    warnings: tuple[str, ...]


def digest(edition: Edition) -> Digest:
    """The mail of an edition, from the data of its pages."""
    told = answer(edition.data.roi) if edition.data.roi else None
    title = told.title if told else views.programme(edition)
    failed = sum(not check["passed"] for check in edition.data.checks)
    warnings = [f"{formats.counted(failed, 'check')} failed"] if failed else []
    warnings += [f"{formats.counted(edition.data.quarantined, 'row')} quarantined"] if edition.data.quarantined else []
    return Digest(
        subject=_subject(f"GenAI programme, edition {edition.data.edition['number']}: {title}"),
        title=title,
        status=views.edition_status(edition).word,
        answer=told,
        worse=worse.worse(edition, edition.catalog.metrics),
        roles=tuple(views.role_headline(edition, role) for role in edition.catalog.reported_roles()),
        corrected=formats.counted(len(edition.data.restatements), "published value") + " restated",
        warnings=tuple(warnings),
    )


def _subject(said: str) -> str:
    """A subject in one line that mail programs show whole."""
    line = visible(" ".join(said.split()))
    return line if len(line) <= SUBJECT_LENGTH else line[: SUBJECT_LENGTH - 1].rstrip() + "…"


def text(found: Digest, edition: Edition) -> str:
    """The mail as plain text."""
    parts = [found.title + ".", f"Data through {formats.day(edition.as_of)}, status {found.status}."]
    if found.answer:
        parts.append(f"How sure: {found.answer.sure}")
    parts.append("\n".join(worse.spoken(found.worse)))
    if found.answer:
        parts.append(f"What would change our mind: {found.answer.turns}.")
    parts += [f"{line.subject} ({line.mark.word})\n{line.text}" for line in found.roles]
    parts.append("; ".join([found.corrected, *found.warnings]) + ".")
    parts.append("Everything behind it: reports/index.html of this edition.")
    return shown("\n\n".join(parts)) + "\n"


def draft(found: Digest, edition: Edition, html: str) -> bytes:
    """The mail with both parts as a draft without addresses; the same edition gives the same bytes."""
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = found.subject
    mail["Date"] = datetime.combine(edition.as_of, time(), UTC)
    mail["X-Unsent"] = "1"
    mail.set_content(text(found, edition))
    mail.add_alternative(html, subtype="html")
    mail.set_boundary(f"=_genai-roi-edition-{edition.data.edition['number']}")
    return mail.as_bytes()
