"""Pages on paper: published pages printed to PDF by a Chromium of this machine, which may reach no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.errors import RoiError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
FOLDER = "pdf"
SECONDS = 90
_SWITCHES = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--no-pdf-header-footer", "--virtual-time-budget=5000",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
"""No name is resolved, so that a page could ask for nothing even if it wanted to."""


def browser() -> Path:
    """The first Chromium there is; raises RoiError that says what was looked for."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise RoiError(
            f"No Chromium on this machine (looked for {', '.join(BROWSERS)}), so no PDF was written. Install one, or "
            "print reports/index.html from any browser: the pages have a print layout."
        )
    return Path(found)


def print_pages(folder: Path, names: Iterable[str], program: Path) -> Iterator[Path]:
    """Print pages of a folder into its folder `pdf`, each under its own name, and tell each when it is there.

    Raises RoiError for a page that could not be printed.
    """
    out = folder / FOLDER
    with tempfile.TemporaryDirectory() as profile:
        for name in names:
            target = (out / name).with_suffix(".pdf")
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(profile) / "page.pdf"  # what is cut off halfway leaves no half of a page
            _print(folder / name, draft, program, profile)
            shutil.move(draft, target)
            yield target


def _print(page: Path, target: Path, program: Path, profile: str) -> None:
    """One page; a sandbox cannot be had by the user root, who is seen in containers alone."""
    more = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [str(program), *_SWITCHES, *more, f"--user-data-dir={profile}", f"--print-to-pdf={target}", page.as_uri()]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise RoiError(f"{page.name} was not printed within {SECONDS} seconds by {program}.") from None
    if done.returncode or not target.is_file():
        raise RoiError(f"{page.name} was not printed: {program} ended with exit code {done.returncode}.")
