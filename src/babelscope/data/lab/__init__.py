"""The lab: a controlled parallel language, so that everything works with no network and no data."""

from babelscope.data.lab.corpus import lab, lab_tagged, lab_text, tiers
from babelscope.data.lab.lexicon import LANGUAGES, dictionary

__all__ = ["LANGUAGES", "dictionary", "lab", "lab_tagged", "lab_text", "tiers"]
