"""One folder or file per world of tasks; importing this package registers them."""
