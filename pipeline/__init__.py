"""The nightly KPI and ROI pipeline; in the order of docs/architecture.md its rooms follow a row from export to page."""
