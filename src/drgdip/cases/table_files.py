"""Files that are tables already: Parquet, and the first sheet of an Excel workbook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from drgdip._mixed import from_mixed
from drgdip.cases.parts import HEADER_ROWS, Part, check_header, header_at, slices
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drgdip.cases.names import ColumnNames
    from drgdip.cases.parts import Wanted
    from drgdip.cases.sources import Source

__all__ = ["excel_parts", "parquet_parts"]


def parquet_parts(source: Source, rows: int, wanted: Wanted, *, columns: ColumnNames | None = None) -> Iterator[Part]:
    """Yield a Parquet file in parts; it is read as they are asked for. Its columns have types of their own."""
    del columns
    try:
        file = pq.ParquetFile(source.path or pa.BufferReader(source.content))
        chosen = wanted(file.schema_arrow.names)
        total, read = file.metadata.num_rows, 0
        for batch in file.iter_batches(batch_size=rows, columns=chosen):
            read += len(batch)
            yield Part(pa.Table.from_batches([batch]), read / total)
        if not total:
            yield Part(file.schema_arrow.empty_table().select(chosen), 1.0)
    except pa.ArrowInvalid as error:
        raise CaseError(f"{source}: is not a Parquet file: {error}") from error


def excel_parts(source: Source, rows: int, wanted: Wanted, *, columns: ColumnNames | None = None) -> Iterator[Part]:
    """Yield the first sheet of a workbook, its first row the header, in parts; it is read whole."""
    try:
        import python_calamine
    except ImportError as error:
        what = f"{source}: reading Excel needs the extra excel: python -m pip install 'drgdip[excel]'"
        raise CaseError(what) from error
    try:
        with source.open() as file:
            sheet = python_calamine.CalamineWorkbook.from_filelike(file).get_sheet_by_index(0)
            cells = sheet.to_python(skip_empty_area=False) or [[]]
    except (python_calamine.CalamineError, ValueError, IndexError) as error:
        raise CaseError(f"{source}: is not an Excel file: {error}") from error
    named = [[" ".join(str(cell).split()) for cell in row] for row in cells[:HEADER_ROWS]]
    place = header_at(named, columns)
    if place is None:
        place = next((place for place, row in enumerate(named) if any(row)), 0)
    names, body = named[place], cells[place + 1 :]
    above = tuple(text for row in named[:place] if (text := " ".join(filter(None, row))))
    check_header(source, [name for name in names if name])
    places = {name: position for position, name in enumerate(names) if name}
    if not places:
        raise CaseError(f"{source}: the first rows of the first sheet are blank; one of them should be a header")
    body = [row for row in body if any(cell != "" for cell in row)]
    read = {name: _cells([row[places[name]] for row in body]) for name in wanted(list(places))}
    yield from slices(pa.table(read), rows, above)


def _cells(cells: list[object]) -> pa.Array:
    """Return cells of a workbook as texts, or as what they are where some are numbers, dates or the like."""
    known = [None if cell == "" else cell for cell in cells]
    if all(cell is None or isinstance(cell, str) for cell in known):
        return pa.array(known, pa.string())
    return from_mixed(known)
