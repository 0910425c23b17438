"""Servers that do not do as they should."""
import hashlib
import http.server
import json
import threading
import time
from pathlib import Path
from random import Random
from typing import List, Tuple
from unittest import mock

import torch

from mmpe.checkpoint import fetch
from mmpe.utils import download

from .mutations import mutate_bytes

# The package's bounds, so small that many servers can be tried.
_BOUNDS = dict(_TIMEOUT=0.5, _LARGEST=2**20, _SLOWEST=2000)
_WEIGHTS = b'\x80' + bytes(range(256)) * 40
_HASH = hashlib.sha256(_WEIGHTS).hexdigest()
_NAMES = ('model.pth', f'model-{_HASH[:8]}.pth', f'model-{_HASH}.pth',
          'model-01234567.pth', '', '..', '.', '%2e%2e', '..%2f..%2fx.pth',
          'x' * 300 + '.pth', 'a b.pth', 'a\nb.pth', 'ä.pth', '~', '~root',
          'C:\\x.pth', '\\..\\x', 'x.pth?a=/../b', 'x.pth#../y', '.pth',
          'model.pth/', '-rf.pth', 'model.pth;x', '%00.pth')


def make(random: Random, folder: Path) -> Path:
    """What a server answers, as a list of parts with pauses in seconds."""
    header = 'HTTP/1.1 200 OK\r\n'
    length = f'Content-Length: {len(_WEIGHTS)}\r\n'
    end = 'Connection: close\r\n\r\n'
    whole = (header + length + end).encode() + _WEIGHTS
    repeat = 1
    name = random.choice(_NAMES) if random.random() < .3 else \
        random.choice(_NAMES[:4])
    change = random.choice((
        'whole', 'mutated', 'status', 'redirect', 'redirects', 'length',
        'endless', 'drip', 'late', 'page', 'chunks', 'nothing', 'headers',
        'encoding'))
    parts: List[Tuple[bytes, float]] = [(whole, 0)]
    if change == 'mutated':
        start = (header + length + end).encode()
        parts = [(mutate_bytes(random, start) + _WEIGHTS, 0)]
    elif change == 'status':
        code = random.choice((100, 101, 204, 206, 300, 304, 401, 403, 404,
                              407, 418, 429, 500, 503, 599, 999, 0, -1))
        parts = [(whole.replace(b'200 OK', b'%d x' % code), 0)]
    elif change == 'redirect':
        place = random.choice(
            ('file:///etc/passwd', 'ftp://127.0.0.1:1/x', '//', '', '/' * 9000,
             'http://127.0.0.1:1/x.pth', 'http://[::1', 'javascript:0',
             '/../../x.pth', 'http://127.0.0.1:99999/', 'data:,x',
             '/a b\tc', 'http://user:pass@127.0.0.1:1/'))
        parts = [(f'HTTP/1.1 302 x\r\nLocation: {place}\r\n{end}'.encode(), 0)]
    elif change == 'redirects':  # to itself, or the number counts down
        count = random.choice((1, 3, 30, -1))
        name = f'{name}?{count}' if count > 0 else name
        parts = [(f'HTTP/1.1 {random.choice((301, 302, 307, 308))} x\r\n'
                  f'Location: {{next}}\r\n{end}'.encode(), 0), (whole, 0)]
    elif change == 'length':
        wrong = random.choice((0, 1, len(_WEIGHTS) * 2, -5, 2**70, 'abc',
                               '1\r\nContent-Length: 2', '0x10', '', '1e3'))
        parts = [(f'{header}Content-Length: {wrong}\r\n{end}'.encode()
                  + _WEIGHTS, 0)]
    elif change == 'endless':
        how = random.choice(('', 'Transfer-Encoding: chunked\r\n',
                             f'Content-Length: {2**50}\r\n'))
        chunk = bytes(2**16)
        if 'chunked' in how:
            chunk = b'10000\r\n' + chunk + b'\r\n'
        parts, repeat = [((header + how + end).encode(), 0), (chunk, 0)], -1
    elif change == 'drip':
        how = random.choice((length, '', 'Transfer-Encoding: chunked\r\n'))
        drop = b'1\r\nx\r\n' if 'chunked' in how else b'x'
        parts, repeat = [((header + how + end).encode(), 0), (drop, .05)], -1
    elif change == 'late':
        parts = [(b'', 1), (whole, 0)] if random.random() < .5 else [
            (whole[:len(whole) // 2], 1), (whole[len(whole) // 2:], 0)]
    elif change == 'page':
        parts = [((header + end).encode() + random.choice(
            (b'<!DOCTYPE html>', b'\n <HTML>', b'<?xml?>')), 0)]
    elif change == 'chunks':
        body = random.choice((b'zz\r\n', b'5\r\nabc', b'-1\r\n', b'5',
                              b'ffffffffffffffff\r\n' + bytes(100),
                              b'0\r\n\r\n', b'5\r\nabcde\r\n0\r\n\r\n'))
        parts = [((f'{header}Transfer-Encoding: chunked\r\n{end}').encode()
                  + body, 0)]
    elif change == 'nothing':
        parts = [(random.choice((b'', b'\r\n', b'HTTP/1.1', b'\x00' * 100,
                                 b'SSH-2.0-x\r\n', b'HTTP/9.9 200\r\n\r\n')),
                  random.choice((0, .1)))]
    elif change == 'headers':
        many = random.choice((b'A: b\r\n' * 500, b'A' * 70000 + b': b\r\n',
                              b': \r\n', b'A\r\n', b' x\r\n', b'\xff: \r\n'))
        parts = [(header.encode() + many + end.encode() + _WEIGHTS, 0)]
        if random.random() < .2:  # a line that never ends
            parts, repeat = [(header.encode(), 0), (b'A', .05)], -1
    elif change == 'encoding':
        more = random.choice((
            'Content-Encoding: gzip\r\n', 'Content-Type: text/html\r\n',
            'Content-Disposition: attachment; filename="../../x"\r\n',
            'Transfer-Encoding: gzip, chunked\r\n', 'Set-Cookie: a=b\r\n'))
        parts = [((header + length + more + end).encode() + _WEIGHTS, 0)]
    answer = dict(
        name=name,
        is_redirect=change == 'redirects',
        repeat=repeat,
        parts=[(part.decode('latin-1'), pause) for part, pause in parts])
    path = folder / 'answer.json'
    path.write_text(json.dumps(answer))
    return path


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers as a file says."""

    def do_GET(self) -> None:
        """Send the parts; the last one again and again if need be."""
        answer = self.server.answer
        parts = [(part.encode('latin-1'), pause)
                 for part, pause in answer['parts']]
        if answer['is_redirect']:
            parts = [self._redirect(*parts)]
        try:
            for part, pause in parts:
                self._send(part, pause)
            while answer['repeat'] < 0 and not self.server.is_over.is_set():
                self._send(*parts[-1])
        except OSError:
            pass  # the client has gone away
        self.close_connection = True

    def _redirect(self, redirect: Tuple[bytes, float],
                  whole: Tuple[bytes, float]) -> Tuple[bytes, float]:
        start, _, count = self.path.partition('?')
        if count == '0':
            return whole
        after = f'{start}?{int(count) - 1}' if count else self.path
        return redirect[0].replace(b'{next}', after.encode()), 0

    def _send(self, part: bytes, pause: float) -> None:
        self.wfile.write(part)
        self.wfile.flush()
        self.server.is_over.wait(pause)

    def log_message(self, *args: object) -> None:
        """Write nothing."""


def read(path: Path) -> None:
    """Download from the server that a file describes."""
    answer = json.loads(path.read_text())
    home = path.parent / 'home'
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), _Handler)
    server.answer, server.is_over = answer, threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(.01, ))
    thread.start()
    address = f'http://127.0.0.1:{server.server_port}/a/{answer["name"]}'
    environment = dict(TORCH_HOME=str(home), no_proxy='*')
    start = time.monotonic()
    try:
        with mock.patch.multiple(download, **_BOUNDS), mock.patch.dict(
                'os.environ', environment), mock.patch.object(
                    torch.hub, '_hub_dir', None):
            kept = fetch(address)
            folder = home / 'hub/checkpoints'
            if kept.parent != folder or not kept.is_file():
                raise AssertionError(f'{kept} is not a file in {folder}')
            if kept.read_bytes() == _WEIGHTS:
                return
            if _HASH[:8] in kept.name:
                raise AssertionError('this is not what was published')
    finally:
        server.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()
        if time.monotonic() - start > 20 * _BOUNDS['_TIMEOUT']:
            raise AssertionError('the bounds were not kept')
