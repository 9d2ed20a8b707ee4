"""The wheel: what it holds, and that it works from there."""

import sys
import zipfile
from pathlib import Path

import pytest

from tests.shell import shell

pytestmark = pytest.mark.usefixtures("somewhere")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    done = shell(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT))
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_holds_what_it_needs(unpacked):
    for source, inside in ((ROOT / "conf", "babelscope/conf"), (ROOT / "src" / "babelscope", "babelscope")):
        files = [path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        missing = [str(path) for path in files if not (unpacked / inside / path.relative_to(source)).is_file()]
        assert not missing
    assert (unpacked / "babelscope" / "data" / "lab" / "lexicon.tsv").is_file()
    assert (unpacked / "babelscope" / "report" / "page.html").is_file()


def test_the_wheel_finds_its_configuration(unpacked):
    done = shell(sys.executable, "-m", "babelscope", "probe", "--cfg", "job", PYTHONPATH=str(unpacked))
    assert (done.returncode, done.stderr) == (0, "")
    where = "from babelscope import cli; print(cli.conf_folder())"
    assert str(unpacked) in shell(sys.executable, "-c", where, PYTHONPATH=str(unpacked)).stdout
