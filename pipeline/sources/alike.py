"""How alike a canonical column and one of an export are by their names."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_SAME = {
    "id": ("key", "uuid", "number", "identifier"),
    "person_id": ("user", "userid", "username", "email", "useremail", "login", "employee", "account", "respondent"),
    "requester_id": ("customer", "requester", "caller", "user", "email", "client"),
    "created_at": ("opened", "created", "date", "timestamp", "time", "openedat", "createdon"),
    "started_at": ("start", "starttime", "begin", "timestamp", "time", "createdat", "date"),
    "ended_at": ("end", "endtime", "finished", "completedat"),
    "finished_at": ("end", "endtime", "finished", "completedat"),
    "resolved_at": ("resolved", "end", "closedat"),
    "solved_at": ("resolved", "resolvedat", "solved"),
    "impact_start_at": ("start", "startedat", "begin"),
    "detected_at": ("created", "createdat", "opened", "openedat"),
    "latency_s": ("latency", "latencyms", "duration", "durationms", "elapsed", "responsetime"),
    "ttft_ms": ("ttft", "timetofirsttoken"),
    "cost_reported": ("cost", "spend", "price", "amount", "costcents"),
    "billed_cost": ("cost", "amount", "total", "billed", "net"),
    "tokens_in_uncached": ("inputtokens", "prompttokens", "tokensin"),
    "tokens_out": ("outputtokens", "completiontokens", "tokensout"),
    "tokens_cache_read": ("cachedtokens", "cachedinputtokens", "cacheread", "cachereadtokens", "cachereadinputtokens"),
    "topic": ("queue", "category", "subjectarea", "type"),
    "channel": ("via", "source", "medium"),
    "service": ("application", "app", "component", "project", "system"),
    "severity": ("priority", "urgency", "impact"),
    "result": ("status", "outcome", "conclusion"),
    "state": ("status",),
    "score": ("rating", "points", "value"),
    "environment": ("env", "stage"),
    "use_case_id": ("usecase",),
}  # fmt: skip


def likeness(canonical: str, name: str) -> float:
    """How alike a canonical name and one of the export are but for units; words that mean the same count 0.9."""
    wanted, has = folded(_UNIT.sub("", canonical)), folded(_UNIT.sub("", in_words(name)))
    if wanted == has:
        return 1.0
    same = _SAME.get(canonical, ())
    if has in same or _MOMENT.sub("", has) in same or (canonical.endswith("_id") and has in _SAME["id"]):
        return 0.9
    return SequenceMatcher(None, wanted, has).ratio()


_UNIT = re.compile(
    r"_(ms|millis|milliseconds|s|sec|secs|seconds|cents?|usd|eur|per_?(1k|1m|1000|thousand|million|mtok))$|Ms$",
    re.IGNORECASE,
)
"""The unit at the end of a name, which is no part of what it names."""


_MOMENT = re.compile(r"(on|at|date|time|timestamp)$")
"""The end of a folded name that says no more than that it is a time."""


def in_words(name: str) -> str:
    """A name with its words set apart by underscores, so that `Duration (ms)` ends with a unit like `duration_ms`."""
    return re.sub(r"\W+", "_", name).strip("_")


def folded(name: str) -> str:
    """A name as its letters and digits alone, without case."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
