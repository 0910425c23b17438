"""What the site's pages need beyond Sphinx and MyST.

Pages are read in the repository as well as on the site, so their links are
paths in the repository. A page that includes a README stands for it; other
files can be downloaded.

`<!-- reference: mmpe.functional -->` in a page is where the reference of a
package belongs.
"""
import inspect
import os
import pkgutil
import re
import textwrap
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List, Optional, Set

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.autodoc import mock

DOCS = Path(__file__).resolve().parent
_INCLUDE = re.compile(r'^```\{include\} (\S+)$', re.MULTILINE)
_LINK = re.compile(r'(\]\(\s*)([^)\s#:]+)(?=[#)\s])')
_REFERENCE = re.compile(r'^<!-- reference: (\S+) -->$', re.MULTILINE)


# ---------------------------------------------------------------------- links
@cache
def pages() -> Dict[Path, Path]:
    """The page of each file that is one, or that a page includes."""
    found = {}
    for path in DOCS.rglob('*.md'):
        found[path] = path
        for name in _INCLUDE.findall(path.read_text(encoding='utf-8')):
            found[(path.parent / name).resolve()] = path
    return found


def relink(text: str, folder: Path, page_folder: Path) -> str:
    """Let links to files of the repository lead into the site.

    Args:
        text: Markdown.
        folder: Folder of the file, which its links are relative to.
        page_folder: Folder of the page that the text is a part of.

    Returns:
        The same, with links that are relative to the page.
    """
    found = pages()

    def link(match: re.Match) -> str:
        path = (folder / match[2]).resolve()
        path = found.get(path / 'README.md' if path.is_dir() else path, path)
        if not path.is_file():
            return match[0]
        return match[1] + Path(os.path.relpath(path, page_folder)).as_posix()

    return _LINK.sub(link, text)


# ------------------------------------------------------------------ reference
def public_names(module: ModuleType) -> List[str]:
    """What a module makes public; without a list, what it defines itself."""
    names = getattr(module, '__all__', None)
    if names is None:
        names = [
            name for name, value in vars(module).items()
            if defined_in(value) == module.__name__
        ]
    return [
        name for name in names if not name.startswith('_')
        and not inspect.ismodule(getattr(module, name))
    ]


def defined_in(value: Any) -> str:
    """Name of the module of a function or class; '' for a constant."""
    known = inspect.isroutine(value) or inspect.isclass(value)
    return value.__module__ if known else ''


def reference(name: str) -> str:
    """Markdown that documents all that is public in a package.

    What the package exports is documented as a part of it, other names of its
    modules in sections of their own, and so packages in it without a page.
    """
    package = import_module(name)
    exported = public_names(package)
    parts = [section(package, exported)]
    for info in pkgutil.iter_modules(getattr(package, '__path__', [])):
        inner = f'{name}.{info.name}'
        if info.ispkg and inner not in with_page():
            parts.append(f'## {inner}\n\n{reference(inner)}')
        if info.ispkg or info.name in ('__main__', 'version'):
            continue
        module = import_module(inner)
        names = [
            x for x in public_names(module) if x not in exported
            and defined_in(getattr(module, x)) in ('', module.__name__)
        ]
        if names:
            parts.append(f'## {module.__name__}\n\n{section(module, names)}')
    return '\n'.join(parts)


@cache
def with_page() -> Set[str]:
    """The packages that a page is the reference of."""
    return {
        name for path in DOCS.rglob('*.md')
        for name in _REFERENCE.findall(path.read_text(encoding='utf-8'))
    }


def section(module: ModuleType, names: List[str]) -> str:
    """Markdown of a module's summary, a table of names, and each of them."""
    constants = [x for x in names if not defined_in(getattr(module, x))]
    names = [x for x in names if x not in constants]
    lines = [f'.. automodule:: {module.__name__}', '']
    if names:
        lines += ['.. autosummary::', '   :nosignatures:', '',
                  *(f'   {x}' for x in names), '']
    for name in constants:
        value = repr(getattr(module, name)).replace(str(Path.home()), '~')
        value = textwrap.shorten(re.sub(r' at 0x\w+', '', value), 70)
        lines += [f'.. py:data:: {name}', f'   :value: {value}', '']
    for name in names:
        value = getattr(module, name)
        if inspect.isclass(value):
            bases = value.__bases__ != (object, )
            lines += [f'.. autoclass:: {name}', '   :members:',
                      *['   :show-inheritance:'] * bases, '']
        else:
            lines += [f'.. autofunction:: {name}', '']
    return '\n'.join(['```{eval-rst}', *lines, '```', ''])


# --------------------------------------------------------------------- Sphinx
def read_page(app: Sphinx, name: str, content: List[str]) -> None:
    """Change a page's text before it is parsed."""
    folder = Path(app.env.doc2path(name)).parent
    with mock(app.config.autodoc_mock_imports):
        text = _REFERENCE.sub(lambda match: reference(match[1]), content[0])
    content[0] = relink(text, folder, folder)


def read_include(app: Sphinx, path: Path, name: str,
                 content: List[str]) -> None:
    """Change an included text before it is parsed."""
    content[0] = relink(content[0], (DOCS / path).resolve().parent, DOCS)


def escape_stars(app: Sphinx, kind: str, name: str, value: Any, options: Any,
                 lines: List[str]) -> None:
    """Keep the star of a shape as in (N, C, *size)."""
    lines[:] = [re.sub(r'(?<=, )\*(?=\w)', r'\*', line) for line in lines]


def skip_member(app: Sphinx, kind: str, name: str, value: Any, skip: bool,
                options: Any) -> bool:
    """Leave out fields of named tuples, which their class documents."""
    return skip or str(inspect.getdoc(value)).startswith('Alias for field')


def link_by_name(app: Sphinx, env: BuildEnvironment,
                 node: addnodes.pending_xref,
                 content: nodes.Element) -> Optional[nodes.Node]:
    """Resolve a short name, or one by which a package exports it elsewhere.

    Of several objects of that name the nearest to the place is meant.
    """
    if node.get('refdomain') != 'py':
        return None
    name = node['reftarget'].rpartition('.')[2]
    near = f'{node.get("py:module")}.{node.get("py:class")}'
    found = [x for x in env.domains.python_domain.objects
             if x.endswith(f'.{name}')]
    if not found or (node['reftype'] == 'class' and name[0].islower()):
        return None
    best = max(
        found,
        key=lambda x: len(os.path.commonprefix([x, near])))  # noqa: RUF071
    return env.domains.python_domain.resolve_xref(
        env, node['refdoc'], app.builder, 'obj', best, node, content)


def setup(app: Sphinx) -> Dict[str, bool]:
    """What Sphinx calls."""
    app.connect('source-read', read_page)
    app.connect('include-read', read_include)
    app.connect('missing-reference', link_by_name)
    app.connect('autodoc-process-docstring', escape_stars)
    app.connect('autodoc-skip-member', skip_member)
    return dict(parallel_read_safe=True, parallel_write_safe=True)
