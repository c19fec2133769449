"""The engines e2fgvi and e2fgvi_hq: their base, and the published procedure on one shot."""
