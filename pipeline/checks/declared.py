"""The checks as declared in a YAML file; whatever is wrong with it is listed at once, with its line."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.checks.results import Layer, Severity
from pipeline.errors import ConfigurationError, Problem
from pipeline.tables import load_tables

CHECKS = Path(__file__).with_name("checks.yaml")
"""The declaration that ships with the pipeline; its head says what each key means."""

_COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list")
_WRONG = "The declaration of the checks is wrong."

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
Words = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Query(_Strict):
    """SQL and what it reads."""

    sql: Words
    needs: tuple[Words, ...] = ()
    each: Literal["table", "dated_table"] | None = None


class Relation(Query):
    """A query that several checks share."""


class Expectation(BaseModel):
    """A Great Expectations type with its arguments."""

    model_config = ConfigDict(extra="allow", frozen=True)
    type: Annotated[str, Field(pattern=r"^expect_[a-z_]+$")]

    @model_validator(mode="after")
    def _judges_columns(self) -> Expectation:
        if not self.columns:
            raise ValueError(f"expected the column it judges, as {', '.join(_COLUMN_ARGUMENTS)}")
        return self

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as declared."""
        return dict(self.model_extra or {})

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it judges."""
        named = [self.arguments[key] for key in _COLUMN_ARGUMENTS if key in self.arguments]
        return tuple(column for names in named for column in ([names] if isinstance(names, str) else names))

    def renamed(self, own: Callable[[str], str]) -> dict[str, Any]:
        """The arguments with every column under its new name."""
        renamed = self.arguments
        for key in _COLUMN_ARGUMENTS:
            if key in renamed:
                names = renamed[key]
                renamed[key] = own(names) if isinstance(names, str) else [own(name) for name in names]
        return renamed


class Check(Query):
    """One check; the head of checks.yaml says what each key means."""

    layer: Layer
    severity: Severity
    means: Words
    expectation: Expectation
    observed: Words
    expected: Words
    subject: Words
    items: Words = "rows"
    kpis: tuple[Name, ...] | None = None

    @property
    def expected_words(self) -> str:
        """What is expected, with the arguments of the expectation filled in."""
        return self.expected.format_map(self.expectation.arguments)


class Declarations(_Strict):
    """Everything the file declares: shared queries, and checks in the order they are shown."""

    relations: dict[Name, Relation] = {}
    checks: dict[Name, Check]


@cache
def load_checks(path: Path = CHECKS) -> Declarations:
    """The declared checks; a file is read once per process.

    Raises ConfigurationError with every fault, each with its file:line.
    """
    declared, problems = _validated(_read(path), path)
    if declared is not None:
        problems = [*_wrong_words(declared, path), *_wrong_names(declared, path)]
    if declared is None or problems:
        raise ConfigurationError(_WRONG, problems)
    return declared


def _validated(data: object, path: Path) -> tuple[Declarations | None, list[Problem]]:
    try:
        return Declarations.model_validate(data), []
    except ValidationError as error:
        return None, [
            Problem(_where(path, fault["loc"]), "Q002", f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}")
            for fault in error.errors(include_url=False, include_input=False)
        ]


def _read(path: Path) -> object:
    """The values of a YAML file."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error.strerror}. Expected a file of checks.") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path.name}:{mark.line + 1 if mark else 1}"
        found = getattr(error, "problem", None) or "it holds an unreadable character"
        raise ConfigurationError(_WRONG, [Problem(where, "Q001", f"this is not YAML: {found}")]) from None


def _where(path: Path, keys: tuple[int | str, ...]) -> str:
    """`file:line` of the key, or of the nearest key around it that stands in the file, which is read again for it."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap

    nodes: object = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    line = 0
    for key in keys:
        if not isinstance(nodes, CommentedMap) or key not in nodes:
            break
        line, nodes = nodes.lc.key(key)[0], nodes[key]
    return f"{path.name}:{line + 1}"


def _wrong_words(declared: Declarations, path: Path) -> list[Problem]:
    """`expected` naming something that is no argument of the expectation."""
    problems = []
    for name, check in declared.checks.items():
        try:
            _ = check.expected_words
        except (KeyError, IndexError, ValueError) as error:
            known = ", ".join(check.expectation.arguments)
            message = f"{name}.expected names {error}; the arguments of the expectation are {known}"
            problems.append(Problem(_where(path, ("checks", name, "expected")), "Q003", message))
    return problems


def _wrong_names(declared: Declarations, path: Path) -> list[Problem]:
    """Names of tables and relations that nobody declares: a check resting on them would never judge anything."""
    known = set(load_tables())
    keys: list[tuple[str, ...]] = []
    queries = (("relations", declared.relations), ("checks", declared.checks))
    for part, of_part in queries:
        keys += [
            (part, name, "needs", need)
            for name, query in of_part.items()
            for need in query.needs
            if need not in declared.relations and not _is_table(need, known)
        ]
    return [
        Problem(
            _where(path, found),
            "Q004",
            f"{'.'.join(found[:-1])} names '{found[-1]}'; expected a canonical table, a ledger table, a fact or a "
            "relation of this file",
        )
        for found in keys
    ]


def _is_table(need: str, known: set[str]) -> bool:
    schema, _, name = need.partition(".")
    return (schema in {"core", "history"} and name in known) or (schema in {"ledger", "facts"} and bool(name))
