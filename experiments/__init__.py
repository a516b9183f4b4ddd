"""Command line, presets, runs, evaluation, replay, reports and benchmarks."""

from protocols.openmp import wait_briefly

wait_briefly()  # before any module of this package loads torch
