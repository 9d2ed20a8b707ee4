from types import SimpleNamespace

import pytest
from pytorch_lightning.strategies import DDPStrategy, DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy

from babelscope.training import ExportModel
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import guard, layer_scores, make_module, make_trainer
from tests.training.test_neuron_scores import neuron_scores


class Zero(SimpleNamespace):
    """What DeepSpeed's strategy, which needs its package to be made, tells of itself."""

    zero_stage_3 = True
    lightning_module = None


@pytest.mark.parametrize("make", [layer_scores, neuron_scores, guard, lambda: ExportModel(tiny_tokenizer(), folder="")])
@pytest.mark.parametrize("strategy", [FSDPStrategy(), ModelParallelStrategy(), Zero()], ids=lambda s: type(s).__name__)
def test_a_callback_that_needs_the_whole_model_refuses_shards_before_anything_runs(make, strategy, tmp_path):
    callback, module = make(), make_module(tiny_model("xlm-roberta", "classification"))
    trainer = make_trainer(tmp_path, callback)
    trainer.strategy.connect(module)
    trainer._accelerator_connector.strategy = strategy
    with pytest.raises(
        ValueError, match=rf"strategy` .* {type(callback).__name__} runs .* {type(strategy).__name__}; use"
    ):
        callback.on_fit_start(trainer, module)


def test_whole_models_of_several_processes_are_fine(tmp_path):
    assert hasattr(DeepSpeedStrategy, "zero_stage_3")
    callback, module = layer_scores(), make_module(tiny_model("xlm-roberta", "classification"))
    trainer = make_trainer(tmp_path, callback)
    trainer._accelerator_connector.strategy = DDPStrategy()
    callback.on_fit_start(trainer, module)
