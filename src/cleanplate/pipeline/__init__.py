"""Crop, fill, paste: the way of a picture from the source to the output, for files and streams."""
