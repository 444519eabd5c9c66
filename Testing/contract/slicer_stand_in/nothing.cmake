# Slicer packs the extension here; the stand-in has nothing to pack.
