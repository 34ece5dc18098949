"""Great Expectations at work: one checkpoint over the summaries of one layer."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipeline.checks.declared import Check
from pipeline.errors import ConfigurationError, RoiError

if TYPE_CHECKING:
    import great_expectations as gx
    import pandas as pd
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context import EphemeralDataContext
    from great_expectations.expectations.expectation import Expectation

Row = Mapping[str, Any]
_CHECK = "check"
"""Under which an expectation carries the name of its check through the suite."""


@dataclass(frozen=True)
class Case:
    """One check and the rows of its summary that can be judged."""

    name: str
    check: Check
    rows: tuple[Row, ...]


def judge(cases: Sequence[Case], *, checkpoint: str, now: datetime, run_id: str) -> dict[str, frozenset[int]]:
    """For each check, the positions of the rows that do not meet its expectation.

    Only the judged columns of aggregates enter Great Expectations, in memory: nothing is written, sent or printed.
    Raises ConfigurationError when an expectation is unknown or cannot judge its columns.
    """
    cases = [case for case in cases if case.rows]
    if not cases:
        return {}
    with _silence():
        result = _checkpoint(cases, name=checkpoint).run(
            batch_parameters={"dataframe": _frame(cases)}, run_id=_run_identifier(run_id, now)
        )
    (suite,) = result.run_results.values()
    said = {one.expectation_config.meta[_CHECK]: one for one in suite.results}
    starts = _starts(cases)
    return {case.name: _failed(case, said[case.name], start=starts[case.name]) for case in cases}


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the library's log lines and warnings from the user's terminal."""
    logger = logging.getLogger("great_expectations")
    was = logger.disabled, logger.level
    try:
        logger.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled, logger.level = was[0], was[1]


def _run_identifier(run_id: str, now: datetime) -> RunIdentifier:
    from great_expectations.core.run_identifier import RunIdentifier

    return RunIdentifier(run_name=run_id, run_time=now)


def _starts(cases: Sequence[Case]) -> dict[str, int]:
    """Where the rows of each check begin in the common frame."""
    starts, position = {}, 0
    for case in cases:
        starts[case.name] = position
        position += len(case.rows)
    return starts


def _frame(cases: Sequence[Case]) -> pd.DataFrame:
    """The rows of all checks under one another; each check has columns of its own, empty in the rows of others.

    A suite judges one frame. Expectations pass over what is empty, so each judges its own rows; row conditions would do
    the same in twice the time.
    """
    import pandas as pd

    return pd.DataFrame(
        [
            {_own(case, column): _number(row[column]) for column in case.check.expectation.columns}
            for case in cases
            for row in case.rows
        ]
    )


def _own(case: Case, column: str) -> str:
    """Name of a check's column in the common frame."""
    return f"{case.name}.{column}"


def _number(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value


def _checkpoint(cases: Sequence[Case], *, name: str) -> gx.Checkpoint:
    """A checkpoint with one suite of all checks: a suite for each would say the same at twice the cost."""
    import great_expectations as gx

    context = _context()
    asset = context.data_sources.add_pandas("warehouse").add_dataframe_asset("summaries")
    batch = asset.add_batch_definition_whole_dataframe("summaries")
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=[_expectation(case) for case in cases]))
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=suite))
    return context.checkpoints.add(
        gx.Checkpoint(name=name, validation_definitions=[definition], result_format={"result_format": "COMPLETE"})
    )


def _context() -> EphemeralDataContext:
    """An ephemeral context: stores in memory, no usage statistics, no progress bars."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def _expectation(case: Case) -> Expectation:
    from great_expectations.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import get_expectation_impl

    declared = case.check.expectation
    try:
        kind = get_expectation_impl(declared.type)
        return kind(**declared.renamed(lambda column: _own(case, column)), meta={_CHECK: case.name})
    except ExpectationNotFoundError:
        raise ConfigurationError(
            f"check {case.name}: Great Expectations knows no {declared.type}. Name one of its expectations."
        ) from None
    except (TypeError, ValueError) as error:
        found = "; ".join(line.strip() for line in str(error).splitlines()[:4])
        raise ConfigurationError(f"check {case.name}: the arguments of {declared.type} are wrong: {found}") from None


def _failed(case: Case, result: ExpectationValidationResult, *, start: int) -> frozenset[int]:
    """Positions of the rows that failed; all of them when the expectation speaks of the rows as a whole."""
    _verify_judged(case, result)
    if result.success:
        return frozenset()
    positions = result.result.get("unexpected_index_list")
    return frozenset(int(at) - start for at in positions) if positions else frozenset(range(len(case.rows)))


def _verify_judged(case: Case, result: ExpectationValidationResult) -> None:
    """Raise unless the expectation really looked at every row: what was not judged must not pass."""
    declared = case.check.expectation
    if "observed_value" not in result.result and "element_count" not in result.result:
        raise ConfigurationError(
            f"check {case.name}: Great Expectations could not judge {declared.type} over "
            f"{', '.join(declared.columns)}. Check that the columns hold what the expectation compares."
        )
    if "element_count" not in result.result:
        return
    judged = result.result["element_count"] - result.result["missing_count"]
    if judged != len(case.rows):
        raise RoiError(f"check {case.name}: {judged} of {len(case.rows)} rows were judged; expected all of them.")
