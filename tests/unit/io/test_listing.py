"""Which files a folder, a glob, a list or a CSV names."""

import os

import pytest

from tf_inpaint.errors import InputError
from tf_inpaint.io.listing import list_files, source_root, split_edges


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in ("b.JPG", "a.png", "sub/c.WebP", "sub/.hidden.png", ".git/d.png", "notes.txt", "sub/deep/e.tif"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _posix(paths):
    return [path.replace(os.sep, "/") for path in paths]


def test_a_folder_gives_all_pictures_below_it(tree):
    expected = ["photos/a.png", "photos/b.JPG", "photos/sub/c.WebP", "photos/sub/deep/e.tif"]
    assert _posix(list_files("photos")) == expected
    assert list_files(["photos/sub", "photos/a.png"]) == [*list_files("photos/sub"), "photos/a.png"]
    assert _posix(list_files("sub", base="photos")) == expected[2:]


def test_links_are_followed_once(tree):
    try:
        os.symlink(tree / "photos", tree / "photos" / "sub" / "loop")
        os.symlink(tree / "photos" / "a.png", tree / "photos" / "link.png")
    except OSError:
        pytest.skip("no symbolic links here")
    names = [os.path.basename(path) for path in list_files("photos")]
    assert names == ["a.png", "b.JPG", "link.png", "c.WebP", "e.tif"]


def test_a_glob_gives_the_pictures_it_matches(tree):
    assert _posix(list_files("photos/*")) == ["photos/a.png", "photos/b.JPG"]
    assert len(list_files("photos/**/*")) == 4
    assert _posix(list_files("*.png", base=str(tree / "photos"))) == [(tree / "photos/a.png").as_posix()]
    with pytest.raises(InputError, match=r"photos/\*.gif matches no images"):
        list_files("photos/*.gif")


def test_a_list_looks_beside_itself_and_then_here(tree):
    (tree / "photos/list.flist").write_text(
        "\ufeffa.png\r\n\r\n# a comment\r\n photos/sub/c.WebP \r\n", encoding="utf-8"
    )
    assert _posix(list_files("photos/list.flist")) == ["photos/a.png", "photos/sub/c.WebP"]
    (tree / "list.txt").write_text(f"{tree}/photos/a.png\nphotos/gone.png\n")
    with pytest.raises(InputError, match=r"list.txt:2: photos/gone.png does not exist in \. or the working directory"):
        list_files("list.txt")
    (tree / "list.txt").write_text("photos\n")
    with pytest.raises(InputError, match=r"list.txt:1: photos is a folder"):
        list_files("list.txt")


def test_a_csv_has_a_column_of_pictures(tree):
    (tree / "a.csv").write_text('id,Image\n1,photos/a.png\n2,"photos/b.JPG"\n')
    assert list_files("a.csv") == ["photos/a.png", "photos/b.JPG"]
    (tree / "a.csv").write_text("photos/a.png,cat\n\nphotos/b.JPG,dog\n")
    assert list_files("a.csv") == ["photos/a.png", "photos/b.JPG"]
    (tree / "a.csv").write_text("file,label\nphotos/a.png,cat\nphotos/x.png,dog\n")
    with pytest.raises(InputError, match=r"a.csv:3: photos/x.png does not exist"):
        list_files("a.csv")
    (tree / "a.csv").write_text("label,image\ncat,photos/a.png\ndog\n")
    with pytest.raises(InputError, match=r"a.csv:3: the column of images \(number 2\) is empty"):
        list_files("a.csv")


def test_nothing_found_is_a_sentence(tree):
    (tree / "empty").mkdir()
    (tree / "empty.txt").write_text("# nothing\n")
    (tree / "binary.txt").write_bytes(b"\xff\xfe\x00\x80")
    for source, sentence in {
        "empty": "empty holds no images",
        "empty.txt": "empty.txt is an empty list",
        "binary.txt": "binary.txt is not a list",
        "gone": "gone does not exist",
        "": "no images are named",
        (): "no images are named",
    }.items():
        with pytest.raises(InputError, match=f"^{sentence}"):
            list_files(source)


def test_sketches_of_a_folder_apart_may_have_their_pictures_names(tree):
    (tree / "lines").mkdir()
    (tree / "lines" / "a.png").touch()
    files = list_files("photos")
    assert split_edges(files, "photos", "lines")[1] == {files[0]: os.path.join("lines", "a.png")}
    assert split_edges(files, "photos", "photos")[1] == {}  # an image is not its own edges


def test_the_root_of_a_source(tree):
    files = list_files("photos")
    assert source_root("photos", files) == "photos"
    assert source_root("photos/sub/*", files[2:]) == str(tree / "photos" / "sub")
    assert source_root(["photos/sub", files[0]], files) == str(tree / "photos")


def test_sketches_are_told_from_pictures(tmp_path):
    names = ["a.jpg", "a_edge.jpg", "a_edge.png", "b.png", "c_edge.png", "d_edge.png", "d_edge_edge.png"]
    for name in names:
        (tmp_path / name).touch()
    files = [str(tmp_path / name) for name in names]
    images, edges = split_edges(files)
    assert images == [files[0], files[3], files[4], files[5]]
    assert edges == {files[0]: files[2], files[5]: files[6]}
    assert split_edges(files[:1]) == (files[:1], {files[0]: files[2]})  # found though not listed
