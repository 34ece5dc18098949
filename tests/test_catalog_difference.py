"""What differs between two catalogues, what that can do to numbers, and where the other catalogue comes from."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.catalog.difference import KeyChange, difference
from pipeline.catalog.hashes import definition_hash
from pipeline.catalog.model import Catalog
from pipeline.catalog.revision import catalog_at, name_of
from pipeline.comparison import Comparison
from pipeline.comparison_text import as_markdown, as_record, as_text
from pipeline.errors import ConfigurationError, ExitCode

COMMON = {
    "owner": "head", "question": "Why?", "direction": "up", "cadence": "weekly", "min_n": 5, "leaves_out": "Tests.",
    "pitfall": "None.",
}  # fmt: skip
METRICS: dict[str, dict[str, Any]] = {
    "rate": {
        "kind": "ratio", "name": "Rate", "fact": "calls", "unit": "ratio", "interval": "clustered",
        "cluster": "session", "numerator": "count(*) where status = 'error'", "denominator": "count(*)",
        "dimensions": ["tool", "team"], "unknown": "count(*) where status is null",
        "target": {"at_least": 0.9, "since": "2026-01-01", "source": "A plan"}, "references": ["A book"],
    },
    "share": {
        "kind": "snapshot", "name": "Share", "fact": "roster", "unit": "ratio", "interval": "exact", "people": True,
        "numerator": "sum(is_trained)", "denominator": "count(*)", "matures_after_days": 7,
    },
    "saved": {
        "kind": "total", "name": "Saved", "fact": "tasks", "unit": "h", "interval": "exact", "total": "sum(hours)",
    },
}  # fmt: skip


def catalog_of(**changes: dict[str, Any]) -> Catalog:
    """A small catalogue, with keys of single KPIs changed; a key changed to None is left out."""
    metrics = {
        name: {key: value for key, value in {**COMMON, **metric, **changes.get(name, {})}.items() if value is not None}
        for name, metric in METRICS.items()
    }
    role = {"title": "Head", "layer": "strategic", "tier": 1, "question": "Is it worth it?"}
    watcher = {"title": "Watcher", "layer": "strategic", "tier": 2, "question": "And?", "subscribes": ["rate"]}
    return Catalog.model_validate({"version": 1, "roles": {"head": role, "eye": watcher}, "metrics": metrics})


def changed(**keys: Any) -> Any:
    """The one record that differs when keys of the ratio are changed."""
    (record,) = difference(catalog_of(), catalog_of(rate=keys)).records
    return record


def test_a_catalogue_is_no_different_from_itself() -> None:
    """Nor is one that writes its defaults out, in another order of keys."""
    assert difference(catalog_of(), catalog_of()).is_empty
    assert difference(catalog_of(), catalog_of(rate={"matures_after_days": 0, "people": False})).is_empty


@pytest.mark.parametrize(
    ("keys", "effect", "means"),
    [
        ({"pitfall": "Other."}, "words", "no number changes"),
        ({"owner": "eye"}, "words", "no number changes"),
        ({"target": None}, "verdicts", "verdicts can change, numbers cannot"),
        ({"target": {"at_least": 0.8, "since": "2026-01-01", "source": "A plan"}}, "verdicts", "verdicts can change"),
        ({"numerator": "count( * ) where status='error'"}, "words", "no number changes"),
        ({"dimensions": ["team", "tool"]}, "words", "no number changes"),
        ({"min_n": 6}, "numbers", "numbers can change"),
        ({"min_n": 6, "target": None}, "numbers", "numbers can change"),
        ({"numerator": "count(*) where status = 'timeout'"}, "numbers", "numbers can change"),
    ],
)
def test_the_effect_of_a_change(keys: dict[str, Any], effect: str, means: str) -> None:
    """Numbers where the definition hash is another, verdicts where only the target is, else nothing but words."""
    record = changed(**keys)
    assert (record.section, record.id, record.change, record.effect) == ("metrics", "rate", "changed", effect)
    assert record.means.startswith(means)
    assert (record.old_hash == record.new_hash) == (effect != "numbers")
    assert record.new_hash == definition_hash(catalog_of(rate=keys).metrics["rate"])
    assert {one.key.partition(".")[0] for one in record.keys} == keys.keys()


def test_keys_are_told_with_both_values() -> None:
    """A nested key by its path, a number as it was written, a list whole, and None for what is not there."""
    target = {"at_most": 0.25, "since": "2026-02-01", "source": "A plan"}
    record = changed(target=target, dimensions=["tool"], unknown=None)
    assert sorted(record.keys, key=lambda one: one.key) == [
        KeyChange("dimensions", ["tool", "team"], ["tool"]),
        KeyChange("target.at_least", 0.9, None),
        KeyChange("target.at_most", None, 0.25),
        KeyChange("target.since", "2026-01-01", "2026-02-01"),
        KeyChange("unknown", "count(*) where status is null", None),
    ]


def test_records_come_and_go() -> None:
    """A KPI that is new, one that is gone, and the role that watched it; each once, in the order of the new file."""
    old = catalog_of()
    record = old.model_dump(mode="json", exclude_defaults=True)
    record["metrics"]["fresh"] = {**record["metrics"].pop("saved"), "name": "Fresh"}
    record["roles"]["eye"].pop("subscribes")
    found = difference(old, Catalog.model_validate(_with_numbers(record)))
    assert [(one.section, one.id, one.change, one.means) for one in found.records] == [
        ("roles", "eye", "changed", "no number changes"),
        ("metrics", "fresh", "added", "new numbers"),
        ("metrics", "saved", "removed", "its numbers go"),
    ]
    assert [one.id for one in found.recomputed()] == ["fresh", "saved"]
    added, removed = found.records[1:]
    assert (added.old_hash, removed.new_hash, added.new_hash) == (None, None, removed.old_hash)


def _with_numbers(record: Any) -> Any:
    """Decimals that JSON has as text, as numbers again."""
    if isinstance(record, dict):
        return {key: float(value) if key == "at_least" else _with_numbers(value) for key, value in record.items()}
    return record


def test_another_order_is_told_apart() -> None:
    """The order of KPIs is that of pages; no record differs for it, though the hash of the catalogue does."""
    old = catalog_of()
    new = old.model_copy(update={"metrics": dict(reversed(old.metrics.items()))})
    found = difference(old, new)
    assert (found.records, found.reordered, found.is_empty) == ((), ("metrics",), False)
    assert found.old_hash != found.new_hash


def test_a_kpi_of_another_kind_changes_its_keys() -> None:
    """Keys that only one of the kinds has are none on the other side."""
    snapshot = {**METRICS["share"], "name": "Rate", "fact": "calls"}
    keys = {one.key: (one.old, one.new) for one in changed(**dict.fromkeys(METRICS["rate"]) | snapshot).keys}
    assert keys["kind"] == ("ratio", "snapshot")
    assert keys["cluster"] == ("session", None)


def comparison(**keys: Any) -> Comparison:
    """A comparison without numbers, of the ratio with keys changed."""
    found = difference(catalog_of(), catalog_of(rate=keys))
    return Comparison("HEAD:metrics_catalog.yaml", "metrics_catalog.yaml", found, why_not="No warehouse yet.")


def test_the_text_for_people() -> None:
    """Record, hash, effect and keys; of a list what came and what went; a long text stays whole."""
    old, new = definition_hash(catalog_of().metrics["rate"]), changed(dimensions=["tool", "area"], people=True).new_hash
    assert as_text(comparison(dimensions=["tool", "area"], people=True)) == (
        "metrics_catalog.yaml against HEAD:metrics_catalog.yaml: 1 KPI differs\n"
        f"~ KPI rate changed (definition {old} -> {new}): numbers can change\n"
        "    dimensions: + area, - team\n"
        "    people: false -> true\n"
        "\n"
        "No warehouse yet.\n"
    )
    assert as_text(comparison()) == "metrics_catalog.yaml against HEAD:metrics_catalog.yaml: no difference\n"


def test_the_table_for_a_pull_request() -> None:
    """One row per record; text of the catalogue is code, so that it neither ends a cell nor becomes markup."""
    same = definition_hash(catalog_of().metrics["rate"])
    page = as_markdown(comparison(pitfall="a | b `c` <script>", target=None))
    assert page == (
        "### `metrics_catalog.yaml` against `HEAD:metrics_catalog.yaml`\n\n"
        "| What | Change | Definition | Effect |\n"
        "| --- | --- | --- | --- |\n"
        "| KPI `rate` changed | `target`: `at_least 0.9, since 2026-01-01, source A plan -> none`"
        "<br>`pitfall`: `None. -> a \\| b 'c' <script>` "
        f"| `{same}` | verdicts can change, numbers cannot |\n\n"
        "No warehouse yet.\n"
    )
    assert as_markdown(comparison()).endswith("\n\nNo difference.\n")


def test_the_record_for_programs() -> None:
    """Names, hashes, changes and whether anything differs."""
    record = as_record(comparison(min_n=6))
    assert (record["same"], record["numbers"], record["why_not"]) == (False, None, "No warehouse yet.")
    (change,) = record["definitions"]["records"]
    assert (change["id"], change["effect"]) == ("rate", "numbers")
    assert change["keys"] == ({"key": "min_n", "old": 5, "new": 6},)
    assert as_record(comparison())["same"] is True


def git(folder: Path, *words: str) -> None:
    """Run git as nobody in particular."""
    who = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in whose subfolder the catalogue was committed as `one`, tagged, and then as `two`."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = tmp_path / "checkout" / "project"
    folder.mkdir(parents=True)
    git(folder.parent, "init")
    git(folder, "commit", "--allow-empty", "-m", "empty")
    for text, tag in (("one", "v1.0"), ("two", "v2.0")):
        (folder / "metrics_catalog.yaml").write_text(text, encoding="utf-8")
        git(folder, "add", ".")
        git(folder, "commit", "-m", text)
        git(folder, "tag", tag)
    (folder / "metrics_catalog.yaml").write_text("three", encoding="utf-8")
    return folder


@pytest.mark.parametrize(("rev", "text"), [("HEAD", "two"), ("HEAD~1", "one"), ("v1.0", "one"), ("main", "two")])
def test_a_revision_is_read_from_git(checkout: Path, rev: str, text: str) -> None:
    """The file as that commit has it, from a subfolder of the checkout; the copy is gone afterwards."""
    catalog = checkout / "metrics_catalog.yaml"
    with catalog_at(rev, catalog=catalog) as path:
        assert path.read_text(encoding="utf-8") == text
    assert not path.exists()
    assert catalog.read_text(encoding="utf-8") == "three"
    assert name_of(rev, catalog=catalog) == f"{rev}:metrics_catalog.yaml"


def test_a_file_is_read_where_it_stands(tmp_path: Path) -> None:
    """Another catalogue needs no git."""
    other = tmp_path / "other.yaml"
    other.write_text("other", encoding="utf-8")
    with catalog_at(str(other), catalog=tmp_path / "metrics_catalog.yaml") as path:
        assert path.read_text(encoding="utf-8") == "other"
    assert other.exists()
    assert name_of(str(other), catalog=tmp_path / "metrics_catalog.yaml") == str(other)


@pytest.mark.parametrize(
    ("rev", "message"),
    [
        ("v1.1", "found 'v1.1': it is neither a file nor a commit, branch or tag .* did you mean v1.0?"),
        ("HEAD~9", "neither a file nor a commit"),
        ("--output=x", "neither a file nor a commit"),
        ("", "neither a file nor a commit"),
        ("HEAD~2", "found 'HEAD~2': metrics_catalog.yaml is not in that revision; name one that has it, or a file"),
        ("no/such.yaml", "neither a file nor a commit"),
    ],
)
def test_what_is_neither_file_nor_revision_is_refused(checkout: Path, rev: str, message: str) -> None:
    """Exit 2, what was found, and what may have been meant; nothing is written."""
    before = sorted(checkout.rglob("*"))
    with (
        pytest.raises(ConfigurationError, match=message) as caught,
        catalog_at(rev, catalog=checkout / "metrics_catalog.yaml"),
    ):
        pass
    assert (caught.value.exit_code, caught.value.problems[0].code) == (ExitCode.CONFIGURATION, "E006")
    assert sorted(checkout.rglob("*")) == before


def test_without_a_checkout_or_git_a_file_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder outside of git, and a machine without it."""
    catalog = tmp_path / "metrics_catalog.yaml"
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    if shutil.which("git") is not None:
        message = "is no git checkout .*; name a file with the other catalogue"
        with pytest.raises(ConfigurationError, match=message), catalog_at("HEAD", catalog=catalog):
            pass
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ConfigurationError, match="git is not installed"), catalog_at("HEAD", catalog=catalog):
        pass
