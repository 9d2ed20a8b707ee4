import pytest

from babelscope.data.corpora import Corpus

ENGLISH = ("The cat sleeps.", "A dog", "Rain falls on the old town.", "We read a long book today.", "Sun.")
GERMAN = ("Die Katze schläft.", "Ein Hund", "Regen fällt auf die Altstadt.", "Wir lesen heute ein Buch.", "Sonne.")
GREEK = ("Η γάτα κοιμάται.", "Ένας σκύλος", "Βρέχει.", "Διαβάζουμε ένα βιβλίο σήμερα.", "Ήλιος.")


@pytest.fixture
def corpus():
    texts = {"eng_Latn": ENGLISH, "deu_Latn": GERMAN, "ell_Grek": GREEK}
    return Corpus("toy", tuple(f"s{i}" for i in range(5)), texts)
