"""Reports about runs: read once (`reading`), told in sections, rendered as HTML, Markdown and LaTeX."""
