"""What the server of tests/forked.py begins with: all is imported, what comes with the package is read, nothing ran."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pipeline
from pipeline.checks import CHECKS, load_checks
from pipeline.facts import load_facts
from pipeline.reports.site import _templates
from pipeline.sources.mapping import load_mappings

LIBRARIES = (
    "great_expectations", "pandera.pandas", "plotly.graph_objects", "scipy.stats", "statsmodels.stats.proportion",
    "statsmodels.stats.rates", "ir_measures",
)  # fmt: skip

for name in (*LIBRARIES, *(one.name for one in pkgutil.walk_packages(pipeline.__path__, "pipeline."))):
    import_module(name)
load_checks(CHECKS)
load_facts()
load_mappings()
for page in _templates().list_templates():
    _templates().get_template(page)
