"""Projects: a clip, what a user says of it, and what comes of it, in one folder."""
