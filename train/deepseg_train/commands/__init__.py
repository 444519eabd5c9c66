"""One file a command of `deepseg-train`: `add(commands)` declares it, `run(options)` does it."""
