"""What several segmenters use."""
