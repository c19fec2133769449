"""From what a user points with to outlines: the same way for jobs, projects and the page."""
