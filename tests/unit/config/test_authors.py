"""The authors' inpaint.yml, both releases: every key accounted for, errors at the authors' own lines."""

import pytest

from tf_inpaint.config import load_config
from tf_inpaint.config.authors import is_authors, translate
from tf_inpaint.config.yaml import parse
from tf_inpaint.errors import InputError
from tf_inpaint.recipes import RECIPES

V1 = """
NUM_GPUS: 1
GPU_ID: -1
TRAIN_SPE: 10000
MAX_ITERS: 100000000
VIZ_MAX_OUT: 10
GRADS_SUMMARY: False
GRADIENT_CLIP: False
GRADIENT_CLIP_VALUE: 0.1
VAL_PSTEPS: 1000
DATASET: 'celeba'
RANDOM_CROP: False
VAL: False
LOG_DIR: full_model_celeba_256
MODEL_RESTORE: ''
GAN: 'wgan_gp'
PRETRAIN_COARSE_NETWORK: False
GAN_LOSS_ALPHA: 0.002
WGAN_GP_LAMBDA: 11
COARSE_L1_ALPHA: 1.3
L1_LOSS_ALPHA: 1.4
AE_LOSS_ALPHA: 1.5
GLOBAL_WGAN_LOSS_ALPHA: 1.
GLOBAL_DCGAN_LOSS_ALPHA: 1.
GAN_WITH_MASK: False
DISCOUNTED_MASK: True
SPATIAL_DISCOUNTING_GAMMA: 0.95
RANDOM_SEED: False
PADDING: 'SAME'
DATA_FLIST:
  celebahq: ['hq/train.flist', 'hq/validation.flist']
  celeba:
    - celeba/train.flist
    - celeba/validation.flist
STATIC_VIEW_SIZE: 30
IMG_SHAPES: [256, 192, 3]
HEIGHT: 96
WIDTH: 64
MAX_DELTA_HEIGHT: 16
MAX_DELTA_WIDTH: 24
BATCH_SIZE: 12
VERTICAL_MARGIN: 2
HORIZONTAL_MARGIN: 3
AE_LOSS: True
L1_LOSS: True
LOAD_VGG_MODEL: False
VGG_MODEL_FILE: vgg.npz
FEATURE_LOSS: False
"""

V2 = """
num_gpus_per_job: 1
num_cpus_per_job: 4
num_hosts_per_job: 1
memory_per_job: 32
gpu_type: 'nvidia-tesla-p100'
name: places2_gated
model_restore: ''
dataset: 'places2'
random_crop: True
val: False
log_dir: logs/places2_gated
gan: 'sngan'
gan_loss_alpha: 1
gan_with_mask: True
discounted_mask: True
random_seed: False
padding: 'SAME'
train_spe: 4000
max_iters: 100000000
viz_max_out: 10
val_psteps: 2000
data_flist:
  places2: ['places2/train.flist', 'places2/validation.flist']
static_view_size: 30
img_shapes: [256, 256, 3]
height: 128
width: 128
max_delta_height: 32
max_delta_width: 32
batch_size: 16
vertical_margin: 0
horizontal_margin: 0
ae_loss: True
l1_loss: True
ae_loss_alpha: 1.
l1_loss_alpha: 1.
guided: False
edge_threshold: 0.6
"""


@pytest.fixture
def load(tmp_path):
    """Loads an inpaint.yml of this text; lines of the translation go to `load.lines`."""

    def load(text, overrides=()):
        path = tmp_path / "inpaint.yml"
        path.write_text(text.lstrip("\n"))
        load.lines = []
        return load_config(path, overrides, report=load.lines.append)

    return load


def changed(text, line, other):
    assert line in text
    return text.replace(line, other)


