"""The words of neurons: what their metrics are called and how they are read. words.py makes `Words` of them."""

from typing import Any

from babelscope.report.table import THIRDS

CRITERIA = {"z": "z-score", "lape": "LAPE", "published": "published"}
"""How a region was found, in short."""

_RULES = {
    "z": "A key neuron of a language carries far more of that language's mean cosine than of the other languages'.",
    "lape": "A LAPE neuron fires often for few languages: its firing rates have little entropy over languages.",
    "published": "These neurons come from published index files.",
}

NEURON_WORDS: dict[str, dict[str, Any]] = {
    "lrds": {
        "name": "LRDS",
        "title": "LRDS: nearness of one language's sentences (difference of mean cosines)",
        "reading": "How much more alike the activations of two sentences are when both are of one language. The two "
        "never mean the same, so this is language and no meaning. It is 0 where neurons know no language.",
        "kind": "separability",
        "null": "lrds_null",
        "unit_interval": False,
    },
    "sads": {
        "name": "SADS",
        "title": "SADS: nearness of translations (difference of mean cosines)",
        "reading": "How much more alike the activations of two sentences are when they are translations. The two are "
        "always of different languages, so this is meaning and no language. An untrained model is not quite at 0, "
        "since translations are alike in length and share some tokens: step 0, where it was measured, is the baseline.",
        "kind": "alignment",
        "null": "sads_null",
        "unit_interval": False,
    },
    "sads_legacy": {
        "name": "SADS, published stride",
        "title": "SADS with the stride of the code released by Zeng et al. 2025 (difference of mean cosines)",
        "reading": "The released code cuts its blocks one sentence too long, so that few of its pairs are "
        "translations: near 0 whatever the neurons know.",
        "kind": "alignment",
        "unit_interval": False,
    },
    "perplexity": {
        "name": "perplexity",
        "title": "Perplexity (e to the mean nats per target)",
        "reading": "Not comparable between languages, whose words are cut into more or fewer tokens.",
        "unit_interval": False,
    },
    "bits_per_byte": {
        "name": "bits per byte",
        "title": "Loss (bits per UTF-8 byte of text)",
        "reading": "Does not depend on how words are cut into tokens, but on how many bytes a script takes.",
        "unit_interval": False,
    },
    "ablated_loss": {
        "name": "change of loss",
        "title": "Change of loss when a language's neurons are ablated (nats per target)",
        "reading": "Above 0, the model has become worse in the language of the row.",
        "null": "random_loss",
        "unit_interval": False,
    },
    "ablated_perplexity": {
        "name": "ratio of perplexity",
        "title": "Perplexity when a language's neurons are ablated, as a ratio to the intact model's",
        "reading": "Above 1, the model has become worse.",
        "null": "random_perplexity",
        "unit_interval": False,
    },
    "ablated_bits_per_byte": {
        "name": "change of bits per byte",
        "title": "Change of loss when a language's neurons are ablated (bits per byte)",
        "reading": "Above 0, the model has become worse in the language of the row.",
        "null": "random_bits_per_byte",
        "unit_interval": False,
    },
    "random_loss": {
        "name": "change of loss, random neurons",
        "title": "Change of loss when as many random neurons in every layer are ablated (nats per target)",
        "reading": "What ablating as many neurons costs, whatever their language.",
        "unit_interval": False,
    },
    "random_bits_per_byte": {
        "name": "change of bits per byte, random neurons",
        "title": "Change of loss when as many random neurons in every layer are ablated (bits per byte)",
        "reading": "What ablating as many neurons costs, whatever their language.",
        "unit_interval": False,
    },
    "random_perplexity": {
        "name": "ratio of perplexity, random neurons",
        "title": "Perplexity when as many random neurons in every layer are ablated, as a ratio to the intact model's",
        "reading": "What ablating as many neurons costs, whatever their language.",
        "unit_interval": False,
    },
    "ablated_neurons": {
        "name": "ablated neurons",
        "title": "Ablated neurons (number)",
        "unit_interval": False,
    },
}

for _c, _said in CRITERIA.items():
    NEURON_WORDS[f"{_c}_neurons"] = {
        "name": f"{_said} neurons",
        "title": f"Neurons of a language by {_said} (number)",
        "reading": _RULES[_c],
        "kind": "other",
        "null": f"{_c}_neurons_null",
        "unit_interval": False,
    }
    NEURON_WORDS[f"{_c}_overlap"] = {
        "name": f"overlap, {_said}",
        "title": f"Neurons that two languages have in common by {_said} (share of the neurons of either, 0 to 1)",
        "reading": "Chance is what regions of the same sizes per layer have in common when placed at random.",
        "null": f"{_c}_overlap_chance",
    }
    NEURON_WORDS[f"{_c}_kept"] = {
        "name": f"kept, {_said}",
        "title": f"Neurons of a language kept since step 0 by {_said} (share of the neurons of either, 0 to 1)",
        "reading": "Near 1, a language is where it was before training; chance is two regions placed at random.",
        "null": f"{_c}_kept_chance",
    }
    for _third in THIRDS:
        NEURON_WORDS[f"{_c}_share_{_third}"] = {
            "name": f"{_said}, {_third} third",
            "title": f"Neurons of a language that lie in the {_third} third of the blocks by {_said} (share, 0 to 1)",
            "reading": "The null is the share of all neurons that lie there.",
            "null": f"{_c}_share_{_third}_null",
        }
    for _other, _also in CRITERIA.items():
        if _other != _c:
            NEURON_WORDS[f"{_c}_{_other}_overlap"] = {
                "name": f"overlap of {_said} and {_also}",
                "title": f"Neurons that {_said} and {_also} both give a language (share of the neurons of either)",
                "reading": "Chance is two regions of the same sizes per layer placed at random.",
                "null": f"{_c}_{_other}_overlap_chance",
            }
