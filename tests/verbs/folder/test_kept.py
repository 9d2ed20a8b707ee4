"""What a run folder holds, and where another configuration differs."""

from babelscope.verbs.folder.kept import _first_difference


def test_the_first_key_that_differs():
    kept = {"a": {"b": [1, 2], "c": 1.0}, "d": None}
    assert _first_difference(kept, {"d": None, "a": {"c": 1, "b": [1, 2]}}) is None
    assert _first_difference(kept, {**kept, "a": {"b": [1, 3], "c": 1.0}}) == ("a.b", "[1, 2]", "[1, 3]")
    assert _first_difference(kept, {**kept, "e": "é"}) == ("e", "no such key", '"é"')
    assert _first_difference(kept, {"a": kept["a"]}) == ("d", "null", "no such key")
    assert _first_difference({"a": {"b": 1}}, {"a": None}) == ("a", '{"b": 1}', "null")
