"""How files are written: published by rename when they are whole, and locked against other
programs."""
