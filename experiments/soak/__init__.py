"""A long run under faults: parts of it are killed or stopped every few seconds, and nothing may come of it.

    python -m experiments.soak --minutes 30 --every 4 --seed 1 --out FOLDER

See `docs/reliability.md`. Not here: what makes a run survive (`actors`).
"""
