"""The page docs/gpu.md."""
import json
import os
import platform
import subprocess
from collections import Counter
from importlib import metadata
from typing import Dict, List, Optional, Sequence

import torch

__all__ = ['failures', 'machine', 'merged', 'page', 'summary']

_PACKAGES = ('mmagic', 'mmengine', 'mmcv', 'mmcv-lite', 'numpy', 'torchvision')
_HEAD = """# On a GPU

Results of `.dev_scripts/check_gpu.py`. "ok" means that the check passed:
differences are within their tolerance (1e-4 for images and losses, 1e-3 for
gradients, or three times the effect of rounding the weights differently), all
values are finite, and all files exist. mmcv-lite has no CUDA operators, so
MMagic's classes used mmcv's versions in plain PyTorch.
"""


def machine(device: str, commit: Optional[str], root: str) -> Dict[str, str]:
    """Description of machine and software."""
    found = {
        'commit': commit or _commit(root),
        'device': platform.processor() or platform.machine(),
        'cores': str(os.cpu_count()),
        'Python': platform.python_version(),
        'torch': torch.__version__
    }
    if device != 'cpu':
        properties = torch.cuda.get_device_properties(device)
        found.update(
            device=f'{properties.name}, '
            f'{properties.total_memory // 2**20} MiB',
            CUDA=str(torch.version.cuda),
            cuDNN=str(torch.backends.cudnn.version()))
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _commit(root: str) -> str:
    command = ['git', '-C', root, 'rev-parse', '--short', 'HEAD']
    result = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False)
    return result.stdout.strip() or 'unknown'


def merged(paths: Sequence[str]) -> dict:
    """Merge results of several runs, with the last result of each group.

    Raises:
        OSError: A file cannot be read.
        ValueError: A file has no results.
    """
    results: dict = dict(groups={})
    for path in paths:
        with open(path) as file:
            try:
                more = json.load(file)
                more['groups'].items()
            except (AttributeError, KeyError, TypeError, ValueError):
                raise ValueError(f'{path!r} is not a results.json of this '
                                 'command.') from None
        groups = {**results['groups'], **more['groups']}
        results = dict(more, groups=groups)
    return results


def failures(results: dict) -> int:
    """Number of checks that failed or did not run."""
    return sum(
        check['status'] in ('failed', 'not run')
        for group in results['groups'].values() for check in group['checks'])


def summary(group: dict) -> str:
    """Summary of a group, and a line per failure."""
    counts = Counter(check['status'] for check in group['checks'])
    lines = [
        f'{group["title"]}: ' + ', '.join(
            f'{count} {status}' for status, count in counts.most_common()) +
        f' in {group["seconds"]:.0f} s'
    ]
    lines += [
        f'  {check["name"]}: {check["note"]}' for check in group['checks']
        if check['status'] == 'failed'
    ]
    return '\n'.join(lines)


def page(results: dict) -> str:
    """The page in Markdown."""
    facts = ', '.join(
        f'{key} {value}' for key, value in results['machine'].items())
    parts = [_HEAD, f'{facts[:1].upper()}{facts[1:]}.']
    if results['scaled_down']:
        parts.append('**A trial with small networks and images: the figures '
                     'are meaningless.**')
    for group in results['groups'].values():
        parts += [f'\n## {group["title"]}\n', f'{summary(group)}.\n'.replace(
            '\n  ', '\n- '), *_tables(group['checks'])]
    return '\n'.join(parts)


def _tables(checks: List[dict]) -> List[str]:
    """A table for each set of checks with the same figures."""
    kinds: Dict[tuple, List[dict]] = {}
    for check in checks:
        kinds.setdefault(tuple(check.get('figures', ())), []).append(check)
    lines = []
    for columns, members in kinds.items():
        head = ['check', 'result', *columns]
        lines += [
            f'| {" | ".join(head)} |',
            f'| {" | ".join([":-"] * 2 + ["-:"] * len(columns))} |'
        ]
        for check in members:
            cells = [check['name'], check['status']]
            cells += [check['figures'][key] for key in columns]
            lines.append(f'| {" | ".join(map(str, cells))} |')
        lines.append('')
    return lines