def test_release_1_is_translated(load):
    config = load(V1)
    assert (config.name, config.recipe) == ("full_model_celeba_256", "deepfill_v1")
    assert config.options == RECIPES["deepfill_v1"].Options(
        padding="SAME",
        n_critic=5,
        pretrain_coarse=False,
        local_patch=(96, 64),
        discount="box",
        discount_gamma=0.95,
        l1_weight=1.4,
        coarse_l1_weight=1.3,
        autoencoder_weight=1.5,
        adversarial_weight=0.002,
        global_weight=1.0,
        penalty_weight=11.0,
    )
    data, mask, optimizer, training = config.data, config.mask, config.optimizer, config.training
    assert (data.train, data.validation) == ("celeba/train.flist", "")
    assert (data.image_size, data.fit, data.flip, data.batch_size) == ((256, 192), "resize", False, 12)
    assert (mask.kind, mask.height, mask.width, mask.per_batch) == ("box", 96, 64, True)
    assert (mask.max_delta_height, mask.max_delta_width) == (16, 24)
    assert (mask.vertical_margin, mask.horizontal_margin) == (2, 3)
    assert (optimizer.learning_rate, optimizer.beta1, optimizer.beta2) == (1e-4, 0.5, 0.9)
    assert optimizer.shared_count and optimizer.clip_norm == 0.0
    assert (training.steps, training.checkpoint_every, training.view_every) == (100_000_000, 10_000, 1000)
    assert (training.view_count, training.validate_every, training.strategy) == (30, 0, "one_device")
    assert (training.run_folder, training.init_from) == ("", "")


@pytest.mark.parametrize("text", [V1, V2], ids=["release 1", "release 2"])
def test_every_key_is_accounted_for(text):
    document = parse(text, "inpaint.yml")
    assert is_authors(document.values)
    _, lines = translate(document)
    for key in document.values:
        assert any(line.split(":")[0].split(" ")[0] == key for line in lines), key
    assert not [line for line in lines if "not known here" in line]


def test_lines_say_what_became_of_a_key(load):
    load(V1)
    for line in (
        "(the release itself) -> recipe: deepfill_v1",
        "(the release itself) -> mask.per_batch: true",
        "MAX_ITERS: 100000000 -> training.steps: 100000000",
        "IMG_SHAPES: [256, 192, 3] -> data.image_size: [256, 192]",
        "HEIGHT: 96 -> mask.height: 96",
        "HEIGHT: 96 -> options.local_patch: [96, 64]",
        "DATASET: celeba -> data.train: celeba/train.flist",
        "DATA_FLIST ignored (read through DATASET)",
        "GPU_ID: -1 ignored (choose GPUs with CUDA_VISIBLE_DEVICES)",
        "GAN: wgan_gp ignored (the recipe does so anyway)",
        "L1_LOSS: true ignored (weighted by L1_LOSS_ALPHA)",
    ):
        assert line in load.lines, line
    load(V1 + "MY_OWN_KEY: 3\n")
    assert load.lines[-1] == "MY_OWN_KEY: 3 ignored (not known here)"


@pytest.mark.parametrize(
    "line, other, key, value",
    [
        ("RANDOM_CROP: False", "RANDOM_CROP: True", "data.fit", "crop"),
        ("VAL: False", "VAL: True", "data.validation", "celeba/validation.flist"),
        ("VAL: False", "VAL: True", "training.validate_every", 1000),
        ("DISCOUNTED_MASK: True", "DISCOUNTED_MASK: False", "options.discount", "none"),
        ("\nL1_LOSS: True", "\nL1_LOSS: False", "options.l1_weight", 0.0),
        ("\nAE_LOSS: True", "\nAE_LOSS: False", "options.autoencoder_weight", 0.0),
        ("GRADIENT_CLIP: False", "GRADIENT_CLIP: True", "optimizer.clip_norm", 0.1),
        ("NUM_GPUS: 1", "NUM_GPUS: 4", "training.strategy", "mirrored"),
        ("NUM_GPUS: 1", "NUM_GPUS: 4", "data.batch_size", 48),  # the release's batch is that of one GPU
        ("LOG_DIR: full", "LOG_DIR: logs/full", "training.run_folder", "logs/full_model_celeba_256"),
        ("MODEL_RESTORE: ''", "MODEL_RESTORE: old_run", "training.init_from", "model_logs/old_run"),
        ("MODEL_RESTORE: ''", "MODEL_RESTORE: some/where", "training.init_from", "some/where"),
        ("DATASET: 'celeba'", "DATASET: 'celebahq'", "data.train", "hq/train.flist"),
        ("PRETRAIN_COARSE_NETWORK: False", "PRETRAIN_COARSE_NETWORK: True", "options.pretrain_coarse", True),
    ],
)
def test_switches_of_release_1(load, line, other, key, value):
    section, name = key.split(".")
    assert getattr(getattr(load(changed(V1, line, other)), section), name) == value


def test_overrides_come_after_the_translation(load):
    config = load(V1, ["training.steps=7", "options.padding=SYMMETRIC"])
    assert (config.training.steps, config.options.padding) == (7, "SYMMETRIC")


