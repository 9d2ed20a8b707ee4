"""The page of a sweep: hundreds of runs of several models, averaged and correlated as the reader filters them."""
