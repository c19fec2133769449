"""SiamMask finds the box, HQ-SAM outlines what is in it; see ``engine``."""
