"""What was seen of the background, remembered and laid under the hole; see ``engine``."""
