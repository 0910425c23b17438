"""Settings of the documentation site: `sphinx-build -W docs docs/_build`."""
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent),
                str(Path(__file__).resolve().parents[1])]

from mmpe.version import __version__  # noqa: E402

project = 'mmpe'
author = copyright = "mmpe's contributors"
version = release = __version__
extensions = [
    'myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.autosummary',
    'sphinx.ext.napoleon', 'pages'
]
exclude_patterns = ['_build']
nitpicky = True
nitpick_ignore_regex = [
    # Annotations and bases: types of other packages, aliases, private classes.
    ('py:(class|obj)', r'(?!mmpe\.).*'),
    ('py:(func|exc)', r'(torch|pickle)\..*'),
    # Modules whose names their package exports have no section of their own.
    ('py:mod', r'\w+'),
    ('py:class', r'mmpe\..*\.(_\w+|Call|Change|ConvStack)'),
]

html_theme = 'furo'
html_title = f'mmpe {__version__}'
html_static_path = ['_static']
html_css_files = ['site.css']

myst_heading_anchors = 3

# Docstrings write code in single backticks.
default_role = 'code'
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_member_order = 'bysource'
autodoc_mock_imports = [
    'fastapi', 'gradio', 'lpips', 'tensorboard', 'uvicorn'
]
autosummary_generate = False
python_maximum_signature_line_length = 79
