"""cleanplate removes things from video."""
