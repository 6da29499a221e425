"""How a trace is looked at: a table in the terminal, a page that opens from disk, a Jupyter widget."""
