"""The kinds of error a user can meet, and the exit code of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """Process exit codes; the README lists them."""

    OK = 0
    ERROR = 1
    CONFIGURATION = 2
    WARNINGS = 3
    BLOCKED = 4
    LOCKED = 75


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what was found, what was expected, what to do."""

    where: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}  {self.code}  {self.message}"


def in_file_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems by file, line, column and code."""
    return tuple(sorted(problems, key=_place))


def _place(found: Problem) -> tuple[str, int, int, str, str]:
    file, *numbers = found.where.rsplit(":", 2)
    if len(numbers) == 2 and all(map(str.isdigit, numbers)):
        return file, int(numbers[0]), int(numbers[1]), found.code, found.message
    return found.where, 0, 0, found.code, found.message


class RoiError(Exception):
    """Base of every error shown to a user; carries all problems found, not just the first."""

    exit_code = ExitCode.ERROR

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  {problem}" for problem in self.problems)])


class ConfigurationError(RoiError):
    """The catalogue, a mapping or a setting is wrong; nothing was run."""

    exit_code = ExitCode.CONFIGURATION


class BlockedError(RoiError):
    """A blocking check failed; the previous edition stays."""

    exit_code = ExitCode.BLOCKED


class LockedError(RoiError):
    """Another run holds the lock."""

    exit_code = ExitCode.LOCKED
