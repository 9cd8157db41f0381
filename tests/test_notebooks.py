"""The notebooks run from top to bottom, and show tables and figures."""

from __future__ import annotations

import json

import pytest
from conftest import ROOT

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")
pytest.importorskip("matplotlib")

FOLDER = ROOT / "docs" / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_are_two():
    assert [path.stem for path in NOTEBOOKS] == ["agency", "hospital"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    text = path.read_text(encoding="utf-8")
    book = json.loads(text)
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert text == json.dumps(book, ensure_ascii=False, indent=1) + "\n"
    nbformat.validate(nbformat.from_dict(book))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_it_says(path, tmp_path):
    book = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()  # raises the error of a cell that fails
    drawn = 0
    for cell in book.cells:
        if cell.cell_type != "code":
            continue
        shown = {kind for output in cell.outputs for kind in output.get("data", {})}
        last = cell.source.strip().splitlines()[-1]
        errors = "".join(output.get("text", "") for output in cell.outputs if output.get("name") == "stderr")
        assert "boxes stand for them" in errors or not errors, errors
        if last.startswith("monitor.plot_"):
            drawn += 1
            assert "image/png" in shown, cell.source
        elif last.startswith("monitor.") or last.endswith((")", "flows")):
            assert "text/html" in shown or "print" in last or "len(" in last, cell.source
    assert drawn >= 4
    assert not list(tmp_path.iterdir())
