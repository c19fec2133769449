"""Background carried along the optical flow from the frames that show it; see ``engine``."""
