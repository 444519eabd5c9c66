"""`deepseg-train calibrate`: what held-out cases teach about a model's answers."""
