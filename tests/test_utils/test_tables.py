from mmpe.utils.tables import markdown_table


def test_markdown_table():
    assert markdown_table([['a', 'long'], ['bbb', ''], ['c', 'd']]) == (
        '| a   | long |\n'
        '| --- | ---- |\n'
        '| bbb |      |\n'
        '| c   | d    |')
