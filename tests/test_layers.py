"""No module of cleanplate imports itself, by whatever way round."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp

# Circles that are on their way out: one import of each, by (importer, imported).
KNOWN = {("cleanplate.app.worker", "cleanplate.app.tasks")}


def circle(ignoring: set[tuple[str, str]]) -> list[str]:
    """The modules of one circle of imports, at module level or lazy; empty when there is none."""
    graph = grimp.build_graph("cleanplate", exclude_type_checking_imports=True, cache_dir=None)
    imports = {
        importer: {
            imported
            for imported in graph.find_modules_directly_imported_by(importer)
            if (importer, imported) not in ignoring
        }
        for importer in graph.modules
    }
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_imports_go_round_in_a_circle() -> None:
    assert circle(KNOWN) == []


def test_every_known_circle_is_still_one() -> None:
    for edge in KNOWN:
        assert circle(KNOWN - {edge}), f"{edge} is no circle any more: take it off the list"
