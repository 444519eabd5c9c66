"""Why a model answers as it does, and how far that explanation can be believed."""
