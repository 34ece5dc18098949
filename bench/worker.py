"""One measurement in a process of its own: `python -m bench.worker PART ARGUMENTS` prints its result as JSON."""

from __future__ import annotations

import time

BEGUN = time.perf_counter()

import json  # noqa: E402 - the clock comes first: importing is part of setting up
import resource  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402


def peak_mib() -> float:
    """Greatest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _parts(part: str) -> dict[str, Callable[..., dict[str, Any]]]:
    """The functions among which is the one named; only what it needs is imported."""
    from bench import taking

    if part in taking.PARTS:
        return taking.PARTS
    from bench import parts

    return parts.PARTS


def main() -> None:
    """Run the part that is named and print what it gives, with the greatest memory it held."""
    part, arguments = sys.argv[1], json.loads(sys.argv[2])
    result = _parts(part)[part](**arguments)
    sys.stdout.write("\n" + json.dumps(result | {"peak_mib": result.get("peak_mib", peak_mib())}) + "\n")


if __name__ == "__main__":
    main()
