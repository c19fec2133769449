"""What several trackers use."""
