"""The engines, in a folder for each task: ``segment``, ``track``, ``inpaint``. See
``protocols``."""
