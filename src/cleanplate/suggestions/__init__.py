"""What to propose for removal, and from when to when it is there."""
