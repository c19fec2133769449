"""Engines that outline what a user points at. The modules of this package are the list."""
