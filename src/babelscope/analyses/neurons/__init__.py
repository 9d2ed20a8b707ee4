"""FFN neurons: find, compare and ablate the neurons that are specific to a language."""
