"""Exact nearest neighbours: blocks of products, selection, certificates."""
