"""boring-semantic-layer: the twelve groupings, each asked of its model and fetched as a frame."""

from __future__ import annotations

import common
import ibis
from boring_semantic_layer import from_yaml
from grid import DIMENSIONS, GRAINS, KPIS, key_of


def main() -> None:
    """Ask and hand in the grid."""
    con = ibis.duckdb.connect(str(common.DATABASE), read_only=True)
    model = from_yaml(str(common.FOLDER / "bsl" / "model.yml"), tables={"sessions": con.table("sessions")})["sessions"]
    begun = common.ready()
    frames = {
        (grain, name): model.query(
            dimensions=["started_at", *filter(None, [name])],
            measures=list(KPIS),
            time_grain=f"TIME_GRAIN_{grain.upper()}",
        ).execute()
        for grain in GRAINS
        for name in DIMENSIONS
    }
    rows = {
        key_of(grain, row["started_at"], name, row[name] if name else ""): [row[kpi] for kpi in KPIS]
        for (grain, name), frame in frames.items()
        for row in frame.to_dict("records")
    }
    common.finish(begun, rows, ("boring-semantic-layer", "ibis-framework", "duckdb"))


main()
