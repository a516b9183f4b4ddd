"""SE-Bench's experiments as one ladder: what is played (`rows`), at which size (`scales`), and what came out.

rows ──scales──▶ settings ──playing──▶ run folders ──reading──▶ figures ──table, plots──▶ documents
"""
