"""Writing the pages of an edition into a folder."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.commands import UNNAMED
from pipeline.reports import (
    answer,
    bill,
    changes,
    digest,
    downloads,
    evidence,
    formats,
    kpis,
    lineage,
    manifest,
    memos,
    registers,
    returns,
    rows,
    views,
    words,
    worse,
)
from pipeline.reports.lint import lint
from pipeline.reports.model import Download, EditionData, Mark, Record, RolePage
from pipeline.reports.rows import Edition
from pipeline.reports.shown import shown

if TYPE_CHECKING:
    import pandas as pd
    from jinja2 import Environment

POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file: 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
"""Nothing from outside. `file:` is for readers who open the pages from disk in a browser where 'self' does not match
files; 'unsafe-inline' is for styles alone, because Plotly writes them."""
IN_PART = "the rows that were not taken are listed under Quarantine"
MEND = "mend the rows in the export, put it back under the same name"
ASSETS = ("charts.js", "filter.js", "plotly-basic.min.js", "style.css")
"""Plotly's basic bundle (scatter, bar, pie) draws every chart there is; see plotly-basic.LICENSE.txt."""
PARTS = ("returns", "answer", "evidence", "bill")
"""What of the return may stand on the page of a role."""
_COUNTS = ("rows_in", "loaded", "duplicate", "quarantined")


