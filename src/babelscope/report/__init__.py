"""Rows on disk, and the tables, figures and page made from them."""
