"""Plotly figures, each a pure function of rows; colours of text and ground are left to the page that shows them."""
