"""The option that names what a run computes on."""

from __future__ import annotations

import argparse


def add_device(parser: argparse.ArgumentParser) -> None:
    """To every command that runs a model on images."""
    parser.add_argument(
        "--device",
        metavar="KEY",
        help="run on this device alone: cpu, mps (Apple's GPU), or cuda:0, cuda:1, ... (default: the fastest with memory enough)",
    )
