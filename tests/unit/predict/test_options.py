"""The options by which a model is chosen."""

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("asked, threads", [({}, "2"), ({"TF_NUM_INTEROP_THREADS": "3"}, "0")])
def test_few_operations_run_at_once_unless_the_environment_says_otherwise(tmp_path, asked, threads):
    """Each thread of TensorFlow's that runs operations keeps memory for every size of image."""
    program = "from tf_inpaint.predict import command, options; from tf_inpaint.checkpoints import open_checkpoint; "
    program += "options.load_inpainter(open_checkpoint('photos_v1'), command.default_options()); import tensorflow; "
    program += "print(tensorflow.config.threading.get_inter_op_parallelism_threads())"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **asked}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == threads
