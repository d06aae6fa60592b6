"""Things that go together brought together, as they come, without waiting for all of them."""

from __future__ import annotations


def grouped(items, key, most, look_ahead):
    """Lists of items that share a key.

    A list is handed out when it is as long as it may be; where too many items wait, the one whose first item has waited
    longest; at the end all the rest. Within a list, items are in their order.

    Args:
        items: iterable, of which no more is taken than needed.
        key: function of an item; an item whose key is None stays alone.
        most: function of a key to the longest list of it, at least 1.
        look_ahead: how many items may wait, at least 1.
    Returns:
        iterator over lists.
    """
    waiting = {}
    for item in items:
        shared = key(item)
        if shared is None:
            yield [item]
            continue
        group = waiting.setdefault(shared, [])
        group.append(item)
        if len(group) >= most(shared):
            yield waiting.pop(shared)
        elif sum(map(len, waiting.values())) > look_ahead:
            yield waiting.pop(next(iter(waiting)))
    yield from waiting.values()
