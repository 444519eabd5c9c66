"""Many patients with one model: which cases there are, what became of each, and what is told about them."""
