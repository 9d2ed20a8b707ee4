from dataclasses import dataclass
from functools import partial

from babelscope.states.pool import mean, weighted
from babelscope.training.description import describe


def test_functions_are_named_with_what_is_set_of_them():
    assert describe(mean) == "mean"
    made = partial(print, 1, sep="-", file=partial(weighted, k=0.5), end=len)
    assert describe(made) == "print(1, end=len, file=weighted(k=0.5), sep='-')"


def test_an_object_is_named_by_its_class():
    class Pool:
        def __call__(self):
            pass

    assert describe(partial(mean, by=Pool())) == describe(partial(mean, by=Pool()))
    assert ".Pool object" in describe(Pool())


def test_an_object_that_says_what_it_holds_is_named_by_that():
    @dataclass
    class Pool:
        rank: int

        def __call__(self):
            pass

    assert describe(Pool(1)) != describe(Pool(2))
