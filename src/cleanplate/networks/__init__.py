"""Torch modules with the keys of the published weights, a folder for each family.

They import nothing but torch and the standard library, keep no state between calls and know nothing
of files or frames: ``checkpoints`` loads their weights, ``engines`` runs them.
"""
