"""What is remembered: the episode store, the task space, the buffer, checkpoints and pinned artefacts."""
