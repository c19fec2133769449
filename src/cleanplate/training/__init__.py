"""Training of the inpainting networks: configuration, data, losses, recipes, the loop."""
