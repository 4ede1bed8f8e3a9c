"""What the five findings compute, for any two networks and any data set."""
