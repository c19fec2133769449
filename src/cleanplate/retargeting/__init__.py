"""A clip in another shape: a crop that follows what matters, or the picture put together anew."""
