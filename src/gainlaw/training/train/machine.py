"""What a run runs on."""

from __future__ import annotations

import ctypes
import os
from typing import Literal

__all__ = ["count_gpus", "default_workers", "resolve_device", "visible_gpus"]


def count_gpus() -> int:
    """Return the number of CUDA devices, without importing torch: 0 where there is no driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    found = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(found)):
        return 0
    return found.value


def visible_gpus() -> list[str]:
    """Return the GPUs of this process, as ``CUDA_VISIBLE_DEVICES`` names them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [each.strip() for each in given.split(",") if each.strip()]
    return [str(number) for number in range(count_gpus())]


def resolve_device(asked: Literal["auto", "cpu", "cuda"]) -> str:
    """Return ``cuda`` or ``cpu``; ``auto`` is a GPU where there is one."""
    if asked == "auto":
        return "cuda" if count_gpus() else "cpu"
    return asked


def default_workers(device: str, threads: int) -> int:
    """Return how many units to do side by side: one on a GPU, else as many as there are cores for."""
    if device == "cuda":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // threads)
