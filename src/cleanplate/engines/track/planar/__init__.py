"""Flat, textured objects, each followed as a plane in space; see ``engine``."""
