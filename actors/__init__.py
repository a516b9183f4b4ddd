"""Five roles as Ray actors round plain classes, the arena that wires them, and their tools."""

from protocols.openmp import wait_briefly

wait_briefly()  # before any module of this package loads torch
