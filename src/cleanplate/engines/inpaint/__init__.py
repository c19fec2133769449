"""Engines that paint what is behind a mask. The modules of this package are the list."""
