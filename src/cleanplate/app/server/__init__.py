"""The server: routes behind one guard, projects and their work, the REST endpoints."""
