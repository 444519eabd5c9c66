"""How much memory is free."""

from __future__ import annotations

from pathlib import Path

import torch


def free_bytes(device: torch.device) -> int | None:
    """Memory that is free on a device, what PyTorch holds there without using it among it; None where nobody tells."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    known = [free for free in (_free_main_memory(), _free_in_control_group()) if free is not None]
    return min(known, default=None)


def _free_main_memory() -> int | None:
    try:
        fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
        return sum(int(fields[name].split()[0]) * 1024 for name in ("MemAvailable", "SwapFree"))
    except (OSError, KeyError, ValueError):
        return None  # no Linux


def _free_in_control_group() -> int | None:
    """What a container or a cluster's job leaves (cgroup version 2); files held in memory give way and count as free."""
    try:
        own = next(line[3:] for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines() if line.startswith("0::"))
        folder = Path("/sys/fs/cgroup") / own.strip("/")
        limit, taken = (int((folder / name).read_text(encoding="ascii")) for name in ("memory.max", "memory.current"))
        fields = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
        return limit - taken + int(fields["inactive_file"])
    except (OSError, StopIteration, KeyError, ValueError):
        return None  # another system, or no limit ("max")
