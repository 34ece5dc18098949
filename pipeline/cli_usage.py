"""What is wrong with a command line, in the words of every other message: found, expected, and what to type instead."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import typer

from pipeline.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

_STRAY = re.compile(r"^Got unexpected extra argument\(s\)")
_NO_COMMAND = re.compile(r"^No such command")
_KINDS = {"int": "a whole number", "float": "a number"}


class _Parameter(Protocol):
    """What is read of an option or argument."""

    name: str
    opts: Sequence[str]
    param_type_name: str
    metavar: str | None
    help: str | None
    required: bool
    is_flag: bool


class _Parser(Protocol):
    """What takes words apart: values by name, what nothing takes, and the order of it all."""

    def parse_args(self, args: list[str]) -> tuple[Mapping[str, object], list[str], object]: ...


class _Command(Protocol):
    """What is read of a command; a group has `commands`."""

    params: Sequence[_Parameter]

    def make_parser(self, ctx: object) -> _Parser: ...


@dataclass(frozen=True)
class _Asked:
    """The command that the words name, by its path, and the words after it."""

    path: tuple[str, ...]
    command: _Command
    commands: Mapping[str, object]
    rest: tuple[str, ...]

    @property
    def name(self) -> str:
        """The command as it is typed."""
        return " ".join(self.path)

    @property
    def arguments(self) -> list[_Parameter]:
        """The words it takes, by place."""
        return [one for one in self.command.params if one.param_type_name == "argument"]

    def option(self, name: str) -> _Parameter | None:
        """The option of that name, if it has one."""
        return next((one for one in self.command.params if name in one.opts and name.startswith("-")), None)

    def typed(self, rest: Sequence[str]) -> str:
        """The command with other words after it, to be copied into a shell."""
        return f"`{shlex.join([*self.path, *rest])}`"


def usage_error(error: typer.TyperException, root: object, words: Sequence[str]) -> ConfigurationError:
    """What the parser of the command line stumbled over, of the command `root` called with `words`."""
    asked = _asked(root, words)
    code, told = _told(error, asked)
    told += f" `{asked.name} --help` says what it takes."
    return ConfigurationError("This cannot be run as it was typed.", [Problem(asked.name, code, told)])


def help_asked(error: typer.TyperException, root: object, words: Sequence[str]) -> str:
    """The help, where a group of commands was called with no word at all; empty where something else is wrong."""
    asked = _asked(root, words)
    return error.message if asked.commands and not asked.rest else ""


def _asked(root: object, words: Sequence[str]) -> _Asked:
    path, command, rest = ["roi"], root, list(words)
    while rest and rest[0] in (known := _commands(command)):
        command = known[rest[0]]
        path.append(rest.pop(0))
    return _Asked(tuple(path), cast(_Command, command), _commands(command), tuple(rest))


def _commands(command: object) -> Mapping[str, object]:
    """The commands of a group by name; of any other command none."""
    return getattr(command, "commands", {})


def _told(error: typer.TyperException, asked: _Asked) -> tuple[str, str]:
    """The code of a mistake, and what was found, expected, and to be typed."""
    name, param = getattr(error, "option_name", None), getattr(error, "param", None)
    if name is not None:
        option = asked.option(name)
        return ("U006", _valueless(option, asked)) if option else ("U003", _unknown_option(name, asked))
    if param is not None:
        return ("U005", _wrong_value(error, param, asked)) if error.message else ("U004", _missing(param, asked))
    if _STRAY.match(error.message):
        return "U001", _stray(getattr(error, "ctx", None), asked)
    if _NO_COMMAND.match(error.message):
        return "U002", _unknown_command(asked)
    return "U007", f"{error.message.rstrip('.')}."


def _stray(context: object, asked: _Asked) -> str:
    """Words that nothing takes; one that may be a folder is shown where the command takes a folder."""
    stray = asked.command.make_parser(context).parse_args(list(asked.rest))[1]
    rest = list(asked.rest)
    for word in reversed(stray):
        del rest[len(rest) - 1 - rest[::-1].index(word)]
    wanted = " ".join(map(_named, asked.arguments))
    expected = f"nothing after {wanted} but options" if wanted else "nothing after it but options"
    instead = f"type {asked.typed(rest)}"
    if len(stray) == 1 and not stray[0].isdigit() and asked.option("--exports") and "--exports" not in rest:
        instead += f", or for a folder of exports {asked.typed([*rest, '--exports', stray[0]])}"
    return f"found {', '.join(map(repr, stray))}, expected {expected}; {instead}."


def _unknown_command(asked: _Asked) -> str:
    found, known = asked.rest[0], list(asked.commands)
    near = difflib.get_close_matches(found, known, 1)
    instead = f"; did you mean {asked.typed([near[0], *asked.rest[1:]])}?" if near else "."
    return f"found {found!r}, expected one of {', '.join(known)}{instead}"


def _unknown_option(found: str, asked: _Asked) -> str:
    known = [one.opts[0] for one in asked.command.params if one.param_type_name == "option"]
    near = difflib.get_close_matches(found, known, 1)
    if not near:
        return f"found {found!r}, expected one of {', '.join([*known, '--help'])}."
    rest = [re.sub(rf"^{re.escape(found)}(?==|$)", near[0], word) for word in asked.rest]
    return f"found {found!r}, expected one of {', '.join(known)}; did you mean {asked.typed(rest)}?"


def _missing(param: _Parameter, asked: _Asked) -> str:
    """A word or an option that it cannot do without: the words typed, and a place for the one that lacks."""
    lacking = [_named(one) for one in asked.arguments if one.required]
    rest = [*asked.rest, param.opts[0], _named(param)] if param.param_type_name == "option" else list(asked.rest)
    if param.param_type_name == "argument":
        given = sum(not word.startswith("-") for word in asked.rest)
        rest += lacking[given:] or [_named(param)]
    return f"found no {_named(param)}, expected {_meant(param)}; type `{' '.join([*asked.path, *map(_quoted, rest)])}`."


def _valueless(option: _Parameter, asked: _Asked) -> str:
    name = option.opts[0]
    if option.is_flag:
        rest = [word.partition("=")[0] if word.startswith(f"{name}=") else word for word in asked.rest]
        return f"found a value for {name}, expected none; type {asked.typed(rest)}."
    return f"found nothing after {name}, expected {_meant(option)}."


def _wrong_value(error: typer.TyperException, param: _Parameter, asked: _Asked) -> str:
    opts = asked.command.make_parser(getattr(error, "ctx", None)).parse_args(list(asked.rest))[0]
    value = opts.get(param.name)
    found = ", ".join(map(repr, value)) if isinstance(value, tuple | list) else repr(value)
    name = param.opts[0] if param.param_type_name == "option" else _named(param)
    if kind := " ".join(_kinds(param)):
        return f"found {found} for {name}, expected {kind}."
    return f"found {found} for {name}, expected {_meant(param)}: {error.message.rstrip('.')}."


def _kinds(param: _Parameter) -> Iterator[str]:
    """What a value must be, of a number: whole or not, and between which ends."""
    annotation = getattr(getattr(param, "type_descriptor", None), "annotation", None)
    if kind := _KINDS.get(getattr(annotation, "__name__", "")):
        yield kind
    low, high = getattr(param, "min", None), getattr(param, "max", None)
    if low is not None:
        yield f"from {low} to {high}" if high is not None else f"from {low} on"
    elif high is not None:
        yield f"up to {high}"


def _meant(param: _Parameter) -> str:
    """What the help says of a parameter, as the rest of a sentence."""
    said = (param.help or "").rstrip(".")
    return f"{_named(param)} ({said})" if said else _named(param)


def _named(param: _Parameter) -> str:
    """The name of a value as the help writes it."""
    return str(param.metavar or param.name.upper())


def _quoted(word: str) -> str:
    """A word as a shell takes it; a place to be filled stands in capitals as it is."""
    return word if re.fullmatch(r"[A-Z|_]+", word) else shlex.quote(word)
