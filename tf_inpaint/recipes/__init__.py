"""How each paper trains: losses, weights, discriminator updates."""

from tf_inpaint.recipes.context_encoder import ContextEncoderRecipe
from tf_inpaint.recipes.dcgan import DCGANRecipe
from tf_inpaint.recipes.deepfill_v1 import DeepFillV1Recipe
from tf_inpaint.recipes.deepfill_v2 import DeepFillV2Recipe
from tf_inpaint.recipes.global_local import GlobalLocalRecipe
from tf_inpaint.recipes.image_transformer import ImageTransformerRecipe
from tf_inpaint.recipes.lama import LaMaRecipe
from tf_inpaint.recipes.partial_convolution import PartialConvolutionRecipe
from tf_inpaint.recipes.pen_net import PENNetRecipe
from tf_inpaint.recipes.pix2pix import Pix2PixRecipe

RECIPES = {
    "deepfill_v1": DeepFillV1Recipe,
    "deepfill_v2": DeepFillV2Recipe,
    "pen_net": PENNetRecipe,
    "context_encoder": ContextEncoderRecipe,
    "dcgan": DCGANRecipe,
    "lama": LaMaRecipe,
    "partial_convolution": PartialConvolutionRecipe,
    "global_local": GlobalLocalRecipe,
    "pix2pix": Pix2PixRecipe,
    "image_transformer": ImageTransformerRecipe,
}

__all__ = [
    "RECIPES",
    "ContextEncoderRecipe",
    "DCGANRecipe",
    "DeepFillV1Recipe",
    "DeepFillV2Recipe",
    "GlobalLocalRecipe",
    "ImageTransformerRecipe",
    "LaMaRecipe",
    "PENNetRecipe",
    "PartialConvolutionRecipe",
    "Pix2PixRecipe",
]
