"""Shared components and the teams that use them, and the export of their calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from pipeline.sample.chance import Chance
from pipeline.sample.clock import Span
from pipeline.sample.shelf import cell

OWNERS = ("AI Platform", "Data Platform")
TEAMS = ("Claims Apps", "Contract Tools", "Finance Apps", "People Apps", "Sales Tools", "Support Tools", "Web Shop")
COMPONENTS = (
    "prompt-library",
    "retriever",
    "pii-filter",
    "chat-widget",
    "evaluation-harness",
    "document-parser",
    "gateway-client",
    "translation-api",
    "speech-input",
    "summary-service",
    "citation-checker",
    "consent-banner",
)
QUIET_WEEK = 0.12
"""Share of the weeks in which a team that uses a component makes no call of it."""
COLUMNS = ("component", "version", "owner_team", "consumer_team", "used_on", "calls", "live_at", "retired_at")


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a component, in service from `live` up to `retired` (None: still is)."""

    component: str
    version: int
    owner_team: str
    live: date
    retired: date | None


@dataclass(frozen=True, slots=True)
class Use:
    """Calls of a version by a team in the week that begins with `week`."""

    release: Release
    team: str
    week: date
    calls: int


def uses(chance: Chance, span: Span) -> list[Use]:
    """All use, week by week; more teams come with time, and some components never get beyond one."""
    return [use for component in COMPONENTS for use in _uses_of(chance, component, span)]


def _uses_of(chance: Chance, component: str, span: Span) -> Iterator[Use]:
    releases = _releases(chance, component, span)
    wanted = chance.weighed({1: 0.35, 2: 0.25, 3: 0.25, 5: 0.15})
    since = {team: span.at(1.1 * chance.share() - 0.25) for team in sorted(_drawn(chance, wanted))}
    for week in span.mondays():
        for team, begun in since.items():
            if begun <= week and not chance.happens(QUIET_WEEK):
                yield Use(_current(releases, week), team, week, chance.whole(5, 900))


def _drawn(chance: Chance, count: int) -> set[str]:
    """So many different teams."""
    left = list(TEAMS)
    return {left.pop(chance.whole(0, len(left) - 1)) for _ in range(count)}


def _releases(chance: Chance, component: str, span: Span) -> tuple[Release, ...]:
    """The first version since before the span, and for most components a second that takes its place."""
    owner, since = chance.pick(OWNERS), span.start - timedelta(days=chance.whole(30, 300))
    follows = span.at(0.2 + 0.6 * chance.share()) if chance.happens(0.6) else None
    first = Release(component, 1, owner, since, follows)
    return (first,) if follows is None else (first, Release(component, 2, owner, follows, None))


def _current(releases: tuple[Release, ...], week: date) -> Release:
    return [release for release in releases if release.live <= week][-1]


def use_row(use: Use) -> tuple[str, ...]:
    """One row of the export."""
    one = use.release
    told = (one.component, one.version, one.owner_team, use.team, use.week, use.calls, one.live, one.retired)
    return tuple(map(cell, told))
