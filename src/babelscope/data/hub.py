"""Rows of a data set on the Hugging Face Hub."""

from typing import Any


def load_rows(dataset: str, language: str, split: str, *, key: str = "corpus") -> list[dict[str, Any]]:
    """Load one language and split of a Hub data set, from the local cache where it is there.

    Args:
        dataset: name of the data set.
        language: as the data set calls it.
        split: as the data set calls it.
        key: the configuration key of the corpus, for errors.

    Raises:
        OSError: if it can neither be reached nor found, or may not be read without an account.
    """
    import datasets

    try:
        return list(datasets.load_dataset(dataset, language, split=split))
    except (OSError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise OSError(
            f"Expected to load {language} ({split}) of {dataset} from the Hugging Face Hub, but got {reason}; "
            f"without a network or access to it, give a local copy as {key}.folder"
        ) from error
