"""What goes where an object goes: its shadow on the ground, its reflection in water or glass."""
