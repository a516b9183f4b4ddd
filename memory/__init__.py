"""What is remembered: the episode store, the task space, the buffer, checkpoints and pinned artefacts."""

from protocols.openmp import wait_briefly

wait_briefly()  # before any module of this package loads torch
