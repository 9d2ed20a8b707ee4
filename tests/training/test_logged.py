import torch

from babelscope.training.logged import by_language


def test_what_lightning_appends_is_no_part_of_a_language():
    logged = {
        "validation_loss/eng_Latn": torch.tensor(0.5),
        "validation_loss/eng_Latn_epoch": torch.tensor(0.5),
        "validation_loss/deu_Latn_epoch/dataloader_idx_1": torch.tensor(0.25),
        "validation_loss/deu_Latn/dataloader_idx_1": torch.tensor(0.25),
        "test_loss/eng_Latn": 1.0,
        "validation_unnamed": 9.0,
        "train_loss": 9.0,
    }
    assert by_language(logged, "validation") == {
        ("validation_loss", "eng_Latn"): 0.5,
        ("validation_loss", "deu_Latn"): 0.25,
    }


def test_loaders_of_one_language_are_kept_apart():
    logged = {f"test_loss/eng_Latn/dataloader_idx_{i}": float(i) for i in range(3)}
    assert by_language(logged, "test") == {
        ("test_loss", "eng_Latn"): 0.0,
        ("test_loss/dataloader_idx_1", "eng_Latn"): 1.0,
        ("test_loss/dataloader_idx_2", "eng_Latn"): 2.0,
    }
