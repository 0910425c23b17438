"""Server of the page, for this machine only."""
import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Sequence, Tuple

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.staticfiles import StaticFiles
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from .studio import Studio

# Read by gradio and its dependencies at import.
_QUIET = dict(
    GRADIO_ANALYTICS_ENABLED='False',
    GRADIO_RUN_HISTORY='False',
    GRADIO_SSR_MODE='False',
    HF_HUB_DISABLE_TELEMETRY='1',
    HF_HUB_OFFLINE='1')
HOST = '127.0.0.1'
# Folders below the output folder, and file types, that are served.
_SHOWN = 'photographs', 'inputs', 'edits', 'results', 'trainings'
_SUFFIXES = '.png', '.gif', '.mp4', '.json'
# Free bytes below which the page reports a full disk.
_LEAST_ROOM = 2**26
# Only content from this machine; gradio evaluates templates.
_POLICY = ("default-src 'self' data: blob:; script-src 'self' "
           "'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' "
           "'unsafe-inline'; frame-ancestors 'none'; form-action 'self'")


def open_port(port: int) -> socket.socket:
    """A socket that only this machine can connect to.

    Args:
        port: The port, or 0 for any free one.

    Raises:
        OSError: The port is in use.
    """
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
    except OSError as error:
        found.close()
        raise OSError(f'The port {port} cannot be used ({error.strerror}): '
                      'choose another one with --port.') from None
    return found


def make_app(studio: 'Studio') -> 'ASGIApp':
    """The page of a studio as an ASGI application.

    Args:
        studio: The studio.

    Raises:
        ImportError: Gradio is not installed.
    """
    os.environ.update(
        _QUIET, GRADIO_TEMP_DIR=str((studio.folder / 'uploads').absolute()))
    try:
        import gradio
    except ImportError:
        raise ImportError('The page requires the package gradio: run `pip '
                          "install 'mmpe[web]'`.") from None
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from .page import make_page
    from .studio import MOST_BYTES
    from .style import HEAD, STYLE, THEME
    silent: Dict[str, Any] = dict(
        docs_url=None, redoc_url=None, openapi_url=None)
    app = FastAPI(**silent)
    app.get('/alive')(lambda: dict(is_full=_is_full(studio.folder)))
    app.mount('/files', _files(studio.folder))
    app.mount('/own', _static(Path(__file__).parent / 'static'))
    app = gradio.mount_gradio_app(
        app,
        make_page(studio),
        path='/',
        server_name=HOST,
        footer_links=[],
        app_kwargs=silent,
        run_history=False,
        show_error=True,
        max_file_size=MOST_BYTES,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        theme=THEME,
        css=STYLE,
        head=HEAD)
    app.add_middleware(TrustedHostMiddleware,
                       allowed_hosts=[HOST, 'localhost'])
    return Guard(app)


def _is_full(folder: Path) -> bool:
    return shutil.disk_usage(folder).free < _LEAST_ROOM


def _static(folder: Path) -> 'StaticFiles':
    from starlette.staticfiles import StaticFiles
    return StaticFiles(directory=folder)


def _files(folder: Path) -> 'StaticFiles':
    """Files of the studio, and nothing else."""
    from starlette.exceptions import HTTPException
    from starlette.staticfiles import StaticFiles

    class Files(StaticFiles):

        async def get_response(self, path: str,
                               scope: 'Scope') -> 'Response':
            parts = Path(path).parts
            if (not parts or parts[0] not in _SHOWN
                    or any(x.startswith('.') for x in parts)
                    or not path.endswith(_SUFFIXES)):
                raise HTTPException(404)
            return await super().get_response(path, scope)

    return Files(directory=folder)


class Guard:
    """Rejects requests of other pages, and adds security headers.

    Args:
        app: The application.
    """

    def __init__(self, app: 'ASGIApp') -> None:
        self._app = app

    async def __call__(self, scope: 'Scope', receive: 'Receive',
                       send: 'Send') -> None:
        """Handle a request."""
        if scope['type'] != 'http':
            await self._app(scope, receive, send)
            return
        headers = dict(scope['headers'])
        origin = headers.get(b'origin')
        if origin and origin != b'http://' + headers.get(b'host', b''):
            await send(
                dict(type='http.response.start', status=403, headers=[]))
            await send(dict(type='http.response.body', body=b''))
            return

        async def answer(message: 'Message') -> None:
            if message['type'] == 'http.response.start':
                message['headers'] = [
                    *message.get('headers', ()),
                    (b'content-security-policy', _POLICY.encode()),
                    (b'x-content-type-options', b'nosniff'),
                    (b'referrer-policy', b'no-referrer')
                ]
            await send(message)

        await self._app(scope, receive, answer)


def serve(folder: Path, port: int,
          faces: Sequence[Tuple[str, str]]) -> None:
    """Serve the page until Ctrl-C.

    Args:
        folder: Output folder.
        port: Port on this machine, or 0 for any free one.
        faces: Configs and checkpoints of StyleGAN2 or MS-PIE models.

    Raises:
        ImportError: Gradio is not installed.
        OSError: The port or the folder cannot be used.
        ValueError: A model cannot be loaded.
    """
    with open_port(port) as found:
        from .studio import Studio
        studio = Studio(folder, faces)
        try:
            app = make_app(studio)
            import uvicorn
            config = uvicorn.Config(
                app,
                log_level='warning',
                timeout_graceful_shutdown=1,
                server_header=False)
            found.listen(128)
            print(
                f'The page is at http://{HOST}:{found.getsockname()[1]}, for '
                f'this machine only. Its output folder is {folder}. Press '
                'Ctrl-C to stop.',
                flush=True)
            uvicorn.Server(config).run(sockets=[found])
        finally:
            studio.close()
