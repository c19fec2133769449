"""AOT and DeAOT: many objects at once, by what they look like; see ``engine``."""
