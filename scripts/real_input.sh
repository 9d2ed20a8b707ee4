#!/usr/bin/env bash
# The main job on real text: pre-train a small XLM-R on SIB-200 in 31 languages, fine-tune it on English topics twice,
# with everything trained and with the early layers frozen, and write one page.
#   scripts/real_input.sh FOLDER_OF_SIB200 [OUTPUT]
set -euo pipefail
export SIB200=$1
out=${2:-outputs/sib200}

babelscope pretrain corpus=sib200 languages=ilo31 weights=null folder="$out/checkpoint" \
  model.recipe.steps=700 model.recipe.tokenizer.size=10000 model.recipe.pairs=24 model.recipe.texts=12
babelscope train -m model.checkpoint="$out/checkpoint" model.learning_rate=1e-3 \
  corpus=sib200 languages=ilo31 task=topic task.language=eng_Latn freeze=none,early sentences=60 logger=csv \
  "output=$out/"'${hydra:runtime.choices.freeze}'
babelscope report runs="$out"
