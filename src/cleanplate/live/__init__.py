"""A live picture: masks, fills and writes pictures as they come, within a stated delay."""
