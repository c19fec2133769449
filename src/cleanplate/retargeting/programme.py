"""A linear programme put together from rows of arrays, solved by HiGHS."""

from __future__ import annotations

import numpy as np

from cleanplate.errors import CleanplateError

Rows = tuple[np.ndarray, np.ndarray, np.ndarray, int]
"""Row numbers, variables and values of a sparse matrix, and how many rows it has."""


class Programme:
    """Variables with bounds and prices; ``solve`` finds those of the least cost."""

    def __init__(self) -> None:
        self._costs: list[np.ndarray] = []
        self._lower: list[np.ndarray] = []
        self._upper: list[np.ndarray] = []
        self._count = 0
        self._rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._row_lower: list[np.ndarray] = []
        self._row_upper: list[np.ndarray] = []
        self._row_count = 0

    def variables(self, costs: np.ndarray, lower: float, upper: float) -> np.ndarray:
        """Add variables; their numbers."""
        numbers = self._count + np.arange(len(costs))
        self._costs.append(costs)
        self._lower.append(np.full(len(costs), lower))
        self._upper.append(np.full(len(costs), upper))
        self._count += len(costs)
        return numbers

    def fix(self, numbers: np.ndarray, values: np.ndarray) -> None:
        """Variables ``numbers`` are ``values``."""
        rows = np.arange(len(numbers))
        self._add((rows, numbers, np.ones(len(numbers)), len(numbers)), values, values)

    def absolute(self, variables: np.ndarray, kernel: np.ndarray, price: float) -> None:
        """Add ``price`` times the sum of the absolute values of the correlation with ``kernel``."""
        count = len(variables) - len(kernel) + 1
        up = self.variables(np.full(count, price), 0, np.inf)
        down = self.variables(np.full(count, price), 0, np.inf)
        rows = np.arange(count)
        columns = [variables[k : k + count] for k in range(len(kernel))] + [up, down]
        values = [np.full(count, v) for v in [*kernel, -1.0, 1.0]]
        self._add(
            (np.tile(rows, len(columns)), np.concatenate(columns), np.concatenate(values), count),
            np.zeros(count),
            np.zeros(count),
        )

    def hinge(self, at: Rows, ceiling: np.ndarray, price: np.ndarray, floor: np.ndarray) -> None:
        """Add ``price`` times what each row of ``at`` lies above ``ceiling`` or below ``floor``."""
        rows, columns, values, count = at
        off = self.variables(np.broadcast_to(price, count).astype(float), 0, np.inf)
        numbers, ones = np.arange(count), np.ones(count)
        indexes = np.concatenate([rows, numbers])
        variables = np.concatenate([columns, off])
        none = np.full(count, np.inf)
        self._add((indexes, variables, np.concatenate([values, -ones]), count), -none, ceiling)
        self._add((indexes, variables, np.concatenate([values, ones]), count), floor, none)

    def _add(self, at: Rows, lower: np.ndarray, upper: np.ndarray) -> None:
        rows, columns, values, count = at
        self._rows.append((rows + self._row_count, columns, values))
        self._row_lower.append(np.asarray(lower, float))
        self._row_upper.append(np.asarray(upper, float))
        self._row_count += count

    def solve(self) -> np.ndarray:
        """The variables at the least cost.

        Raises:
            CleanplateError: the solver finds no solution, which bounds and prices here exclude.
        """
        import highspy

        rows, columns, values = (np.concatenate(parts) for parts in zip(*self._rows, strict=True))
        order = np.argsort(rows, kind="stable")
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = self._count, self._row_count
        model.col_cost_ = np.concatenate(self._costs)
        model.col_lower_, model.col_upper_ = map(np.concatenate, (self._lower, self._upper))
        model.row_lower_ = np.concatenate(self._row_lower)
        model.row_upper_ = np.concatenate(self._row_upper)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        counts = np.bincount(rows, minlength=self._row_count)
        model.a_matrix_.start_ = np.concatenate([[0], np.cumsum(counts)])
        model.a_matrix_.index_ = columns[order]
        model.a_matrix_.value_ = values[order]
        solver = highspy.Highs()
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.passModel(model)
        solver.run()
        status = solver.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise CleanplateError(
                f"No path of the crop was found ({solver.modelStatusToString(status)}); "
                "it is a defect: please report it."
            )
        return np.array(solver.getSolution().col_value)
