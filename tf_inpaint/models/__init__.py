"""The papers' architectures, one file each."""

from tf_inpaint.models.deepfill_v1 import DeepFillV1Discriminator, DeepFillV1Generator

__all__ = ["DeepFillV1Discriminator", "DeepFillV1Generator"]
