"""DeepSeg's training package: from a folder of labelled images to a model file that DeepSeg loads."""
