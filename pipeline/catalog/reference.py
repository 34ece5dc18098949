"""Pages that list what a catalogue may say, and every way in which it can be wrong, from the declarations of both."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.catalog.codes import HIDES, MEANINGS
from pipeline.catalog.model import KINDS, Role
from pipeline.catalog.schema import Schema, catalog_schema, takes

_GENERATED = "by `roi catalog docs`; edit the declarations, not this page."
_HEADER = "| key | needed | takes | says |\n|---|---|---|---|"


def reference() -> dict[str, str]:
    """File name -> text of each page, for the folder of the documentation."""
    return {"catalog-keys.md": keys_page(), "catalog-errors.md": errors_page()}


def errors_page() -> str:
    """Every error code of the catalogue with its meaning."""
    head = f"# Errors of the catalogue\n\nWritten from `pipeline/catalog/codes.py` {_GENERATED}"
    told = (
        "`roi catalog check` prints each problem as `file:line:column  code  found ..., expected ...`, and what may "
        "have been meant. A code never gets a second meaning."
    )
    rows = "\n".join(f"| `{code}` | {meaning} |" for code, meaning in MEANINGS.items())
    return f"{head}\n\n{told}\n\n| code | what is wrong |\n|---|---|\n{rows}\n\n{_hidden()}\n"


_FOLLOWS = """\
## What one run cannot tell

All mistakes of a file are told at once, whatever they are, save what cannot be known before another one is mended:

- Of a file that cannot be read (`C001`, `C002`), or of which the YAML breaks outside of its records, nothing else is
  told; of a role, KPI or line in which it breaks (`C004`, `C007`) nothing else of that record.
- Of a key that stands twice (`C005`) the first value is judged. A KPI or line whose id stands twice is judged as well;
  lines and subscriptions that name it are not held against either of the two.
- A key that cannot be read (`C006`, `C010` to `C014`) is compared with nothing: not the owner with idle roles, not the
  name with other names, not the parts of a line with other lines. A misspelled key is read as the one that is named as
  meant, a kind that does not exist as the one that is meant or that the other keys fit.
- An example is run as soon as nothing is wrong that its value rests on; words, owner, target, `min_n`,
  `matures_after_days` and dimensions may be. Whether its columns exist and its values fit is told before that. An
  example of which a key cannot be read is not looked at any further.
- Of the same KPI or line, since one thing follows from the other:"""


def _hidden() -> str:
    """What is not told while something else is."""
    by_codes: dict[tuple[str, ...], list[str]] = {}
    for code, codes in HIDES.items():
        by_codes.setdefault(codes, []).append(f"`{code}`")
    rows = [f"| {', '.join(found)} | {', '.join(f'`{one}`' for one in codes)} |" for codes, found in by_codes.items()]
    return "\n".join([_FOLLOWS, "", "| while this stands | these cannot be told |", "|---|---|", *rows])


def keys_page() -> str:
    """Every key of the catalogue: whether it is needed, what it takes and what it says."""
    whole = catalog_schema()
    records = whole["$defs"]
    kinds = {kind: records[model.__name__] for kind, model in KINDS.items()}
    shared = _shared(list(kinds.values()))
    blocks = [
        f"# Keys of the catalogue\n\nWritten from `pipeline/catalog/model.py` {_GENERATED} [catalog.md](catalog.md) "
        "says how a catalogue is edited.",
        _section("The file", whole, whole["properties"]),
        _section("A role", records[Role.__name__], records[Role.__name__]["properties"]),
        "## Every KPI\n\nBeside these, each has the keys of its kind.\n\n" + _shared_table(shared, kinds),
    ]
    for kind, schema in kinds.items():
        own = [key for key in schema["properties"] if key not in ("kind", *shared)]
        blocks.append(_section(f"Kind `{kind}`", schema, own))
    others = [name for name, schema in records.items() if schema not in kinds.values() and name != Role.__name__]
    blocks += [_section(name, records[name], records[name]["properties"]) for name in others]
    return "\n\n".join(blocks) + "\n"


def _shared(kinds: list[Schema]) -> list[str]:
    """Keys that most kinds have and that take the same in each of those."""
    keys = dict.fromkeys(key for schema in kinds for key in schema["properties"])
    parts = {key: [one["properties"][key] for one in kinds if key in one["properties"]] for key in keys}
    return [key for key, held in parts.items() if 2 * len(held) > len(kinds) and all(one == held[0] for one in held)]


def _shared_table(shared: list[str], kinds: dict[str, Schema]) -> str:
    rows = [f"| `kind` | yes | one of {', '.join(kinds)} | What sort of number it is; each kind has a section below. |"]
    for key in shared:
        without = [f"`{kind}`" for kind, schema in kinds.items() if key not in schema["properties"]]
        schema = next(one for one in kinds.values() if key in one["properties"])
        rows.append(_row(key, schema, note=f" Not of {', '.join(without)}." if without else ""))
    return "\n".join([_HEADER, *rows])


def _section(title: str, schema: Schema, keys: Iterable[str]) -> str:
    said = " ".join(str(schema.get("description", "")).split())
    return f"## {title}\n\n{_cell(said)}\n\n" + "\n".join([_HEADER, *(_row(key, schema) for key in keys)])


def _row(key: str, schema: Schema, *, note: str = "") -> str:
    part = schema["properties"][key]
    cells = (f"`{key}`", "yes" if key in schema["required"] else "", _cell(takes(part)), _said(part) + note)
    return f"| {' | '.join(cells)} |"


def _said(part: Schema) -> str:
    default = f" When left out: {str(part['default']).lower()}." if "default" in part else ""
    return _cell(str(part.get("description", ""))) + default


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("<", r"\<")
