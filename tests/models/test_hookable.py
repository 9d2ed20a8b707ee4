import pytest
import torch

from babelscope.models.families import FAMILIES
from babelscope.models.hookable import refuse_compiled, remedy_for_bypassed
from babelscope.models.parts import parts_of
from tests.models.tiny import tiny_model

# torch's own, on importing its compiler
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")


def test_a_plain_model_is_hookable():
    refuse_compiled(parts_of(tiny_model("bert", "lm")))


def test_a_compiled_model_is_refused():
    model = tiny_model("bert")
    model.compile()
    with pytest.raises(
        ValueError, match=r"a bert model that is not compiled, but got compiled BertModel, .* bypasses hooks; pass"
    ):
        refuse_compiled(parts_of(model))


def test_a_compiled_module_in_it_is_refused_by_name():
    model = tiny_model("llama", "lm")
    model.model.layers[1].mlp.compile()
    with pytest.raises(ValueError, match=r"compiled module 'model\.layers\.1\.mlp'") as caught:
        refuse_compiled(parts_of(model))
    assert "\n" not in str(caught.value)


def test_a_wrapped_module_in_it_is_refused_by_name():
    model = tiny_model("bloom")
    model.h[2] = torch.compile(model.h[2])
    with pytest.raises(ValueError, match=r"compiled module 'h\.2'"):
        refuse_compiled(parts_of(model))


def test_the_remedy_names_a_setting_where_the_family_has_one():
    assert remedy_for_bypassed(FAMILIES["bert"], "place") == (
        "correct that path in the row of family 'bert', or choose the other place."
    )
    assert remedy_for_bypassed(FAMILIES["bloom"], "reading").endswith(
        "or choose the other reading, or set slow_but_exact=false in the model's config."
    )
