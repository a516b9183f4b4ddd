"""One benchmark a file; each compares with a named baseline in the same run."""
