"""YAML files of one's own that are not UTF-8."""

import pytest

from tests.verbs.command import refused, says


@pytest.mark.parametrize(
    ("encoding", "place"), [("latin-1", "byte 0xfc in {}, line 3"), ("utf-16", "byte 0xff in {}, line 1")]
)
@pytest.mark.parametrize("length", [9, 9000])  # within what is read at once, and after
@pytest.mark.parametrize("more", [(), ("-m", "seed=1,2")])
def test_the_file_is_named(somewhere, encoding, place, length, more):
    file = somewhere / "mine" / "experiment" / "odd.yaml"
    file.parent.mkdir(parents=True)
    file.write_bytes(f"# @package _global_\n# {'x' * length}\nseed: 7  # für den Anfang\n".encode(encoding))
    line = refused("probe", "--config-dir", "mine", "experiment=odd", *more)
    says(line, f"Expected UTF-8 text, but got {place.format(file)}; convert the file to UTF-8")
