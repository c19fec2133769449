"""Half-transparent overlays undone rather than painted over; see ``engine``."""
