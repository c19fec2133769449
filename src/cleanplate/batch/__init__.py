"""Many clips on many machines: orders in, clean clips out, on Ray. The only user of ray."""
