"""Commands on the pages: their scripts, options and configs exist."""
import contextlib
import importlib.util
import io
import re
import shlex
import sys
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.tools
ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    path for folder in ('.', 'docs', 'docs/gallery', 'configs/*')
    for path in ROOT.glob(f'{folder}/*.md')
]
SCRIPT = re.compile(r'(tools|demo|docs|\.dev_scripts)/\S+\.(py|sh)$')


def commands(page):
    """The words of each command of ours on a page."""
    text = page.read_text()
    blocks = re.findall(r'^ *```bash\n(.*?)^ *```', text,
                        re.DOTALL | re.MULTILINE)
    spans = re.findall(r'`(python [^`]+)`', text)
    for block in [*blocks, *spans]:
        block = re.sub(r'(^|\s)#.*', r'\1', block.replace('\\\n', ' '))
        names = dict(re.findall(r'^(\w+)=(\S+)$', block, re.MULTILINE))
        block = re.sub(r'\$(\w+)', lambda x: names.get(x[1], x[0]), block)
        words = shlex.shlex(block, posix=True, punctuation_chars=';&|\n')
        words.whitespace, words.whitespace_split = ' \t', True
        found = None
        for word in [*words, ';']:
            if set(word) <= set(';&|\n'):
                if found:
                    yield found
                found = None
            elif found:
                found.append(word)
            elif SCRIPT.match(word):
                found = [word]


COMMANDS = sorted({(page.relative_to(ROOT).as_posix(), *words)
                   for page in PAGES for words in commands(page)})


@cache
def options(script, command=''):
    """The options that a script's --help names."""
    spec = importlib.util.spec_from_file_location('documented', ROOT / script)
    module = importlib.util.module_from_spec(spec)
    text, argv, path = io.StringIO(), sys.argv, list(sys.path)
    sys.argv = [script, *filter(None, [command]), '--help']
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        with contextlib.redirect_stdout(text), pytest.raises(SystemExit):
            module.main()
    finally:
        sys.argv, sys.path[:] = argv, path
        del sys.modules[spec.name]
    return set(re.findall(r'(?<![\w-])--[\w-]+', text.getvalue()))


def test_there_are_commands():
    assert len(COMMANDS) > 40


@pytest.mark.parametrize('page, script, words',
                         [(page, script, words)
                          for page, script, *words in COMMANDS])
def test_command(page, script, words):
    assert (ROOT / script).is_file(), f'{page}: {script}'
    for word in words:
        if re.fullmatch(r'configs/[\w./-]+\.py', word):
            assert (ROOT / word).is_file(), f'{page}: {word}'
    if script.endswith('.py'):
        demo = script == 'demo/sinGAN_manipulation.py'
        command = words[0] if demo and words and words[0][0] != '-' else ''
        used = {re.match(r'\[?(--[\w-]+)', word)[1] for word in words
                if re.match(r'\[?--\w', word)}
        assert used <= options(script, command) | {'--help'}, page
