"""Changes of place and shape, which image and label undergo together."""
