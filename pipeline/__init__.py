"""The nightly KPI and ROI pipeline: read the rooms in the order of docs/architecture.md to follow a row from export to page."""
