"""Models of other makers become DeepSeg's: one file a format. Nothing a foreign file holds is run."""
