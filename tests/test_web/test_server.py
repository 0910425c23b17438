"""What the server gives to whom."""
import errno
import http.client
import json
import os
import shutil
import subprocess
import sys
import uuid

import psutil
import pytest

from mmpe.zoo import root

from .conftest import draw_photograph

pytest.importorskip('gradio')

from mmpe.web.tabs import base
from mmpe.web.tabs.base import told
from mmpe.web.server import _is_full
from mmpe.web.studio import plain


def ask(server, path, method='GET', body=None, **headers):
    """Status, headers and content, of a path exactly as it is."""
    connection = http.client.HTTPConnection('127.0.0.1', server.port,
                                            timeout=600)
    headers = {name.replace('_', '-'): x for name, x in headers.items()}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


@pytest.fixture
def secret(server, tmp_path):
    """A picture outside of the out folder."""
    return draw_photograph(tmp_path / 'secret.png', seed=99)


def test_only_what_was_made_is_given(server, secret):
    results = server.folder / 'results'
    results.mkdir(exist_ok=True)
    draw_photograph(results / 'shown.png')
    status, headers, data = ask(server, '/files/results/shown.png')
    assert status == 200 and data == (results / 'shown.png').read_bytes()
    assert "default-src 'self'" in headers['content-security-policy']
    assert headers['x-content-type-options'] == 'nosniff'

    link = results / 'link.png'
    link.symlink_to(secret)
    (server.folder / 'other').mkdir(exist_ok=True)
    draw_photograph(server.folder / 'other/picture.png')
    draw_photograph(results / '.hidden.png')
    (results / 'config.py').write_text('secret = 1\n')
    up = os.path.relpath(secret, server.folder)
    for path in (
            '/files/results/link.png', '/files/other/picture.png',
            '/files/results/.hidden.png', '/files/results/config.py',
            '/files/.lock', '/files/', '/files', '/files/results',
            f'/files/{up}', f'/files/results/../{up}', f'/files/{secret}',
            f'/files/results/{secret}', '/files/%2e%2e/' + secret.name,
            '/files/results/' + f'../{up}'.replace('/', '%2f'),
            '/files/results/' + f'../{up}'.replace('/', '%5c'),
            '/files/results/..%00/x.png', '/files/results//etc/passwd',
            '/own/../studio.py', '/own/..%2fstudio.py', '/own//etc/passwd',
            f'/gradio_api/file={secret}', '/gradio_api/file=/etc/passwd',
            f'/gradio_api/file={server.folder}/.lock',
            f'/gradio_api/file={root()}/setup.py',
            '/gradio_api/file=demo/web.py', '/gradio_api/file=..%2fsetup.py',
            f'/gradio_api/file=http://127.0.0.1:{server.port}/alive',
            f'/static/../../../{secret}', '/docs', '/openapi.json'):
        status, _, data = ask(server, path)
        assert status in (302, 307, 400, 403, 404, 422), (path, status)
        assert data != secret.read_bytes() and b'root:' not in data
        assert b'secret = 1' not in data


def test_files_of_this_machine_cannot_be_handed_in(server, secret):
    config = json.loads(ask(server, '/config')[2])
    upload = next(x['id'] for x in config['dependencies']
                  if x['targets'] and x['targets'][0][1] == 'upload')
    before = sorted((server.folder / 'photographs').glob('*.png'))
    for path in (str(secret), f'{server.folder}/uploads/../../{secret.name}',
                 f'http://127.0.0.1:{server.port}/own/canvas.js'):
        session = uuid.uuid4().hex
        file = dict(path=path, orig_name='secret.png',
                    meta=dict(_type='gradio.FileData'))
        status, _, _ = ask(
            server, '/gradio_api/queue/join', 'POST',
            json.dumps(dict(fn_index=upload, data=[file],
                            session_hash=session)),
            Content_Type='application/json')
        answer = b''
        if status == 200:
            answer = ask(server,
                         f'/gradio_api/queue/data?session_hash={session}')[2]
            assert b'"success":false' in answer, answer
        assert b'base64' not in answer
    assert sorted((server.folder / 'photographs').glob('*.png')) == before


def test_other_pages_and_machines_are_refused(server):
    process = psutil.Process(server.process.pid)
    ports = [x.laddr for x in process.net_connections()
             if x.status == psutil.CONN_LISTEN]
    assert [x.ip for x in ports] == ['127.0.0.1']
    assert ask(server, '/alive')[0] == 200
    assert ask(server, '/alive', Host='evil.example')[0] == 400
    for origin in ('http://evil.example', 'null',
                   f'https://127.0.0.1:{server.port}'):
        assert ask(server, '/gradio_api/upload', 'POST', b'',
                   Origin=origin)[0] == 403
    assert b'"analytics_enabled":false' in ask(server, '/config')[2]


def test_two_servers_share_neither_port_nor_folder(server, tmp_path):
    for options, match in (
            (['--port', str(server.port), '--out-dir', str(tmp_path / 'a')],
             f'OSError: The port {server.port} cannot be used'),
            (['--port', '0', '--out-dir', str(server.folder)],
             f"FolderInUseError: '{server.folder}' is in use by process")):
        result = subprocess.run(
            [sys.executable, 'demo/web.py', *options],
            cwd=root(),
            env={**os.environ, 'PYTHONPATH': str(root())},
            capture_output=True,
            text=True)
        assert result.returncode == 1
        assert result.stderr.startswith(match)
        assert result.stderr.count('\n') == 1
    assert not (tmp_path / 'a').exists()


def test_errors_in_plain_words(monkeypatch, tmp_path):
    said = []
    monkeypatch.setattr(base.gr, 'Warning',
                        lambda text, **options: said.append(text))

    def fail():
        raise OSError(errno.ENOSPC, 'Cannot write: No space left', 'x.png')

    assert len(next(told(fail, 2)())) == 2
    assert said == ['The disk is full, so nothing was written: free some '
                    'space, then try again.']
    assert plain(MemoryError()).startswith('Out of memory')
    assert plain(ValueError('Argument `start_scale` must be 1.\nMore')) == (
        'The start scale must be 1.')
    usage = shutil.disk_usage(tmp_path)
    assert _is_full(tmp_path) == (usage.free < 2**26)
    monkeypatch.setattr(shutil, 'disk_usage',
                        lambda _: usage._replace(free=1000))
    assert _is_full(tmp_path)
