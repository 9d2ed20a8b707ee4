"""Fine-tuning and pre-training, and the callbacks that watch them."""

from babelscope.training.callbacks import LayerScores
from babelscope.training.export import ExportModel
from babelscope.training.guard import AlignmentGuard
from babelscope.training.task_scores import TaskScores
from babelscope.training.transformers_trainer import TransformersLayerScores

__all__ = ["AlignmentGuard", "ExportModel", "LayerScores", "TaskScores", "TransformersLayerScores"]
