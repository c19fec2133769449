"""Segment Anything and its descendants: prompts, mask decoder, and the encoders ViT and TinyViT."""
