"""Commands that messages and pages advise: each names the folder of exports whose warehouse it is to act on."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

SAMPLE_EXPORTS = "data/exports/sample"
"""The folder that a command is about when it is told of none, as seen from the project."""
UNNAMED = "EXPORTS"
"""Stands for a folder that is not to be named, as on pages that may be handed on."""

_TARGETS = {"nightly": "nightly", "rebuild": "nightly --rebuild", "sample": "sample"}
"""Targets of the Makefile as words of `roi`."""


@dataclass(frozen=True)
class Commands:
    """The commands about the warehouse of one folder of exports; of none they are about the sample's."""

    exports: str = SAMPLE_EXPORTS
    by_make: bool = True
    """There is a Makefile where they are typed, as in a copy of the project and not in a folder of one's own."""

    @property
    def asked(self) -> str:
        """What a command of `roi` needs to be about this warehouse: nothing for the sample's."""
        return "" if self.exports == SAMPLE_EXPORTS else f" --exports {shlex.quote(self.exports)}"

    def roi(self, words: str) -> str:
        """A command of `roi` about this warehouse."""
        return f"roi {words}{self.asked}"

    def make(self, target: str) -> str:
        """A target of make about this warehouse; where there is no Makefile, what it does."""
        if not self.by_make:
            return self.roi(_TARGETS[target])
        return f"make {target}" + ("" if self.exports == SAMPLE_EXPORTS else f" EXPORTS={shlex.quote(self.exports)}")
