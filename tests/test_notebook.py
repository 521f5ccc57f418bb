"""The notebook in examples/ runs from its first cell to its last, in a kernel of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support.paths import ROOT

NOTEBOOK = ROOT / "examples" / "threads_vs_processes.ipynb"
_ROUNDS = "ROUNDS = 6"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of the client's libraries
def test_the_notebook_runs_in_a_kernel_and_has_stored_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert len(notebook.cells) == 10
    assert results(notebook) == [1] * 6
    (cell,) = (cell for cell in notebook.cells if _ROUNDS in cell.source)
    cell.source = cell.source.replace(_ROUNDS, "ROUNDS = 1")  # what it comes to is not looked at here
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    nbclient.NotebookClient(
        notebook, timeout=280, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert results(notebook) == [1] * 6
    (shown,) = (one["data"]["text/html"] for one in cell.outputs if one["output_type"] == "execute_result")
    assert "data:image/svg+xml;base64," in shown


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_cell_shows_progress_while_it_runs_and_nothing_of_it_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    shown: list[str] = []
    base: Any = nbclient.NotebookClient

    class Client(base):  # type: ignore[misc]
        def process_message(self, message: Any, cell: Any, cell_index: int) -> Any:
            if message["msg_type"] == "update_display_data":
                shown.append(message["content"]["data"]["text/html"])
            return super().process_message(message, cell, cell_index)

    code = "import runner\nrunner.run(mode='thread', workers=1, task='pillow', images=4, protocol='quick', tracking='none')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    Client(notebook, timeout=280, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert any("thread-w1" in html for html in shown)
    (kept,) = (one["data"] for one in notebook.cells[0].outputs if one["output_type"] == "display_data")
    assert kept == {"text/html": "", "text/plain": ""}


def results(notebook: Any) -> list[int]:
    """How many results each cell of code has."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [sum(one["output_type"] == "execute_result" for one in cell.outputs) for cell in cells]
