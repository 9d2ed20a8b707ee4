import pytest

from babelscope.models.adapters import lora, save_adapted
from babelscope.models.load import load
from babelscope.models.peek import peek
from tests.models.tiny import save_checkpoint


def test_family_of_a_checkpoint_of_adapters_and_of_a_run(tmp_path):
    folder = save_checkpoint(tmp_path / "mt5", "mt5", "lm")
    assert peek(folder).model_type == "mt5"
    save_adapted(load(folder, head="lm", adapter=lora).model, tmp_path / "run" / "model")
    assert peek(tmp_path / "run" / "model").objective == "span"
    (tmp_path / "run" / "manifest.json").write_text("{}")
    assert peek(tmp_path / "run").model_type == "mt5"


def test_no_configuration(tmp_path):
    with pytest.raises(ValueError, match=r"config\.json"):
        peek(tmp_path)
    with pytest.raises(ValueError, match=r"`model\.checkpoint`"):
        peek("./nowhere")
