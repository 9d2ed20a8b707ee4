"""Fine-tuning and pre-training, and the callbacks that watch them."""

from babelscope.training.callbacks import LayerScores
from babelscope.training.export import ExportModel
from babelscope.training.task_scores import TaskScores
from babelscope.training.transformers_trainer import TransformersLayerScores

__all__ = ["ExportModel", "LayerScores", "TaskScores", "TransformersLayerScores"]
