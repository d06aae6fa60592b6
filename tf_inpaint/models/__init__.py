"""The papers' architectures, one file each."""

from tf_inpaint.models.context_encoder import (
    AlexNetContextEncoder,
    ContextEncoderDiscriminator,
    ContextEncoderGenerator,
)
from tf_inpaint.models.dcgan import DCGANDiscriminator, DCGANGenerator
from tf_inpaint.models.deepfill_v1 import DeepFillV1Discriminator, DeepFillV1Generator
from tf_inpaint.models.deepfill_v2 import DeepFillV2Discriminator, DeepFillV2Generator
from tf_inpaint.models.feature_discriminator import FeatureDiscriminator
from tf_inpaint.models.generator import Attention, Generator
from tf_inpaint.models.global_local import GlobalLocalDiscriminator, GlobalLocalGenerator
from tf_inpaint.models.image_transformer import ImageTransformerGenerator
from tf_inpaint.models.lama import LaMaDiscriminator, LaMaGenerator
from tf_inpaint.models.partial_convolution import PartialConvolutionGenerator
from tf_inpaint.models.pen_net import PENNetDiscriminator, PENNetGenerator
from tf_inpaint.models.pix2pix import Pix2PixDiscriminator, Pix2PixGenerator

__all__ = [
    "AlexNetContextEncoder",
    "Attention",
    "ContextEncoderDiscriminator",
    "ContextEncoderGenerator",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "DeepFillV1Discriminator",
    "DeepFillV1Generator",
    "DeepFillV2Discriminator",
    "DeepFillV2Generator",
    "FeatureDiscriminator",
    "Generator",
    "GlobalLocalDiscriminator",
    "GlobalLocalGenerator",
    "ImageTransformerGenerator",
    "LaMaDiscriminator",
    "LaMaGenerator",
    "PENNetDiscriminator",
    "PENNetGenerator",
    "PartialConvolutionGenerator",
    "Pix2PixDiscriminator",
    "Pix2PixGenerator",
]
