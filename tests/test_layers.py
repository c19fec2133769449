"""No module of cleanplate imports itself, by whatever way round; only media imports av."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

PACKAGES = {
    **{"av": "media", "gradio": "app", "fastapi": "app", "uvicorn": "app", "typer": "cli"},
    **{"ray": "batch", "fsspec": "batch"},
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """All imports, at module level and lazy ones, but for those that only type checkers see."""
    return grimp.build_graph(
        "cleanplate",
        exclude_type_checking_imports=True,
        include_external_packages=True,
        cache_dir=None,
    )


def test_no_imports_go_round_in_a_circle(graph: grimp.ImportGraph) -> None:
    imports = {
        importer: graph.find_modules_directly_imported_by(importer) for importer in graph.modules
    }
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize(("library", "home"), PACKAGES.items())
def test_a_large_library_is_imported_in_one_package_alone(
    graph: grimp.ImportGraph, library: str, home: str
) -> None:
    importers = graph.find_modules_that_directly_import(library)
    outside = {name for name in importers if not name.startswith(f"cleanplate.{home}.")}
    assert outside <= {f"cleanplate.{home}"}
