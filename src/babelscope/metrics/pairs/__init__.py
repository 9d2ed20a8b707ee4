"""Cosines of pairs of points, summed in closed form, with intervals and nulls."""
