"""Babelscope: see how a multilingual model's languages meet, layer by layer, while you train it."""

__version__ = "0.1.0"
