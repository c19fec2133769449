"""VINet, "Deep Video Inpainting": the recurrent network and its layers."""
