from tf_inpaint.predict.batches import grouped


def test_items_of_a_key_are_together_and_none_is_lost():
    sizes = [2, 3, 2, None, 3, 2, 2, 5]
    lists = grouped(range(8), lambda item: sizes[item], lambda key: 3 if key == 2 else 2, look_ahead=100)
    assert list(lists) == [[3], [1, 4], [0, 2, 5], [6], [7]]


def test_no_more_is_read_than_may_wait():
    read = []

    def items():
        for item in range(6):
            read.append(item)
            yield item

    lists = grouped(items(), lambda item: item % 3, lambda key: 4, look_ahead=2)
    assert next(lists) == [0] and read == [0, 1, 2]
    assert list(lists) == [[1], [2], [3], [4], [5]]


def test_one_at_a_time_keeps_the_order():
    assert list(grouped("abba", str, lambda key: 1, look_ahead=4)) == [["a"], ["b"], ["b"], ["a"]]
