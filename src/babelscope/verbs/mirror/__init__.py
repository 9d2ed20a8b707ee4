"""What mirrors the rows: a CSV file, and wandb with its logger, its pictures, its offline runs and its workspaces."""
