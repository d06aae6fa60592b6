"""Images that show training at work: a row of a grid for each stage."""

from __future__ import annotations

from tf_inpaint.ops.images import to_uint8

_STAGES = ("coarse", "predicted", "completed")


def view_rows(batch, outputs):
    """What a grid shows, from the top: masked image, the recipe's outputs, truth; of a recipe whose network sees its
    holes painted: truth, what it sees, completion, as the sheets of Context Encoders are.

    Args:
        batch: dict of "image", "mask" and, for guided recipes, "edges", drawn white into the holes.
        outputs: what the recipe's `preview` made of it; "coarse" and "context", where it has one, "predicted",
            "completed".
    Returns:
        dict of uint8 [B, H, W, 3], in the order of the rows, by their titles.
    """
    if "context" in outputs:
        rows = {"real": batch["image"], "masked": outputs["context"], "generated": outputs["completed"]}
        return {name: to_uint8(images).numpy() for name, images in rows.items()}
    masked_image = batch["image"] * (1.0 - batch["mask"])
    if "edges" in batch:
        masked_image += batch["edges"] * batch["mask"]
    rows = {"masked": masked_image}
    rows.update((name, outputs[name]) for name in _STAGES if name in outputs)
    rows["real"] = batch["image"]
    return {name: to_uint8(images).numpy() for name, images in rows.items()}
