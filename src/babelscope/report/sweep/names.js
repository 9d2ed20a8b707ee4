// Names that are written from right to left, inside text that is not, as in bidi.py.
"use strict";

// Letters and marks of the other direction: the blocks that Unicode gives them, and its own marks.
const TURNS = /[\u0590-\u08ff\u200f\u202b\u202e\u2067\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

// Sets a name apart, so that it takes no number beside it along; others stay as they are, to be searched for.
function isolate(name) {
  return TURNS.test(name) ? `\u2068${name}\u2069` : name;
}
