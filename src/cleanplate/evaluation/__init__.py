"""How good fills and tracks are: metrics, datasets, the benchmark, the comparison sheet, the
demo."""
