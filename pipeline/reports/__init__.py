"""From KPI values to pages and downloads; the one room that knows Jinja and Plotly."""

from __future__ import annotations

from pipeline.reports.lint import ReportError
from pipeline.reports.model import EditionData
from pipeline.reports.site import render

__all__ = ["EditionData", "ReportError", "render"]
