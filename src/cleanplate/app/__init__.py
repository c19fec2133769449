"""The app: a page at 127.0.0.1 that picks, tracks and removes. Run it with ``cleanplate app``.

    browser ──▶ guard ──▶ routes ──▶ session (a project's folder) ──▶ queue ──▶ worker process

The server answers at once; whatever takes long runs in a worker process that can be stopped.
"""
