"""How sure a model is: how to draw samples (`samplers`) apart from what to measure on them (`measures`)."""
