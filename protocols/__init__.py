"""The rules: records, domains, prompting, iteration, credit and proposing. No Ray, no torch, no network."""
