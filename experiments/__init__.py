"""Command line, presets, runs, evaluation, replay, reports and benchmarks."""
