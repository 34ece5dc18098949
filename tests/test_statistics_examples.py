"""The room as a whole: worked examples are true, each function has one, and importing it is cheap."""

import doctest
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(path.stem for path in (ROOT / "pipeline" / "statistics").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", MODULES)
def test_worked_examples(name):
    """What a docstring says a function gives is what it gives, and every public function says it."""
    module = importlib.import_module(f"pipeline.statistics.{name}")
    failed, tried = doctest.testmod(module)
    assert failed == 0
    functions = [
        function
        for function_name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not function_name.startswith("_")
    ]
    without = [function.__name__ for function in functions if ">>>" not in (function.__doc__ or "")]
    assert tried >= len(functions)
    assert without == []


def test_importing_loads_neither_scipy_nor_statsmodels():
    """The heavy libraries wait until an interval is asked for."""
    names = ", ".join(f"pipeline.statistics.{name}" for name in MODULES)
    code = f"import sys, {names}; print(sorted({{'scipy', 'statsmodels', 'pandas', 'duckdb'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
