"""Which positions of a sequence see which: blocks of queries, each with its own memory, and attention by that.

A sequence visits a grid of positions, row by row or block by block. No position sees one that comes after it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """What a sequence of L positions sees; arrays of NumPy.

    Attributes:
        order: int [L], the place in the grid, counted row by row, of each position.
        memory: int [n, M], positions that the queries of a block may see; -1 is none. Blocks have Q positions, the last
            one perhaps fewer.
        visible: bool [n, Q, M], which of them a query sees.
    """

    order: np.ndarray
    memory: np.ndarray
    visible: np.ndarray


def along_rows(length, block):
    """Each position sees the block of positions before its own, and its own up to itself.

    Args:
        length: of the sequence, L.
        block: positions in a block.
    Reference: Parmar et al. 2018, section 4.2.1.
    """
    starts = np.arange(0, length, block)[:, np.newaxis]
    memory = starts + np.arange(-block, block)
    query = starts + np.arange(block)
    visible = (memory[:, np.newaxis] >= 0) & (memory[:, np.newaxis] <= query[:, :, np.newaxis])
    return Neighbourhood(np.arange(length), np.where((memory < 0) | (memory >= length), -1, memory), visible)


def around_blocks(size, block, flange):
    """Each position sees its block up to itself, rows above the block, and columns to the left of it.

    Args:
        size: (rows, columns) of the grid, multiples of the block's.
        block: (rows, columns) of a block; blocks follow each other row by row, and so do positions in them.
        flange: (rows, columns): so many rows above, from so many columns to the left of the block to as many to the
            right; and so many columns to the left in the block's rows.
    Raises:
        ValueError: if the grid is no multiple of the block.
    Reference: Parmar et al. 2018, section 4.2.2.
    Deviations: tensor2tensor masks what lies outside of the image by its keys of zeros, and so would mask a key of
        zeros inside too; here places count.
    """
    (rows, columns), (high, wide), (above, aside) = size, block, flange
    if rows % high or columns % wide:
        raise ValueError(f"`size` must be multiples of `block`. Received: {tuple(size)} and {tuple(block)}")
    positions = np.full((rows + above, columns + 2 * aside), -1)  # of the grid, with a margin of none
    grid = np.arange(rows * columns).reshape(rows // high, high, columns // wide, wide)
    order = grid.transpose(0, 2, 1, 3).reshape(-1)
    positions[above:, aside : aside + columns].flat[:] = np.argsort(order)
    own = np.tril(np.ones([high * wide] * 2, bool))
    memory, visible = [], []
    for row in range(0, rows, high):
        for column in range(0, columns, wide):
            seen = positions[row : row + above + high, column : column + wide + 2 * aside]
            others = np.concatenate([seen[:above].ravel(), seen[above:, :aside].ravel()])
            memory.append(np.concatenate([seen[above:, aside : aside + wide].ravel(), others]))
            visible.append(np.hstack([own, np.broadcast_to(others >= 0, (high * wide, len(others)))]))
    return Neighbourhood(order, np.array(memory), np.array(visible))


def attend(q, k, v, neighbourhood):
    """Attention of each position to what it sees.

    Args:
        q, k: float [B, heads, L, d], in the sequence's order; q is scaled already.
        v: float [B, heads, L, e].
        neighbourhood: `Neighbourhood`.
    Returns:
        float [B, heads, L, e].
    """
    memory, visible = neighbourhood.memory, neighbourhood.visible
    blocks, queries = visible.shape[:2]
    length, batch, heads = q.shape[2], tf.shape(q)[0], q.shape[1]
    q = tf.pad(q, [[0, 0], [0, 0], [0, blocks * queries - length], [0, 0]])
    q = tf.reshape(q, [batch, heads, blocks, queries, q.shape[-1]])
    k, v = (tf.gather(each, np.maximum(memory, 0), axis=2) for each in (k, v))  # [B, heads, n, M, .]
    logits = tf.einsum("bhnqd,bhnmd->bhnqm", q, k)
    y = tf.einsum("bhnqm,bhnme->bhnqe", tf.nn.softmax(logits + _hidden(_table(visible), q.dtype)), v)
    return tf.reshape(y, [batch, heads, blocks * queries, v.shape[-1]])[:, :, :length]


def attend_at(position, q, k, v, neighbourhood):
    """The same for one position, of all examples.

    Args:
        position: int32 scalar.
        q: float [B, heads, d].
        k, v: float [L, B, heads, .], of which those up to the position count.
    Returns:
        float [B, heads, e].
    """
    queries = neighbourhood.visible.shape[1]
    block, query = position // queries, position % queries
    memory = tf.constant(np.maximum(neighbourhood.memory, 0))[block]
    hidden = _hidden(_table(neighbourhood.visible)[block, query], q.dtype)
    k, v = tf.gather(k, memory), tf.gather(v, memory)  # [M, B, heads, .]
    weights = tf.nn.softmax(tf.einsum("bhd,mbhd->bhm", q, k) + hidden)
    return tf.einsum("bhm,mbhe->bhe", weights, v)


def _table(visible):
    """As int8: TensorFlow takes seconds for a constant of a million bools."""
    return tf.constant(visible.view(np.int8))


def _hidden(visible, dtype):
    """What is added to logits: 0, or far below where nothing is to be seen."""
    return (tf.cast(visible, dtype) - 1.0) * min(1e9, dtype.max / 2)