@pytest.mark.parametrize(
    "line, other, message",
    [
        ("DATASET: 'celeba'", "DATASET: 'celba'", ":10: DATASET: celba is not in DATA_FLIST, did you mean celeba?"),
        ("DATASET: 'celeba'", "DATASET: dtd", ":10: DATASET: dtd is not in DATA_FLIST, which has celebahq, celeba"),
        ("GAN: 'wgan_gp'", "GAN: dcgan", ":15: GAN: dcgan is not translated, only wgan_gp is: keep that, and set"),
        (
            "FEATURE_LOSS: False",
            "FEATURE_LOSS: True",
            ":47: FEATURE_LOSS: true is not translated, only false is: keep that, and set options.perceptual_weight by",
        ),
        ("IMG_SHAPES: [256, 192, 3]", "IMG_SHAPES: [256, 192]", "IMG_SHAPES: [256, 192] must be [height, width, 3]"),
        ("NUM_GPUS: 1", "NUM_GPUS: many", ":1: NUM_GPUS: many needs a whole number of GPUs, not many"),
        ("MAX_ITERS: 100000000", "MAX_ITERS: 1.5", ":4: training.steps must be a whole number, not 1.5"),
        ("BATCH_SIZE: 12", "BATCH_SIZE: twelve", ":40: data.batch_size must be a whole number, not 'twelve'"),
        ("BATCH_SIZE: 12", "BATCH_SIZE: 0", ":40: data.batch_size must be at least 1, not 0"),
        ("PADDING: 'SAME'", "PADDING: 'REFELECT'", ":28: options.padding must be one of SAME, SYMMETRIC, REFLECT, not"),
        ("IMG_SHAPES: [256, 192, 3]", "IMG_SHAPES: [64, 64, 3]", "mask.height and twice mask.vertical_margin"),
    ],
)
def test_mistakes_lead_to_the_authors_line(load, line, other, message):
    with pytest.raises(InputError) as caught:
        load(changed(V1, line, other))
    assert "inpaint.yml:" in str(caught.value) and message in str(caught.value), caught.value


def test_a_missing_table_of_data_sets_is_said(load):
    with pytest.raises(InputError, match="inpaint.yml:1: DATASET: x is not in DATA_FLIST, which has no data set"):
        load("DATASET: x\nIMG_SHAPES: [256, 256, 3]")


def test_release_2_is_translated():
    translated, lines = translate(parse(V2, "inpaint.yml"))
    values = translated.values
    assert (values["recipe"], values["name"]) == ("deepfill_v2", "places2_gated")
    assert values["data"] == {
        "flip": False,
        "train": "places2/train.flist",
        "validation": "",
        "fit": "crop",
        "image_size": [256, 256],
        "batch_size": 16,
        "edges": "none",
    }
    assert values["options"] == {"adversarial_weight": 1, "padding": "SAME", "l1_weight": 1.0, "guided": False}
    assert values["mask"]["kind"] == "union" and values["mask"]["release_strokes"] is True
    assert values["training"]["run_folder"] == "logs/places2_gated"
    assert values["optimizer"]["beta2"] == 0.999
    assert "discounted_mask: true ignored (its losses are not discounted)" in lines


def test_release_2_is_a_whole_config(load):
    config = load(V2)
    assert config.options == RECIPES["deepfill_v2"].Options(padding="SAME")
    assert load(changed(V2, "l1_loss_alpha: 1.", "l1_loss_alpha: 2.")).options.l1_weight == 2
    assert load(changed(V2, "ae_loss: True", "ae_loss: False")).options.l1_weight == 0


def test_release_2_guided_reads_the_edges_beside_the_images(load):
    config = load(changed(V2, "guided: False", "guided: True"))
    assert config.options.guided and config.data.edges == "paired"


def test_release_2_with_another_edge_threshold_is_refused(load):
    with pytest.raises(InputError, match="inpaint.yml:.*: edge_threshold: 0.5 has no counterpart here, only 0.6 has"):
        load(changed(V2, "edge_threshold: 0.6", "edge_threshold: 0.5"))


def test_our_own_files_are_not_taken_for_the_authors():
    assert not is_authors({"recipe": "deepfill_v1", "max_iters": 3})
    assert not is_authors({"name": "x", "data": {}, "training": {}})
    assert is_authors({"IMG_SHAPES": [256, 256, 3]})
