"""Losses, SFT, and what they need."""
