"""The commands of `deepseg`, one file each: `add` describes it to argparse, `run` does it."""
