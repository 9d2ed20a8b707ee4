"""Fine-tuning and pre-training, and the callbacks that watch them."""

from babelscope.training.export import ExportModel
from babelscope.training.guard import AlignmentGuard
from babelscope.training.layer_scores import LayerScores
from babelscope.training.neuron_scores import NeuronScores
from babelscope.training.task_scores import TaskScores
from babelscope.training.token_scores import TokenScores
from babelscope.training.transformers_trainer import TransformersLayerScores

__all__ = [
    "AlignmentGuard",
    "ExportModel",
    "LayerScores",
    "NeuronScores",
    "TaskScores",
    "TokenScores",
    "TransformersLayerScores",
]
