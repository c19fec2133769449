"""Building blocks that several networks share, some of them faster equivalents of torch's own."""
