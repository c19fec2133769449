"""Masks through time: anchors, runs between them, which direction is surer, what is shown."""
