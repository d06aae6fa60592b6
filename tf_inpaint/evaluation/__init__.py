"""Evaluation that can be trusted and repeated: images, a named protocol, methods side by side, one ruler for all.

    protocols, drawing    which mask each image gets: integer arithmetic, the same on every machine
    named_files, tasks    images with their masks, made when asked for
    methods, baselines    what completes: checkpoints, baselines, folders of completions made elsewhere
    measures, features, fid           what is measured of each completion, and of all together
    journal, summary      one line on disk for each image, and the statistics streamed from them
    ranking               who leads, and whether by more than the standard error
    table, sheet, plots, page    what people look at
    run                   all of it: `Evaluation`

The module is light: TensorFlow is loaded once there is something to measure.
"""

from tf_inpaint.evaluation.protocols import PROTOCOLS
from tf_inpaint.evaluation.run import Evaluation, evaluate

__all__ = ["PROTOCOLS", "Evaluation", "evaluate"]
