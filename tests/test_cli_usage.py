"""A command line that cannot be run is answered like every other mistake: found, expected, what to type instead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from project import ROOT

from pipeline import cli


def _commands(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every command with its path, below a group."""
    for name, one in getattr(command, "commands", {}).items():
        if hasattr(one, "commands"):
            yield from _commands(one, (*path, name))
        else:
            yield (*path, name), one


COMMANDS = dict(_commands(typer.main.get_command(cli.app)))


def _refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The one problem that `roi` tells of these words; it exits with 2 and prints nothing else."""
    monkeypatch.setattr(sys, "argv", ["roi", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    title, problem = told.err.splitlines()
    assert title == "This cannot be run as it was typed."
    return problem.strip()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "edition verify 1",
            "roi edition verify  U001  found '1', expected nothing after it but options; type `roi edition verify`. "
            "`roi edition verify --help` says what it takes.",
        ),
        (
            "nightly folder",
            "roi nightly  U001  found 'folder', expected nothing after it but options; type `roi nightly`, or for a "
            "folder of exports `roi nightly --exports folder`. `roi nightly --help` says what it takes.",
        ),
        (
            "edition diff 1 --json 2 3 4",
            "roi edition diff  U001  found '3', '4', expected nothing after OLD NEW but options; type "
            "`roi edition diff 1 --json 2`.",
        ),
        ("nightly --exports a b", "found 'b', expected nothing after it but options; type `roi nightly --exports a`."),
        ("edition dif 1 2", "roi edition  U002  found 'dif', expected one of list, show, diff, verify; "
                            "did you mean `roi edition diff 1 2`?"),
        ("zzz", "roi  U002  found 'zzz', expected one of "),
        ("explain p95_latency --perid=3", "roi explain  U003  found '--perid', expected one of --period, --by, "),
        ("explain p95_latency --perid=3", "did you mean `roi explain p95_latency --period=3`?"),
        ("nightly -x", "roi nightly  U003  found '-x', expected one of --exports, --now, --rebuild, --json, --help."),
        ("edition diff 1", "roi edition diff  U004  found no NEW, expected NEW (Number of the edition); "
                           "type `roi edition diff 1 NEW`."),
        ("edition show --json", "found no NUMBER, expected NUMBER (Number of the edition); "
                                "type `roi edition show --json NUMBER`."),
        ("edition diff 0 2", "roi edition diff  U005  found '0' for OLD, expected a whole number from 1 on."),
        ("sample --people=x", "roi sample  U005  found 'x' for --people, expected a whole number from 20 to 50000."),
        ("sources probe no.csv", "found 'no.csv' for FILES, expected FILES (Files to look at): file 'no.csv' does not"),
        ("explain mttr --by", "roi explain  U006  found nothing after --by, expected BY (One slice, e.g. "),
        ("report --pdf=3", "roi report  U006  found a value for --pdf, expected none; type `roi report --pdf`."),
        ("what-if", "U007  found nothing to change; give at least one of --set, --target and --scenario. `roi what-if"),
        ("catalog diff HEAD --json --markdown", "U007  found both --json and --markdown, which exclude each other"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_run_is_answered_with_one_that_can(
    words: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found, what was expected, and what to type; never the words of the parser."""
    assert said in _refused(tuple(words.split()), capsys, monkeypatch)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_takes(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option that there is not is answered by all of them, and so are words that nothing takes."""
    name = " ".join(["roi", *path])
    told = _refused((*path, "--no-such-thing"), capsys, monkeypatch)
    assert told.startswith(f"{name}  U003  found '--no-such-thing', expected one of ")
    assert told.endswith(f"`{name} --help` says what it takes.")
    wanted = [one for one in COMMANDS[path].params if one.param_type_name == "argument"]  # type: ignore[attr-defined]
    if all(one.nargs == 1 for one in wanted):
        told = _refused((*path, *("1" for _ in wanted), "1"), capsys, monkeypatch)
        typed = " ".join([name, *("1" for _ in wanted)])
        assert told.startswith(f"{name}  U001  found '1', expected nothing after ")
        assert told.endswith(f"; type `{typed}`. `{name} --help` says what it takes.")


def test_a_group_without_a_word_shows_its_help(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`roi edition` is no mistake to be told of: its commands are listed, and nothing was done (exit 2)."""
    for words in ([], ["edition"]):
        monkeypatch.setattr(sys, "argv", ["roi", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr().err
        assert (ended.value.code, "Commands:" in told) == (2, True)
        assert told.startswith(" ".join(["Usage: roi", *words, "[OPTIONS] COMMAND"]))


def test_a_stopped_command_says_what_stands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends it with 130 and a sentence, not with silence."""

    def stop(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "settings", stop)
    monkeypatch.setattr(sys, "argv", ["roi", "doctor"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code, capsys.readouterr().err) == (130, "Stopped; the published edition is as it was.\n")


def test_ctrl_c_within_a_query_is_no_fault_of_ours(tmp_path: Path) -> None:
    """DuckDB ends a query with an error of its own then; a real process is stopped in a query that never ends."""
    work = (
        "import duckdb, pipeline.cli as cli\n"
        "duckdb.execute('SET threads = 1')\n"  # else the one task may be with a thread that nobody waits for
        "cli._run = lambda: print('begun', flush=True) or duckdb.execute("
        "'SELECT sum(hash(range)) FROM range(1000000000000)').fetchall()\n"
        "cli.main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", work], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - the background ignores it
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        try:
            _, said = child.communicate(timeout=60)
        finally:
            child.kill()
    assert (child.returncode, said) == (130, "Stopped; the published edition is as it was.\n")
