"""Which image goes with which mask and where results go."""

import os

import numpy as np
import pytest

from tf_inpaint.errors import InputError
from tf_inpaint.io.images import write_png
from tf_inpaint.predict.jobs import Job, check_inputs, check_outputs, jobs_from_list, jobs_from_paths


def _images(folder, *names):
    for name in names:
        write_png(folder / name, np.zeros((4, 4), np.uint8))
    return str(folder)


def test_one_picture(tmp_path):
    assert jobs_from_paths("a/x.jpg", "m.png") == [Job("a/x.jpg", "m.png", "a/x_completed.png")]
    assert jobs_from_paths("a/x.jpg", "m.png", "o.png") == [Job("a/x.jpg", "m.png", "o.png")]
    assert jobs_from_paths("a/x.jpg", "m.png", "new/") == [Job("a/x.jpg", "m.png", "new/x.png")]
    assert jobs_from_paths("a/x.jpg", "m.png", str(tmp_path))[0].output == str(tmp_path / "x.png")
    (job,) = jobs_from_paths("a/x.jpg", _images(tmp_path, "x.png", "y.png"))
    assert job.mask == str(tmp_path / "x.png")


def test_folders_match_by_name_and_keep_their_subfolders(tmp_path):
    images = _images(tmp_path / "i", "a.png", "b/c.png", "lone.png")
    masks = _images(tmp_path / "m", "a.png", "b/c.png")
    jobs = {os.path.relpath(job.image, images): job for job in jobs_from_paths(images, masks, "out")}
    assert jobs["a.png"].mask == f"{masks}/a.png" and jobs["a.png"].output == os.path.join("out", "a.png")
    assert jobs["b/c.png"].mask == f"{masks}/b/c.png" and jobs["b/c.png"].output == os.path.join("out", "b/c.png")
    assert jobs["lone.png"].mask is None
    with pytest.raises(InputError, match="no mask for .*lone.png"):
        check_inputs(jobs["lone.png"])


def test_sketches_are_found_by_name_with_or_without_edge(tmp_path):
    images = _images(tmp_path / "i", "a.png", "a_edge.png", "b.png", "c.png")
    sketches = _images(tmp_path / "s", "a.png", "a_edge.png", "b.png")
    jobs = jobs_from_paths(images, "m.png", edges=sketches)
    assert [job.image for job in jobs] == [f"{images}/{name}.png" for name in "abc"]  # a_edge.png is no image
    assert [job.edges for job in jobs] == [f"{sketches}/a_edge.png", f"{sketches}/b.png", None]
    beside = jobs_from_paths(images, "m.png", edges=images)
    assert [job.edges for job in beside] == [f"{images}/a_edge.png", None, None]
    assert [job.edges for job in jobs_from_paths(images, "m.png", edges="e.png")] == ["e.png"] * 3


def test_lists_may_name_sketches(tmp_path):
    folder = _images(tmp_path, "a.png", "m.png", "e.png")
    (tmp_path / "l.flist").write_text("a.png\tm.png\to.png\te.png\n")
    (tmp_path / "l.csv").write_text("image,mask,edges\na.png,m.png,e.png\na.png,m.png,\n")
    (job,) = jobs_from_list(tmp_path / "l.flist")
    assert job == Job(f"{folder}/a.png", f"{folder}/m.png", f"{folder}/o.png", f"{folder}/e.png")
    assert [job.edges for job in jobs_from_list(tmp_path / "l.csv")] == [f"{folder}/e.png", None]


def test_outputs_of_lists_may_have_a_folder_and_inputs_addresses(tmp_path):
    (tmp_path / "l.flist").write_text("b/x.jpg m.png\ns3://b/y.png s3://b/m.png z.png\nx.png m.png /o.png\n")
    jobs = jobs_from_list(tmp_path / "l.flist", into="s3://out")
    assert [job.output for job in jobs] == ["s3://out/x.png", "s3://out/z.png", "/o.png"]
    assert [job.image for job in jobs] == [f"{tmp_path}/b/x.jpg", "s3://b/y.png", f"{tmp_path}/x.png"]
    assert jobs_from_list(tmp_path / "l.flist")[1].output == f"{tmp_path}/z.png"


def test_a_folder_with_one_mask_for_all(tmp_path):
    images = _images(tmp_path, "a.png", "b.png")
    assert [job.mask for job in jobs_from_paths(images, "m.png")] == ["m.png"] * 2


def test_what_an_earlier_run_wrote_is_no_picture_to_complete(tmp_path):
    images = _images(
        tmp_path, "a.png", "a_completed.png", "a_completed_coarse.png", "a_completed_attention.png", "b_completed.png"
    )
    (tmp_path / "a_completed.jpg").touch()  # by --format
    assert [os.path.basename(job.image) for job in jobs_from_paths(images, "m.png")] == ["a.png", "b_completed.png"]


