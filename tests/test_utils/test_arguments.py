"""Arguments that scripts share."""
import pytest

from mmpe.utils.arguments import (CFG_OPTIONS, DEVICE, NUM, SEED, SIZE,
                                  Argument, OneOf, at_least, image_size,
                                  make_parser, positive, repeated)

PARSER = make_parser(
    'An example.', NUM.but(default=3), SEED, DEVICE, CFG_OPTIONS,
    OneOf(SIZE, Argument('--factor', type=positive)),
    Argument('--part', type=at_least(0, 1, float), default=.5),
    Argument('--sizes', type=image_size, nargs='+', help='sizes'),
    repeated('--pair', nargs=2, help='a pair'),
    NUM.but('--columns', default=8, help='columns'))


def test_values_and_defaults():
    args = PARSER.parse_args([
        '--num', '7', '--size', '4', '5', '--part', '1', '--sizes', '8',
        '8x9', '--cfg-options', 'a.b=1', 'a.c=[2,3]'
    ])
    assert args.num == 7 and args.size == [4, 5] and args.part == 1.
    assert args.sizes == [(8, 8), (8, 9)]
    assert args.cfg_options == {'a.b': 1, 'a.c': [2, 3]}
    assert (args.seed, args.device, args.factor) == (0, 'cpu', None)
    assert args.pair == [] and args.columns == 8
    args = PARSER.parse_args(['--pair', 'a', 'b', '--pair', 'c', 'd'])
    assert args.pair == [['a', 'b'], ['c', 'd']]
    # A copy with another default leaves the argument as it is.
    assert make_parser('', NUM).parse_args([]).num is None


def test_help_has_the_defaults():
    text = ' '.join(PARSER.format_help().split())
    assert 'number of images (default: 3)' in text
    assert 'random seed (default: 0)' in text
    assert 'pixels (default: the training size)' in text
    assert 'sizes (default' not in text
    assert 'a pair; can be repeated --columns' in text


@pytest.mark.parametrize('args, message', [
    (['--num', '0'], 'argument --num: must be at least 1, but got 0'),
    (['--num', '1.5'], 'argument --num: must be at least 1, but got 1.5'),
    (['--part', '1.1'], 'argument --part: must be from 0 to 1, but got 1.1'),
    (['--part', 'nan'], 'must be from 0 to 1, but got nan'),
    (['--factor', '0'], 'must be above 0 and finite, but got 0'),
    (['--factor', 'inf'], 'must be above 0 and finite, but got inf'),
    (['--factor', '2', '--size', '4', '5'], 'not allowed with'),
    (['--sizes', '0'], 'invalid image_size value'),
    (['--cfg-options', 'a'], "must be of the form NAME=VALUE, but got 'a'"),
])
def test_errors(args, message, capsys):
    with pytest.raises(SystemExit) as error:
        PARSER.parse_args(args)
    assert error.value.code == 2
    assert message in capsys.readouterr().err
