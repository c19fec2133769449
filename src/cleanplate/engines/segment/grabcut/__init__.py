"""Outlines from colours and edges, without weights; see ``engine``."""
