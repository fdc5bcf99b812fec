"""Code of the seed document as it is printed there, with what it leaves out: imports, models, outside systems."""
