"""What each module's panel does with its widgets, which come from its .ui file. Errors are shown in the panel, never as a window of their own."""
