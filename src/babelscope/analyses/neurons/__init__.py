"""FFN neurons: what languages share, regions of their own, and life without them."""
