"""Engines that follow objects from frame to frame. The modules of this package are the list."""
