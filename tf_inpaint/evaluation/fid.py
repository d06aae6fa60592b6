"""FID, KID and Inception Score: features of images on disk, and what is measured of sets of them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Callable, Iterable, Sequence

import numpy as np

from tf_inpaint.errors import InputError
from tf_inpaint.io.shards import EVERYTHING, Shard

_CHUNK = 256  # rows of features in memory at a time
Chunks = Callable[[], Iterable[np.ndarray]]


class FeatureFile:
    """Features of images: float32 rows, written in any order, of each shard of an evaluation in a file.

    Args:
        path: of the file of the whole; the names of the shards' files end in their suffix, before ".f32".
        width: of a row.
        shard: whose features are written here.
    """

    def __init__(self, path, width: int, shard: Shard = EVERYTHING):
        self._path, self._width, self._shard = Path(path), width, shard

    def write(self, index: int, row: np.ndarray) -> None:
        """Keeps the features of an image."""
        path = self._path_of(self._shard)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "r+b" if path.exists() else "w+b") as file:
            file.seek(index // self._shard.count * self._width * 4)
            file.write(np.ascontiguousarray(row, "<f4").tobytes())

    def chunks(self, indices: Sequence[int], shard_of: Callable[[int], Shard]) -> Iterable[np.ndarray]:
        """float64 [n, width], n at most a few hundred: the features of these images in order.

        Args:
            indices: of the images.
            shard_of: function of an image's index to the shard that measured it.
        Raises:
            InputError: if they are not there.
        """
        opened = functools.lru_cache(maxsize=None)(self._open)
        for first in range(0, len(indices), _CHUNK):
            rows = []
            for index in indices[first : first + _CHUNK]:
                shard = shard_of(index)
                try:
                    rows.append(opened(shard)[index // shard.count])
                except (OSError, ValueError, IndexError):
                    raise InputError(
                        f"the features of images measured are not all in {self._path_of(shard)}: bring the file there "
                        "from where they were measured, or give --restart to begin anew"
                    ) from None
            yield np.stack(rows).astype(np.float64)  # [n, width]

    def _path_of(self, shard):
        return self._path.with_name(f"{self._path.stem}{shard.suffix}{self._path.suffix}")

    def _open(self, shard):
        """float32 [rows, width] on disk; a torn last row does not count."""
        path = self._path_of(shard)
        return np.memmap(path, "<f4", "r", shape=(path.stat().st_size // (4 * self._width), self._width))


def mean_and_covariance(chunks: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean [D] and covariance [D, D] (divided by n - 1) of rows [n, D] that come in chunks, streamed in float64.

    Sums and sums of products are taken about the first row, so that large means do not cancel what matters.
    """
    count, origin, total, products = 0, None, 0.0, 0.0
    for chunk in chunks:
        origin = chunk[0] if origin is None else origin
        shifted = chunk - origin
        count += len(chunk)
        total = total + shifted.sum(axis=0)
        products = products + shifted.T @ shifted
    if count < 2:
        raise InputError("FID needs two images at least")
    centre = total / count
    return origin + centre, (products - count * np.outer(centre, centre)) / (count - 1)


def frechet_distance_of_few(rows_a: np.ndarray, rows_b: np.ndarray) -> float:
    """As `frechet_distance`, of as many rows [n, D] or fewer than features, for a fraction of the time.

    With A, B the rows less their means, over sqrt(n - 1): S = A'A, and tr (S S')^1/2 is the sum of the singular values
    of A B', which is but [n, n].
    """
    difference = rows_a.mean(axis=0) - rows_b.mean(axis=0)
    a, b = ((rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1) for rows in (rows_a, rows_b))
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(difference @ difference + np.sum(a * a) + np.sum(b * b) - 2.0 * cross)


def kernel_mean(ours: Chunks, theirs: Chunks | None = None) -> float:
    """Mean of k(x, y) = (x.y / D + 1)^3 over all pairs of a row of each, or of two different rows of one set.

    Args:
        ours, theirs: functions that give rows [n, D] in chunks, from the first again at each call; `theirs` is None for
            pairs within one set.
    Reference: Binkowski et al. 2018, "Demystifying MMD GANs", section 4: KID is kernel_mean(ours) + kernel_mean(theirs)
        - 2 * kernel_mean(ours, theirs).
    Deviations: over all pairs, not over random subsets of a thousand images: the same expectation, and repeatable.
    """
    total = count = 0.0
    for rows in ours():
        for others in (theirs or ours)():
            total += _kernel(rows @ others.T, rows.shape[1]).sum()
            count += len(rows) * len(others)
        if theirs is None:  # without the pairs of a row with itself
            total -= _kernel(np.sum(rows * rows, axis=1), rows.shape[1]).sum()
            count -= len(rows)
    return float(total / count)


def inception_score(chunks: Iterable[np.ndarray]) -> float:
    """exp of the mean divergence KL(p(y|x) || p(y)), 1 up to the number of classes.

    Args:
        chunks: logits of p(y|x), a row [K] for each image, in chunks [n, K].
    Reference: Salimans et al. 2016, "Improved Techniques for Training GANs", section 4.
    Deviations: over all images at once, not a mean of ten parts.
    """
    count, information, total = 0, 0.0, 0.0
    for logits in chunks:
        shifted = logits - logits.max(axis=1, keepdims=True)
        logarithms = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        probabilities = np.exp(logarithms)
        count, total = count + len(logits), total + probabilities.sum(axis=0)
        information += np.sum(probabilities * logarithms)
    mean = total / count
    return float(np.exp(information / count - np.sum(mean * np.log(np.maximum(mean, np.finfo(float).tiny)))))


def frechet_distance(mean_a, covariance_a, mean_b, covariance_b) -> float:
    """Squared Frechet distance of two normal distributions.

    |mu - mu'|^2 + tr(S) + tr(S') - 2 tr((S S')^1/2); the last trace is the sum of the square roots of the eigenvalues
    of R S' R, symmetric, where R is the square root of S, both by eigen-decomposition.

    Args:
        mean_a, mean_b: [D].
        covariance_a, covariance_b: [D, D], symmetric, no negative eigenvalues but by rounding.
    Reference: Heusel et al. 2017, "GANs trained by a two time-scale update rule...", equation 6.
    """
    values, vectors = np.linalg.eigh(covariance_a)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    product = root @ covariance_b @ root
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh((product + product.T) / 2.0), 0.0)).sum()
    difference = np.asarray(mean_a) - np.asarray(mean_b)
    return float(difference @ difference + np.trace(covariance_a) + np.trace(covariance_b) - 2.0 * cross)


def _kernel(products, width):
    return (products / width + 1.0) ** 3
