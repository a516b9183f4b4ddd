"""The papers' tables, one command each: recipes over seeds, with intervals, published numbers beside ours."""
