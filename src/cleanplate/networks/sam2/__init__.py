"""SAM 2.1; one file is one section of its paper."""
