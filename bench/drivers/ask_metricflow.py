"""MetricFlow: the twelve groupings through its engine in one process; dbt has built the project beforehand."""

from __future__ import annotations

import os

import common
from grid import DIMENSIONS, GRAINS, KPIS, key_of

os.environ |= {
    "KPI_DB": str(common.DATABASE),
    "DBT_PROFILES_DIR": ".",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
}
os.chdir(common.FOLDER / "metricflow" / "proj")

from dbt_metricflow.cli.cli_configuration import CLIConfiguration  # noqa: E402 - reads the environment
from metricflow.engine.metricflow_engine import MetricFlowQueryRequest  # noqa: E402

COLUMNS = {"": "", "team": "session__team", "channel": "session__channel", "model": "session__model_name"}


def main() -> None:
    """Ask and hand in the grid."""
    configuration = CLIConfiguration()
    configuration.setup()
    engine = configuration.mf
    begun = common.ready()
    tables = {}
    for grain in GRAINS:
        for name in DIMENSIONS:
            by = [f"metric_time__{grain}", *filter(None, [COLUMNS[name]])]
            asked = MetricFlowQueryRequest.create(metric_names=list(KPIS), group_by_names=by)
            tables[grain, name] = engine.query(mf_request=asked).result_df
    rows = {}
    for (grain, name), table in tables.items():
        for row in table.rows:
            named = dict(zip(table.column_names, row, strict=True))
            value = named[COLUMNS[name]] if name else ""
            rows[key_of(grain, named[f"metric_time__{grain}"], name, value)] = [named[kpi] for kpi in KPIS]
    common.finish(begun, rows, ("metricflow", "dbt-metricflow", "dbt-core", "duckdb"))


main()
