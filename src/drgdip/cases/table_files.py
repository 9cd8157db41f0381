"""Files that are tables already: Parquet, and the first sheet of an Excel workbook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from drgdip._mixed import from_mixed
from drgdip.cases.parts import Part, check_header, slices
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from drgdip.cases.parts import Wanted

__all__ = ["excel_parts", "parquet_parts"]


def parquet_parts(path: Path, rows: int, wanted: Wanted) -> Iterator[Part]:
    """Yield a Parquet file in parts; it is read as they are asked for."""
    try:
        file = pq.ParquetFile(path)
        columns = wanted(file.schema_arrow.names)
        total, read = file.metadata.num_rows, 0
        for batch in file.iter_batches(batch_size=rows, columns=columns):
            read += len(batch)
            yield Part(pa.Table.from_batches([batch]), read / total)
        if not total:
            yield Part(file.schema_arrow.empty_table().select(columns), 1.0)
    except pa.ArrowInvalid as error:
        raise CaseError(f"{path}: is not a Parquet file: {error}") from error


def excel_parts(path: Path, rows: int, wanted: Wanted) -> Iterator[Part]:
    """Yield the first sheet of a workbook, its first row the header, in parts; it is read whole."""
    try:
        import python_calamine
    except ImportError as error:
        what = f"{path}: reading Excel needs the extra excel: python -m pip install 'drgdip[excel]'"
        raise CaseError(what) from error
    try:
        sheet = python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0)
        header, *body = sheet.to_python(skip_empty_area=False) or [[]]
    except (python_calamine.CalamineError, ValueError, IndexError) as error:
        raise CaseError(f"{path}: is not an Excel file: {error}") from error
    names = [" ".join(str(cell).split()) for cell in header]
    check_header(path, [name for name in names if name])
    places = {name: position for position, name in enumerate(names) if name}
    if not places:
        raise CaseError(f"{path}: the first row of the first sheet is blank; it should be a header")
    body = [row for row in body if any(cell != "" for cell in row)]
    columns = {name: _cells([row[places[name]] for row in body]) for name in wanted(list(places))}
    yield from slices(pa.table(columns), rows)


def _cells(cells: list[object]) -> pa.Array:
    """Return cells of a workbook as texts, or as what they are where some are numbers, dates or the like."""
    known = [None if cell == "" else cell for cell in cells]
    if all(cell is None or isinstance(cell, str) for cell in known):
        return pa.array(known, pa.string())
    return from_mixed(known)