def test_masks_of_the_same_name_are_refused_for_their_image_alone(tmp_path):
    masks = _images(tmp_path / "m", "a.png", "b.png")
    (tmp_path / "m" / "a.jpg").touch()
    clash, sound = jobs_from_paths(_images(tmp_path / "i", "a.png", "b.png"), masks)
    with pytest.raises(InputError, match="two masks have the same name, .*: .*a.jpg and .*a.png"):
        check_inputs(clash)
    assert sound.problem is None


@pytest.mark.parametrize("name", ["x_mask.png", "mask_x.png", "x.mask.png", "sub/x_mask.png"])
def test_masks_lie_among_the_images_or_in_a_folder_under_names_of_their_own(tmp_path, name):
    image = name.replace(os.path.basename(name), "x.png")
    both = _images(tmp_path / "both", image, name)
    (job,) = jobs_from_paths(both, both)
    assert (job.image, job.mask) == (f"{both}/{image}", f"{both}/{name}")
    (job,) = jobs_from_paths(_images(tmp_path / "i", image), _images(tmp_path / "m", name))
    assert job.mask == f"{tmp_path}/m/{name}"


def test_masks_are_where_the_option_says(tmp_path):
    images = _images(tmp_path / "i", "x.png", "x_mask.png", "y.png")
    masks = _images(tmp_path / "m", "x.png", "mask_x_mask.png")
    jobs = {os.path.basename(job.image): job for job in jobs_from_paths(images, masks)}
    assert {name: job.mask and os.path.relpath(job.mask, masks) for name, job in jobs.items()} == {
        "x.png": "x.png",  # not the one beside it
        "x_mask.png": "mask_x_mask.png",  # an image here
        "y.png": None,
    }
    with pytest.raises(InputError, match="no mask for .*y.png"):
        check_inputs(jobs["y.png"])
    for mask in ("m.png", None):
        assert [os.path.basename(job.image) for job in jobs_from_paths(images, mask)] == sorted(jobs)
    assert [os.path.basename(job.image) for job in jobs_from_paths(images, f"{tmp_path}/m/../i/")] == ["x.png", "y.png"]


def test_no_image_is_its_own_mask(tmp_path):
    folder = _images(tmp_path, "x.png")
    (job,) = jobs_from_paths(folder, folder)
    with pytest.raises(InputError, match="no mask for .*x.png: .* x_mask, mask_x or x.mask; in .* there are x.png"):
        check_inputs(job)
    (job,) = jobs_from_paths(folder, None)
    assert job.mask == job.image  # which `read_task` takes for transparency, or refuses


def test_names_are_compared_as_letters(tmp_path):
    images, masks = _images(tmp_path / "i", "caf\u00e9.png"), _images(tmp_path / "m", "cafe\u0301.png")
    assert jobs_from_paths(images, masks)[0].mask == f"{masks}/cafe\u0301.png"


def test_images_of_one_stem_are_both_named_and_the_rest_is_done(tmp_path):
    images = _images(tmp_path, "a.png", "b.png")
    (tmp_path / "a.jpg").touch()
    jobs = jobs_from_paths(images, "m.png", "out")
    check_outputs(jobs)
    for job in jobs[:2]:
        with pytest.raises(InputError, match=r"a.jpg and .*a.png would both be written to out/a.png: rename one"):
            check_inputs(job)
    assert jobs[2].problem is None


def test_names_too_long_for_the_system_are_cut_by_bytes():
    (job,) = jobs_from_paths("a/" + "\u6c34" * 83 + ".png", "m.png")
    for output in (job.output, job.coarse_output):
        name = os.path.basename(output)
        assert len(os.fsencode(name)) <= 255 and name.startswith("\u6c34" * 70)
    assert job.output.endswith("_completed.png") and job.coarse_output.endswith("_coarse.png")
    (other,) = jobs_from_paths("a/" + "\u6c34" * 82 + "\u6728.png", "m.png")
    assert other.output != job.output


def test_other_formats_have_their_endings(tmp_path):
    (job,) = jobs_from_paths(_images(tmp_path, "a.png"), "m.png", "out", ending="jpg")
    assert job.output == os.path.join("out", "a.jpg")
    check_outputs([job], endings=(".jpg", ".jpeg"))
    with pytest.raises(InputError, match="out.png must end in .webp, as --format says"):
        check_outputs([Job("a.png", "m.png", "out.png")], endings=(".webp",))


def test_a_file_is_no_place_for_a_folder(tmp_path):
    images = _images(tmp_path, "a.png")
    with pytest.raises(InputError, match="--output must be a folder"):
        jobs_from_paths(images, "m.png", f"{images}/a.png")


def test_a_list_of_lines(tmp_path):
    (tmp_path / "list.flist").write_text("# comment\n\na.png m.png o.png\nb.jpg\t/masks/my mask.png\n")
    here = str(tmp_path)
    assert jobs_from_list(f"{here}/list.flist") == [
        Job(f"{here}/a.png", f"{here}/m.png", f"{here}/o.png"),
        Job(f"{here}/b.jpg", "/masks/my mask.png", f"{here}/b_completed.png"),
    ]


