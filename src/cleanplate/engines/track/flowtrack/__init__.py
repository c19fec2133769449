"""Objects that bend, followed by optical flow and colour; see ``engine``."""
