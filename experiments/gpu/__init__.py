"""What this product does with one GPU, measured without Ray: `python experiments/gpu/measure.py`."""
