"""The stages of a job, each a function from named inputs to a named result."""
