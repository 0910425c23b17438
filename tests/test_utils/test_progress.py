"""Bars on terminals, lines elsewhere."""
import io

import pytest

from mmpe.utils.progress import WORK_FORMAT, ProgressBar


class Terminal(io.StringIO):

    def isatty(self):
        return True


@pytest.fixture
def seconds(monkeypatch):
    """Let the time be what a test says; more of it passes only there."""

    class Clock:
        now = 1000.

    monkeypatch.setattr('tqdm.std.time', lambda: Clock.now)
    return Clock


def run(seconds, file, **kwargs):
    with ProgressBar(total=100, file=file, **kwargs) as bar:
        for _ in range(100):
            seconds.now += 1
            bar.update(1)
    return file.getvalue()


def test_a_line_each_half_minute_and_at_the_end(seconds):
    printed = run(
        seconds,
        io.StringIO(),
        desc='scale 2/5 (46x62)',
        bar_format=WORK_FORMAT)
    assert printed == ('scale 2/5 (46x62)  30%, 00:30 so far, 01:10 to go\n'
                       'scale 2/5 (46x62)  60%, 01:00 so far, 00:40 to go\n'
                       'scale 2/5 (46x62)  90%, 01:30 so far, 00:10 to go\n'
                       'scale 2/5 (46x62) 100%, 01:40 so far, 00:00 to go\n')


def test_tqdms_own_text(seconds):
    lines = run(seconds, io.StringIO(), desc='Samples').splitlines()
    assert lines[0] == 'Samples:  30% 30/100 [00:30<01:10,  1.00it/s]'
    assert len(lines) == 4


def test_no_last_line_of_what_leaves_nothing(seconds):
    assert run(seconds, io.StringIO(), leave=False).count('\n') == 3


def test_short_loops_are_one_line(seconds):
    file = io.StringIO()
    assert list(ProgressBar(range(3), 'Models', file=file)) == [0, 1, 2]
    assert file.getvalue().startswith('Models: 100% 3/3')
    assert file.getvalue().count('\n') == 1
    assert list(ProgressBar('abc', file=file, disable=True)) == ['a', 'b', 'c']
    assert file.getvalue().count('\n') == 1


def test_total_unknown(seconds):
    file = io.StringIO()
    with ProgressBar(desc='a.pth', file=file, unit='B') as bar:
        seconds.now += 40
        bar.update(80)
    assert file.getvalue() == 'a.pth: 80B [00:40,  2.00B/s]\n' * 2


def test_interrupted(seconds):
    file = io.StringIO()
    with pytest.raises(KeyboardInterrupt), ProgressBar(
            total=4, file=file, bar_format=WORK_FORMAT) as bar:
        seconds.now += 5
        bar.update(1)
        raise KeyboardInterrupt
    assert file.getvalue() == '  25%, 00:05 so far, 00:15 to go\n'


def test_text_beside_the_bar(seconds, capsys):
    file = io.StringIO()
    with ProgressBar(total=4, file=file) as bar:
        bar.write('something else')
        bar.write('the same file', file=file)
        assert file.getvalue() == 'the same file\n'
    assert capsys.readouterr().out == 'something else\n'


def test_a_terminal_has_tqdms_bar(seconds):
    file = Terminal()
    printed = run(seconds, file, desc='Samples')
    assert printed.count('\r') > 90 and printed.count('\n') == 1
    assert '|' in printed
