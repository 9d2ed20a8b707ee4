#!/usr/bin/env bash
# The freezing study on real text: pre-train a small XLM-R on SIB-200 in 31 languages, fine-tune it on English topics and
# on English text in four settings and three seeds, and write the page. Repeated, it goes on where it was stopped.
#   scripts/freezing_study.sh FOLDER_OF_SIB200 [OUTPUT]
set -euo pipefail
export SIB200=$1
out=${2:-outputs/freezing_study_sib200}

[ -e "$out/checkpoint/config.json" ] ||
  babelscope pretrain corpus=sib200 languages=ilo31 weights=null folder="$out/checkpoint" \
    model.recipe.steps=700 model.recipe.tokenizer.size=10000 model.recipe.pairs=24 model.recipe.texts=12
babelscope train -m experiment=freezing_study hydra/launcher=workers \
  model.checkpoint="$out/checkpoint" model.learning_rate=1e-3 \
  corpus=sib200 languages=ilo31 sentences=60 trainer.max_epochs=8 \
  task=topic,lm task.language=eng_Latn setting=none,early,guard,contrast seed=0,1,2 \
  "output=$out/"'${task.name}-${hydra:runtime.choices.setting}-${seed}-${fingerprint:}'
babelscope report runs="$out"
