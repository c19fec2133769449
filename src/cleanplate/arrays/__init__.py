"""Pure functions on arrays and iterators: masks, flow, filling, overlays, planes. No files, no
video."""