def _finalized(value: object) -> object:
    """Every text that a template prints passes here; markup comes from other templates and has passed already."""
    return shown(value) if type(value) is str else value


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("pipeline.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    templates.policies["json.dumps_kwargs"] = {"sort_keys": True, "separators": (",", ":"), "allow_nan": False}
    return templates


def _common(edition: Edition, status: Mark, files: tuple[Download, ...]) -> dict[str, Any]:
    """What every page shows."""
    return {
        "policy": POLICY,
        "root": "",
        "edition": edition.data.edition,
        "edition_status": status,
        "downloads": files,
        "shapes": words,
        "as_of": formats.day(edition.as_of),
        "is_first": edition.data.edition["number"] == 1,
        "is_sample": edition.data.is_sample,
        "commands": edition.commands,
        "failed": sum(not check["passed"] for check in edition.data.checks),
        "checked": sum(words.is_applicable(check) for check in edition.data.checks),
        "next_due": formats.day(edition.as_of + timedelta(days=1)),
    }


def _fate(load: Record) -> str:
    """What became of a file: its status, or that only a part of it was taken, or that a newer file has mended it."""
    if load.get("mended_by"):
        return "mended"
    return "in part" if load["status"] != "quarantined" and int(load["quarantined"]) > 0 else str(load["status"])


def _load(load: Record, exports: str, mend: str) -> Record:
    """One file as printed, with the command (`command`) or the steps (`todo`) that come next when it needs a hand."""
    fate = _fate(load)
    path = f"{exports}/{load['file']}" if exports else str(load["file"])
    return {
        **load,
        **{name: formats.grouped(int(load[name])) for name in _COUNTS},
        "left_out": _known(load.get("left_out")),
        "reason": lineage.reason(load) or (IN_PART if fate == "in part" else ""),
        "fate": fate,
        "mark": words.LOADS.get(fate, words.LOADS["quarantined"]),
        "command": f".venv/bin/roi sources probe {shlex.quote(path)}" if fate == "quarantined" else "",
        "todo": mend if fate == "in part" else "",
    }


def _known(count: object) -> str:
    """A count as printed; what was not counted is not available."""
    return "not available" if count is None else formats.grouped(int(str(count)))


def _by_need(loads: list[Record], exports: str, mend: str) -> dict[str, list[Record]]:
    """The files that need a hand, those a newer file has mended, and the rest."""
    found: dict[str, list[Record]] = {"needy": [], "mended": [], "whole": []}
    for load in (_load(load, exports, mend) for load in loads):
        is_needy = bool(load["command"] or load["todo"])
        found["needy" if is_needy else "mended" if load["fate"] == "mended" else "whole"].append(load)
    return found


def _run_page(edition: Edition) -> dict[str, Any]:
    """What the analyst's page shows: files, quarantine, totals, checks."""
    data = edition.data
    by_reason = sorted(data.quarantine, key=lambda row: (-int(row["rows"]), str(row["source"]), str(row["reason"])))
    sources = sorted(data.sources, key=lambda source: str(source["source"]))
    sums = {name: sum(int(load[name]) for load in data.loads) for name in _COUNTS}
    counted = [int(load["left_out"]) for load in data.loads if load.get("left_out") is not None]
    left_out = sum(counted)
    mend = f"{MEND}, run {data.commands.make('nightly')}"
    exports = str(data.edition.get("exports") or ("" if data.is_sample else UNNAMED))
    return {
        **_by_need(data.loads, exports, mend),
        "arrived": len(data.loads),
        "open": formats.grouped(data.quarantined),
        "mended_rows": formats.grouped(data.mended) if data.mended else "",
        "mend": mend,
        "is_unnamed": data.commands.exports == UNNAMED,
        "sums": {name: formats.grouped(total) for name, total in sums.items()},
        "left_out": formats.grouped(left_out),
        "read": formats.grouped(sums["rows_in"] + left_out),
        "uncounted": len(data.loads) - len(counted),
        "left": [{**row, "rows": formats.grouped(int(row["rows"])), "of": formats.grouped(int(row["of"])),
                  "share": formats.percent(int(row["rows"]) / int(row["of"]))} for row in data.left_out],
        "balances": sums["rows_in"] == sums["loaded"] + sums["duplicate"] + sums["quarantined"],
        "quarantine": [{**row, "rows": lineage.refused(row)} for row in by_reason],
        "sources": [lineage.source_row(source, edition.catalog, edition.as_of) for source in sources],
        "totals": [{**row, "rows": formats.grouped(int(row["rows"])), "total": downloads.printed(row["total"])}
                   for row in data.totals],
        "checks": [{**check, "applies": words.is_applicable(check)} for check in data.checks],
    }  # fmt: skip


def _index_page(edition: Edition) -> dict[str, Any]:
    changed, cut = rows.corrections(edition, edition.catalog.metrics)
    roles = [views.role_headline(edition, role) for role in edition.catalog.reported_roles()]
    lines = registers.kpi_lines(edition)
    return {
        "finding": views.programme(edition),
        "period": views.period(edition, list(edition.catalog.metrics)),
        "worse": worse.worse(edition, edition.catalog.metrics),
        "kpis": lines,
        "choices": registers.choices(lines),
        "unpaged": [views.unpaged_headline(edition, kpi) for kpi in views.unpaged(edition)],
        "redefined": changes.redefined(edition.data, edition.catalog.metrics),
        "quarantined": formats.grouped(edition.data.quarantined + edition.data.mended),
        "mended_rows": formats.grouped(edition.data.mended) if edition.data.mended else "",
        "rows_in": formats.grouped(sum(int(load["rows_in"]) for load in edition.data.loads)),
        "roles": roles,
        "corrections": changed,
        "corrections_left_off": cut,
    }


def _copy_assets(out: Path) -> list[Path]:
    folder = out / "assets"
    folder.mkdir(parents=True, exist_ok=True)
    shipped = resources.files("pipeline.reports").joinpath("assets")
    contents = {name: shipped.joinpath(name).read_bytes() for name in ASSETS}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def _write(out: Path, name: str, template: str, shown: dict[str, Any]) -> Path:
    path = out / name
    path.write_text(_templates().get_template(template).render(shown), encoding="utf-8", newline="\n")
    return path


def _return_parts(data: EditionData) -> tuple[dict[str, dict[str, Any]], tuple[memos.Memo, ...]]:
    """What of the return stands on which role's page, and the memos."""
    if data.roi is None:
        return {}, ()
    parts: dict[str, dict[str, Any]] = {
        returns.OWNER: {"returns": returns.panel(data.roi), "answer": answer.answer(data.roi)},
        evidence.OWNER: {
            "evidence": evidence.attention(data.roi),
            "bill": data.bill and bill.bill(data.bill, data.commands),
        },
    }
    return parts, memos.memos(data.roi)


def _write_memos(out: Path, common: dict[str, Any], told: tuple[memos.Memo, ...]) -> list[Path]:
    """The memo of each use case in a folder of its own."""
    if told:
        (out / memos.FOLDER).mkdir(exist_ok=True)
    return [_write(out, memo.href, "memo.html", {**common, "memo": memo}) for memo in told]


def _write_kpis(out: Path, edition: Edition, frame: pd.DataFrame, common: dict[str, Any]) -> list[Path]:
    """The page of each KPI and its downloads in a folder of their own."""
    folder = out / kpis.FOLDER
    folder.mkdir(exist_ok=True)
    written, held = [], dict(iter(frame.groupby("kpi_id", sort=False)))
    for kpi_id in edition.catalog.metrics:
        rows_of = held.get(kpi_id, frame.iloc[:0])
        paths = downloads.write_one(rows_of, folder, kpi_id, kpis.published(edition, kpi_id))
        page = replace(kpis.kpi_page(edition, kpi_id), downloads=downloads.described(paths, kpis.FOLDER))
        written += [*paths, _write(out, page.href, "kpi.html", {**common, "root": "../", "page": page})]
    return written


def _write_registers(out: Path, edition: Edition, common: dict[str, Any]) -> list[Path]:
    """The index and the pages over all KPIs and over time."""
    shown: dict[str, dict[str, Any]] = {
        "run.html": _run_page(edition),
        "raci.html": {"raci": registers.raci(edition)},
        "corrections.html": {
            "corrections": registers.all_corrections(edition),
            "targets": changes.moved_targets(edition.data),
        },
        "archive.html": {"editions": registers.archive(edition)},
        "index.html": _index_page(edition),
    }
    return [_write(out, name, name, {**common, **parts}) for name, parts in shown.items()]


def _write_digest(out: Path, edition: Edition, common: dict[str, Any]) -> list[Path]:
    """The mail as a page and as a draft."""
    told = digest.digest(edition)
    page = _write(out, "digest.html", "digest.html", {**common, "digest": told})
    mail = out / "digest.eml"
    mail.write_bytes(digest.draft(told, edition, page.read_text(encoding="utf-8")))
    return [page, mail]


def render(data: EditionData, out: Path) -> list[Path]:
    """Write all pages, downloads and assets of an edition into the folder `out`; the same data gives the same bytes.

    Raises ReportError, before any page is written, when a number lacks what backs it.
    """
    edition = rows.indexed(data)
    pages: list[RolePage] = [views.role_page(edition, role) for role in edition.catalog.reported_roles()]
    lint(pages, [rows.kpi_row(edition, kpi) for kpi in views.unpaged(edition)])
    out.mkdir(parents=True, exist_ok=True)
    status = views.edition_status(edition)
    more = {} if data.roi is None else returns.files(data.roi)
    frame = downloads.contract_frame(data.values)
    written = downloads.write(data, frame, out / "data", status=status.word, more=more)
    common = _common(edition, status, downloads.described(written))
    written += _copy_assets(out)
    parts, told = _return_parts(data)
    for page in pages:
        shown = {**common, "page": page, "memos": told, **dict.fromkeys(PARTS), **parts.get(page.id, {})}
        written.append(_write(out, f"{page.id}.html", "role.html", shown))
    written += _write_memos(out, {**common, "root": "../"}, told)
    written += _write_kpis(out, edition, frame, common)
    written += _write_registers(out, edition, common)
    written += _write_digest(out, edition, common)
    return sorted([*written, manifest.write(out, written)])
