import pytest

from babelscope.models.policies import FreezePolicy, early, embeddings, last, none


@pytest.mark.parametrize(
    ("blocks", "depth", "frozen"),
    [
        ((), 4, set()),
        ([0, 8], 12, set(range(8))),
        ([[0, 8]], 8, set(range(8))),
        ([[-4, None]], 12, {8, 9, 10, 11}),
        ([[0, -4]], 12, set(range(8))),
        ([[None, 2], [-1, None]], 6, {0, 1, 5}),
        ([[0, 3], [2, 4]], 6, {0, 1, 2, 3}),
        ([[-3, -1]], 6, {3, 4}),
    ],
)
def test_ranges_are_half_open(blocks, depth, frozen):
    assert FreezePolicy(blocks=blocks).frozen_blocks(depth) == frozen


@pytest.mark.parametrize("blocks", [[[0, 9]], [[3, 3]], [[4, 2]], [[-9, 2]], [8, 9], [[0, 0]]])
def test_ranges_outside_the_blocks_are_refused(blocks):
    with pytest.raises(
        ValueError,
        match=r"`freeze.blocks` to be non-empty ranges within the 8 blocks of the model, but got \[.*\[0, 8\]\.$",
    ):
        FreezePolicy(blocks=blocks).frozen_blocks(8)


@pytest.mark.parametrize("blocks", [[[0]], [[0, 1, 2]], ["0-8"], [[0, "8"]], [[0, 1.5]], [0, 1, 2], [True, False]])
def test_ranges_are_pairs_of_whole_numbers(blocks):
    with pytest.raises(ValueError, match=r"Expected `freeze\.blocks` to be half-open ranges of whole numbers"):
        FreezePolicy(blocks=blocks)


def test_the_decoder_trains_or_not():
    with pytest.raises(ValueError, match=r"Expected `freeze\.decoder` to be train or freeze, but got 'half'"):
        FreezePolicy(decoder="half")


@pytest.mark.parametrize(
    ("depth", "blocks"), [(32, 8), (12, 3), (24, 6), (30, 8), (8, 2), (6, 2), (4, 1), (2, 1), (1, 1), (80, 20)]
)
def test_early_scales_eight_of_thirty_two_blocks(depth, blocks):
    policy = early(depth)
    assert policy == FreezePolicy(inputs=True, blocks=[(0, blocks)], final_norm=True, lm_head=True)
    assert policy.frozen_blocks(depth) == set(range(blocks))


@pytest.mark.parametrize("count", [7, 8, 9])
def test_early_freezes_exactly_as_many_blocks_as_asked(count):
    assert early(32, blocks_frozen=count).frozen_blocks(32) == set(range(count))


@pytest.mark.parametrize(("share", "blocks"), [(0.5, 16), (0.75, 24), (1, 32), (0.01, 1)])
def test_a_share_of_the_blocks(share, blocks):
    assert early(32, share=share).frozen_blocks(32) == set(range(blocks))
    assert last(32, share=share).frozen_blocks(32) == set(range(32 - blocks, 32))
    assert early(32, share=share, blocks_frozen=3) == early(32, blocks_frozen=3)


@pytest.mark.parametrize("share", [0, -0.5, 1.5])
def test_a_share_is_within_the_model(share):
    with pytest.raises(ValueError, match=r"Expected `freeze\.share` to be above 0 and at most 1, but got"):
        early(12, share=share)


def test_the_published_code_freezes_one_more():
    assert early(32, legacy=True).frozen_blocks(32) == set(range(9))
    assert early(32, blocks_frozen=8, legacy=True).frozen_blocks(32) == set(range(9))


def test_no_block_may_be_frozen_early():
    assert early(4, blocks_frozen=0) == FreezePolicy(inputs=True, final_norm=True, lm_head=True)


def test_last_mirrors_early():
    assert last(12) == FreezePolicy(blocks=[(-3, None)], final_norm=True, lm_head=True)
    assert last(12).frozen_blocks(12) == {9, 10, 11}


@pytest.mark.parametrize("make", [early, last])
@pytest.mark.parametrize("count", [-1, 13])
def test_more_blocks_than_there_are_cannot_be_frozen(make, count):
    with pytest.raises(
        ValueError, match=rf"`freeze.blocks_frozen` to be between 0 and the 12 .* but got {count}; .* 11"
    ):
        make(12, blocks_frozen=count)


def test_the_other_policies():
    assert none(12) == FreezePolicy()
    assert embeddings(12, decoder="freeze") == FreezePolicy(inputs=True, decoder="freeze")
