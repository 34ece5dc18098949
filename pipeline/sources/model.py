"""The typed records of the mapping language; every key of a mapping is declared here and nowhere else."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from pipeline.catalog.document import Positions

Reader = Literal["csv", "json", "jsonl", "parquet", "trec"]
Delimiter = Literal[",", ";", "\t", "|"]
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
Words = Annotated[str, Field(min_length=1, max_length=400)]
Expression = Annotated[str, Field(min_length=1, max_length=8000)]
RawColumn = Annotated[str, Field(min_length=1, max_length=200, pattern=r'^[^"\\\x00-\x1f]+$')]
ANY = "*"
"""Among the optional columns: whatever else there is, as where the keys of an object are data themselves; as a part of
a name: whatever else has such a name."""


MOST_BEFORE_HEADER = 99
"""Lines before the header of a CSV file, such as the title of a report."""


class CsvForm(NamedTuple):
    """How a CSV file is laid out."""

    delimiter: Delimiter = ","
    """By what it sets its columns apart."""
    header_line: int = 1
    """The line its header stands on; what is before it is passed over."""

    @property
    def before(self) -> int:
        """Lines before the header."""
        return self.header_line - 1

    def unlike(self, other: CsvForm) -> dict[str, str | int]:
        """What it says otherwise than another layout, by the keys of a mapping."""
        return {key: told for key, told in self._asdict().items() if told != getattr(other, key)}


AS_A_RULE = CsvForm()
"""How CSV files are laid out where nobody says otherwise."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TableMapping(_Strict):
    """How the records of a file become rows of one canonical table."""

    from_: Expression = Field(default="raw", alias="from")
    where: Expression | None = None
    version: Expression | None = None
    columns: Annotated[dict[str, Expression], Field(min_length=1)]
    totals: tuple[str, ...] = ()

    def expressions(self) -> tuple[str, ...]:
        """Every SQL text of the table."""
        return tuple(text for text in (self.from_, self.where, self.version, *self.columns.values()) if text)


class SourceMapping(_Strict):
    """One kind of export: how it is recognised and read, and which rows it makes."""

    source: Identifier
    describes: Words
    reader: Reader
    also: tuple[Reader, ...] = ()
    delimiter: Delimiter = ","
    """By what a CSV file sets its columns apart."""
    header_line: Annotated[int, Field(ge=1, le=MOST_BEFORE_HEADER + 1)] = 1
    """The line that the header of a CSV file stands on."""
    files: Annotated[tuple[Words, ...], Field(min_length=1)]
    required: tuple[RawColumn, ...] = ()
    optional: tuple[RawColumn, ...] = ()
    records: Words | None = None
    ignore: Words | None = None
    nulls: tuple[Words, ...] = ()
    """Texts that stand for nothing in any column, such as `?`."""
    time_zone: Words = "UTC"
    final_newline: bool = True
    quarantine_limit: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Share of the rows of a file that may break a rule; of one with more, none is loaded."""
    mark: Words | None = None
    relations: dict[Identifier, Expression] = Field(default_factory=dict)
    tables: dict[str, TableMapping] = Field(default_factory=dict)
    _positions: Positions = PrivateAttr(default_factory=lambda: Positions("mapping", {}))

    @property
    def csv_form(self) -> CsvForm:
        """How its CSV files are laid out."""
        return CsvForm(self.delimiter, self.header_line)

    @property
    def known(self) -> tuple[str, ...]:
        """Columns or keys the mapping knows by name, required ones first."""
        return (*self.required, *(name for name in self.optional if ANY not in name))

    @property
    def takes_any(self) -> bool:
        """Other columns or keys are no news: `optional` lists `*`."""
        return ANY in self.optional

    @property
    def patterns(self) -> tuple[str, ...]:
        """What stands for names among the optional columns, such as `x_*`."""
        return tuple(name for name in self.optional if ANY in name)

    def expressions(self) -> tuple[str, ...]:
        """Every SQL text of the mapping."""
        return (*self.relations.values(), *(text for one in self.tables.values() for text in one.expressions()))

    def formats(self) -> tuple[SourceMapping, ...]:
        """The mapping once for each of its readers, each alone; `records` stay with the reader json."""
        if not self.also:
            return (self,)
        records = {"json": self.records}
        readers = dict.fromkeys((self.reader, *self.also))
        return tuple(self.model_copy(update={"reader": one, "records": records.get(one)}) for one in readers)

    @property
    def is_text(self) -> bool:
        """Every column of `raw` is text: Parquet alone brings types of its own, unless it is one format of several."""
        return self.reader != "parquet" or bool(self.also)

    def where(self, *path: str | int) -> str:
        """`file:line:column` of a key of the YAML, for problems."""
        return self._positions.where(*path)

    @classmethod
    def at(cls, positions: Positions, data: object) -> SourceMapping:
        """The mapping that a YAML document says; raises pydantic's ValidationError."""
        mapping = cls.model_validate(data)
        mapping._positions = positions
        return mapping
