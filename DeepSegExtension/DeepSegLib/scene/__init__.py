"""What DeepSeg puts into a MRML scene and reads from it. The scene is the only state that the modules share."""
