"""How each paper trains: losses, weights, critic updates."""

from tf_inpaint.recipes.deepfill_v1 import DeepFillV1Recipe

RECIPES = {
    "deepfill_v1": DeepFillV1Recipe,
}

__all__ = ["RECIPES", "DeepFillV1Recipe"]
