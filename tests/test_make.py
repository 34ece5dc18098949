"""What `make` says when it cannot do what it was asked for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

MAKE = shutil.which("make")
pytestmark = pytest.mark.skipif(MAKE is None, reason="no make on this machine")


def made(*words: str, path: str) -> subprocess.CompletedProcess[str]:
    """Run make with the tools of this test, as if their set-up was done."""
    ready = [word for name in ("ready", "ready-dev") for word in ("-o", f"{sys.prefix}/{name}")]
    command = [str(MAKE), "--no-print-directory", f"VENV={sys.prefix}", *ready, *words]
    return subprocess.run(command, cwd=ROOT, env={"PATH": path}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nightly", "EXPORT=exports"], "EXPORT is not known: did you mean EXPORTS?"),
        (["nightly", "EXPORTS="], "EXPORTS is empty: name a folder of exports"),
    ],
)
def test_a_slip_in_the_name_of_the_exports_runs_nothing(words: list[str], said: str) -> None:
    """Neither would otherwise be told: the nightly run would take the sample instead."""
    found = made(*words, path="/usr/bin:/bin")
    assert found.returncode == 2
    assert said in found.stderr


@pytest.mark.parametrize("target", ["test-browser", "test-pages", "proof-hostile", "screenshots"])
def test_what_opens_pages_says_that_a_chromium_is_missing(target: str, tmp_path: Path) -> None:
    """A target that exists to open pages does not pass by skipping what it is for."""
    found = made(target, path=str(tmp_path))
    assert found.returncode == 2
    assert "No Chromium on this machine (looked for chromium, " in found.stderr
    assert "apt-get install chromium" in found.stderr
