"""What several test modules share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of public real data, or a skip with the reason."""
    folder = Path(os.environ.get("REALDATA", ROOT.parent / "shared" / "realdata"))
    if not folder.is_dir():
        pytest.skip("no real data: set REALDATA to the folder that holds it")
    return folder


LONGEST = (
    "test_nightly_sample.py",
    "test_reports_browser.py",
    "test_engine_laws.py",
    "test_cli.py",
    "test_checks_warehouse.py",
    "test_nightly_killed.py",
)
"""Files of a minute and more: begun first, so that no worker is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, else as collected."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))
