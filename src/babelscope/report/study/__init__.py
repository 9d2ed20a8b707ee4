"""The page of a study: many runs of few settings, with intervals over seeds, languages and sources."""
