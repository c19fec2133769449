"""The process that does one job of a project."""
