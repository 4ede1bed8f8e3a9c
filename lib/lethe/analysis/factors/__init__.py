"""Which source of randomness makes two runs differ: pick-freeze designs, read and decomposed."""
