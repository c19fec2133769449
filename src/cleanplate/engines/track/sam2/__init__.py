"""The tracker of SAM 2.1: what is remembered of a clip, apart from the network."""