def test_paths_count_from_the_working_directory_where_only_there_the_picture_is(tmp_path, monkeypatch):
    _images(tmp_path, "here/a.png")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "list.txt").write_text("here/a.png m.png o.png\n")
    monkeypatch.chdir(tmp_path)
    assert jobs_from_list("lists/list.txt") == [Job("here/a.png", "m.png", "o.png")]


def test_a_csv(tmp_path):
    here = str(tmp_path)
    (tmp_path / "list.csv").write_text("image,note,mask,output\na.png,x,m.png,o.png\n\nb.png,y,m.png,\n")
    assert jobs_from_list(f"{here}/list.csv") == [
        Job(f"{here}/a.png", f"{here}/m.png", f"{here}/o.png"),
        Job(f"{here}/b.png", f"{here}/m.png", f"{here}/b_completed.png"),
    ]
    (tmp_path / "short.csv").write_text("Image , mask\na.png, m.png\n")
    assert jobs_from_list(f"{here}/short.csv")[0].output == f"{here}/a_completed.png"


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("x.flist", b"a.png m.png o.png\na.png\n", "x.flist:2: expected `image mask output`, found 1"),
        ("x.flist", b"my a.png m.png o.png\n", "x.flist:1: .* separate them by tabs"),
        ("x.flist", b"\n# nothing\n", "names no image"),
        ("x.flist", b"\x89PNG\r\n\xff\xfe", "is not a text file"),
        ("x.csv", b"picture,mask\na.png,m.png\n", "x.csv:1: the first line must name the columns"),
        ("x.csv", b"image,mask\na.png,m.png\nb.png,\n", "x.csv:3: image and mask must both be given"),
        ("x.csv", b"image,mask\n", "names no image"),
        ("x.csv", b'image,mask\na.png,"m.png' + b"\n" * 140_000, "x.csv:.*field larger than field limit"),
        ("x.csv", b"\xff\xfe", "bytes are not UTF-8"),
    ],
)
def test_a_bad_list_is_named_with_its_line(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said):
        jobs_from_list(str(tmp_path / name))


def test_a_list_that_is_not_there():
    with pytest.raises(InputError, match="the list no.flist cannot be read: No such file"):
        jobs_from_list("no.flist")


@pytest.mark.parametrize(
    "jobs, said",
    [
        ([Job("a.png", "m.png", "a.png")], "a.png is one of the inputs"),
        ([Job("a.png", "m.png", "./m.png")], "m.png is one of the inputs"),
        ([Job("a.png", "m.png", "o.png"), Job("b.png", "m.png", "x/../a.png")], "a.png is one of the inputs"),
        ([Job("a.png", "m.png", "o.png"), Job("b.png", "m.png", "o.png")], "o.png would be written twice"),
        ([Job("o_coarse.png", "m.png", "o.png")], "o_coarse.png is one of the inputs"),
        ([Job("a.png", "m.png", "o.jpg")], "must end in .png"),
    ],
)
def test_no_output_overwrites_an_input_or_another(jobs, said):
    with pytest.raises(InputError, match=said):
        check_outputs(jobs, coarse=True)


def test_a_link_to_the_input_is_the_input(tmp_path):
    os.symlink(tmp_path / "a.png", tmp_path / "o.png")
    with pytest.raises(InputError, match="is one of the inputs"):
        check_outputs([Job(str(tmp_path / "a.png"), "m.png", str(tmp_path / "o.png"))])


def test_inputs_that_are_no_pictures_are_refused_by_their_heads(tmp_path):
    folder = _images(tmp_path, "a.png")
    (tmp_path / "text.png").write_text("not an image")
    check_inputs(Job(f"{folder}/a.png", f"{folder}/a.png", "o.png"))
    for name, said in (("text.png", "is not an image"), ("none.png", "does not exist")):
        with pytest.raises(InputError, match=f"{name} {said}"):
            check_inputs(Job(f"{folder}/a.png", f"{folder}/{name}", "o.png"))


def test_masks_and_results_below_the_images_are_no_images(tmp_path):
    images = _images(tmp_path, "a.png", "b/a.png", "masks/a.png", "masks/b/a.png", "out/a.png", "lines/a.png", "m.png")
    masks, output, edges = (f"{images}/{name}" for name in ("masks", "out/", "lines"))
    masks_too = ["a.png", "b/a.png", "masks/a.png", "masks/b/a.png"]
    for mask, expected in ((masks, ["a.png", "b/a.png", "m.png"]), (f"{images}/b/../m.png", masks_too)):
        jobs = jobs_from_paths(images, mask, output, edges)
        assert [os.path.relpath(job.image, images) for job in jobs] == expected
    assert len(jobs_from_paths(f"{images}/masks", masks, f"{images}/masks")) == 2  # a folder is not below itself
    assert len(jobs_from_paths(f"{images}/b", "m.png", images)) == 1  # nor one above it
    with pytest.raises(InputError, match="masks holds no images but masks, edges and results"):
        jobs_from_paths(masks, f"{masks}/a.png", f"{masks}/b")
