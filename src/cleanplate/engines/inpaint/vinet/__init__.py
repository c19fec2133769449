""" "Deep Video Inpainting", a recurrent network; see ``engine``."""
