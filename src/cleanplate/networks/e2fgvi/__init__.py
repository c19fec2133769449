"""E2FGVI and E2FGVI-HQ, which fill a video along its flow: network, flow, propagation,
transformer."""
