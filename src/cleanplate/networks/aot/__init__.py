"""AOT and DeAOT, which carry up to ten objects from frame to frame: network, layers, encoders."""
