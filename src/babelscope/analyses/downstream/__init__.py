"""Downstream tasks, by EleutherAI's harness."""
