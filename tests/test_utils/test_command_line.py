import pytest

from mmpe.utils.command_line import one_line_errors


@pytest.mark.parametrize('error, line', [
    (ValueError('bad value\nand more'), 'ValueError: bad value'),
    (FileNotFoundError('no file'), 'FileNotFoundError: no file'),
    (OSError(), 'OSError: '),
    (ValueError('Caught ValueError in worker 0.\n  File x\nValueError: bad'),
     'ValueError: bad'),
])
def test_errors_are_one_line(error, line):
    with pytest.raises(SystemExit) as exit_, one_line_errors():
        raise error
    assert exit_.value.code == line


def test_others_are_not():
    with pytest.raises(KeyError), one_line_errors():
        raise KeyError


def test_ctrl_c(capsys):
    with pytest.raises(SystemExit) as exit_, one_line_errors():
        raise KeyboardInterrupt
    assert exit_.value.code == 130
    assert capsys.readouterr().err == 'Stopped\n'
