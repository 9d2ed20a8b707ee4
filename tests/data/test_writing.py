import pytest

from babelscope.data import script_of


def test_script_is_the_second_part_of_the_code():
    assert [script_of(code) for code in ("eng_Latn", "zho_Hans", "jpn_Jpan")] == ["Latn", "Hans", "Jpan"]


@pytest.mark.parametrize("code", ["english", "eng_latn", "en_Latn", "eng-Latn", "eng_Latn ", ""])
def test_other_names_are_refused(code):
    with pytest.raises(ValueError, match="Expected a FLORES code"):
        script_of(code)
