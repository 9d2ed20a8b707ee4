"""wandb, which mirrors the rows: its logger, its pictures, its offline runs and its workspaces."""
