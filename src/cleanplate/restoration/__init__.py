"""Damage of film and tape: found, proposed as masks, and filled by the ordinary engines."""
