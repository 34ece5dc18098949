"""Frozen settings of one run; the only reader of the environment."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline.commands import SAMPLE_EXPORTS, Commands
from pipeline.errors import ConfigurationError, Problem


@dataclass(frozen=True)
class Settings:
    """Where a run reads and writes, and the instant it takes for now."""

    root: Path
    exports: Path
    now: datetime
    threads: int | None = None

    @property
    def name(self) -> str:
        """Name of the organisation's warehouse, taken from its exports folder: each folder has its own."""
        return re.sub(r"[^a-z0-9]+", "_", self.exports.name.lower()).strip("_") or "exports"

    @property
    def exports_named(self) -> str:
        """The exports folder as the warehouse remembers it: from the project's folder when it lies there."""
        inside = self.exports.is_relative_to(self.root)
        return (self.exports.relative_to(self.root) if inside else self.exports).as_posix()

    @property
    def is_sample(self) -> bool:
        """Whether the exports are the sample's, which no command needs to be told of."""
        return self.exports == (self.root / SAMPLE_EXPORTS).resolve()

    @property
    def commands(self) -> Commands:
        """The commands about this warehouse."""
        by_make = (self.root / "Makefile").is_file()
        return Commands(by_make=by_make) if self.is_sample else Commands(self.exports_named, by_make)

    @property
    def rebuilding(self) -> str:
        """The command that builds this warehouse anew from the exports that are there."""
        return self.commands.make("rebuild")

    @property
    def running(self) -> str:
        """The command that makes the next edition of this warehouse."""
        return self.commands.make("nightly")

    @property
    def sampling(self) -> str:
        """The command that writes the sample's exports."""
        return replace(self.commands, exports=SAMPLE_EXPORTS).make("sample")

    @property
    def running_elsewhere(self) -> str:
        """The command that makes an edition of another folder of exports, `dir`."""
        return replace(self.commands, exports="dir").make("nightly")

    @property
    def catalog(self) -> Path:
        """The metric catalogue."""
        return self.root / "metrics_catalog.yaml"

    @property
    def mapping_folders(self) -> tuple[Path, ...]:
        """Folders of source mappings: the project's own, then the user's."""
        return (Path(__file__).parent / "sources", self.root / "sources")

    @property
    def received(self) -> Path:
        """Received files, stored by content hash and never changed."""
        return self.root / "data" / "received"

    @property
    def key(self) -> Path:
        """Key of the pseudonyms, readable by its owner alone."""
        return self.root / "data" / "secrets" / "pseudonym.key"

    @property
    def warehouse(self) -> Path:
        """The published database."""
        return self.root / "data" / "warehouse" / f"{self.name}.duckdb"

    @property
    def work(self) -> Path:
        """The database a run works on until it is published."""
        return self.root / "data" / "warehouse" / f".{self.name}.work.duckdb"

    @property
    def unpublished(self) -> Path:
        """What the last run took in while there is no edition: it tells what was refused, and nothing else reads it."""
        return self.root / "data" / "warehouse" / f".{self.name}.unpublished.duckdb"

    @property
    def lock(self) -> Path:
        """Lock file of the project: one run at a time."""
        return self.root / "data" / "warehouse" / ".lock"

    @property
    def reports(self) -> Path:
        """The published pages."""
        return self.root / "reports"

    @property
    def kept_pages(self) -> Path:
        """The pages of every edition of this warehouse as they were published."""
        return self.root / "data" / "archive" / self.name

    @property
    def staged_reports(self) -> Path:
        """Where pages are built before they are published."""
        return self.root / ".reports.staged"


def settings(*, exports: Path | None = None, now: str | None = None) -> Settings:
    """Settings for the working folder, or for `$ROI_ROOT`.

    `exports` is the folder of exports (default: the sample's). `now` is an ISO instant, else `$ROI_NOW`, else the
    wall clock; it decides only which rows lie in the future, so the same exports give the same pages on any day.

    Raises ConfigurationError when the folder is not a project, or an instant cannot be read.
    """
    root = Path(os.environ.get("ROI_ROOT", ".")).resolve()
    if not (root / "metrics_catalog.yaml").is_file():
        raise ConfigurationError(
            f"{root} has no metrics_catalog.yaml; run roi in the project's folder, or set ROI_ROOT to it"
        )
    chosen = (exports if exports is not None else root / SAMPLE_EXPORTS).expanduser().resolve()
    threads = os.environ.get("ROI_THREADS")
    return Settings(
        root=root,
        exports=chosen,
        now=_instant(now or os.environ.get("ROI_NOW")),
        threads=int(threads) if threads and threads.isdigit() else None,
    )


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        problem = Problem("--now", "S001", f"found {text!r}, expected an ISO instant such as 2026-11-01T00:00:00Z")
        raise ConfigurationError("A setting cannot be read.", [problem]) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
