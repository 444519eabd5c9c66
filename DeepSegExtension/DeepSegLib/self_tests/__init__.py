"""What the modules' own tests do, in Slicer: the steps of a user on generated data, one file a module."""
