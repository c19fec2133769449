"""SiamMask on one object, and on the objects of a clip: for the engines siammask and
siammask_hq."""
