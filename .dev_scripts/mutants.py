r"""See that tests notice wrong mathematics.

Breaks one line after the other in a copy of the repository, and runs the tests
that should fail then, and no others. First all of them must pass in the copy
as it is. Takes some seconds for each line.

Example:
    python .dev_scripts/mutants.py
"""
import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple, Sequence

# What takes time to import, so that forked processes need not. None of it may
# import mmpe, of which each process has its own.
import mmengine.runner  # noqa: F401
import pytest
import torch._dynamo  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent
COPIED = ('mmpe', 'tests', 'tools', 'configs', 'pyproject.toml',
          'model-index.yml')
# Exit statuses of pytest: all passed, some failed.
PASSED, FAILED = 0, 1


class Mutant(NamedTuple):
    """A line of a file in ``mmpe``, what it becomes, and who should notice.

    Args:
        what: In words.
        file: Path in ``mmpe``.
        before: The line without its indentation; it stands there once.
        after: The wrong one.
        tests: Paths and node ids in ``tests``.
    """

    what: str
    file: str
    before: str
    after: str
    tests: Sequence[str]


MUTANTS = [
    Mutant('SPE: exponent by half the channels',
           'functional/grids.py',
           'steps = half_dim if div_half_dim else half_dim - 1',
           'steps = half_dim',
           ['test_functional/test_grids.py']),
    Mutant('SPE: cosines before sines',
           'functional/grids.py',
           'return torch.cat((angles.sin(), angles.cos()), dim=-1)',
           'return torch.cat((angles.cos(), angles.sin()), dim=-1)',
           ['test_functional/test_grids.py']),
    Mutant('CSG: a step too short',
           'functional/grids.py',
           'x = 2 * torch.arange(width, device=device) / (width - 1) - 1',
           'x = 2 * torch.arange(width, device=device) / width - 1',
           ['test_functional/test_grids.py',
            'test_functional/test_properties.py::test_cartesian_grid']),
    Mutant('centred growth: the middle is off by one',
           'functional/grids.py',
           'return cells - ((length + 1) // 2 - (trained_length + 1) // 2)',
           'return cells - (length // 2 - trained_length // 2)',
           ['test_functional/test_properties.py::test_axis_positions']),
    Mutant('scales of MS-PIE: probabilities ignored',
           'models/mspie/scales.py',
           "np.cumsum(self.probabilities), draw, side='right')",
           "np.linspace(0, 1, len(self.scales) + 1)[1:], draw, side='right')",
           ['test_models/test_mspie/test_scales.py']),
    Mutant('R1: norms summed over the batch',
           'functional/gan_losses.py',
           'return squares.sum() / len(gradient)',
           'return squares.sum()',
           ['test_functional/test_gan_losses.py']),
    Mutant('path length: direction not by the square root of the pixels',
           'functional/gan_losses.py',
           'direction = torch.randn_like(images) / (height * width)**0.5',
           'direction = torch.randn_like(images) / (height * width)',
           ['test_functional/test_gan_losses.py']),
    Mutant('WGAN-GP: norm over a row instead of the channels',
           'functional/wgan_gp.py',
           'return (gradient.float().norm(2, dim=1) - 1).square().mean()',
           'return (gradient.float().norm(2, dim=3) - 1).square().mean()',
           ['test_models/test_singan/test_parity.py']),
    Mutant('average of weights: the wrong share',
           'models/moving_average.py',
           'torch._foreach_mul_(averages, 1 - self.momentum)',
           'torch._foreach_mul_(averages, self.momentum)',
           ['test_models/test_moving_average.py']),
    Mutant('demodulation: power not squared',
           'models/layers/modulated_conv/convolution.py',
           'power = self.weight_orig.squeeze(0).square().sum(',
           'power = self.weight_orig.squeeze(0).abs().sum(',
           ['test_models/test_mspie/test_parity_losses.py']),
    Mutant('filter: the kernel is not flipped',
           'functional/resample.py',
           'weight.flip(2, 3),',
           'weight,',
           ['test_functional/test_properties.py::test_fir_filter']),
    Mutant('filter: gradient padded by one less',
           'functional/resample.py',
           'return taps - 1 - before, in_size * up - out_size * down + before'
           ' - up + 1',
           'return taps - 2 - before, in_size * up - out_size * down + before'
           ' - up + 2',
           ['test_functional/test_properties.py::test_fir_filter']),
    Mutant('double backward of batch normalisation: one term once',
           'functional/batch_norm.py',
           'of_x = factor * (slope - 2 * grad_of_x * other_of_x) \\',
           'of_x = factor * (slope - grad_of_x * other_of_x) \\',
           ['test_functional/test_batch_norm.py']),
    Mutant('Winograd: bias at another column',
           'functional/winograd.py',
           '_ONES = 6 + 1',
           '_ONES = 6 + 2',
           ['test_functional/test_winograd.py::test_values']),
    Mutant('pyramid: rounded down',
           'functional/pyramid.py',
           'return int(height * factor + 0.5), int(width * factor + 0.5)',
           'return int(height * factor), int(width * factor)',
           ['test_functional/test_pyramid.py']),
    Mutant('patches: noise of another power',
           'functional/patch_diffusion/posterior.py',
           'factor = (1 - sigma) / sigma**2',
           'factor = (1 - sigma) / sigma',
           ['test_functional/test_patch_diffusion.py']),
    Mutant('layout: turned the other way',
           'inference/layout.py',
           '[-math.sin(angle), math.cos(angle)]])',
           '[math.sin(angle), math.cos(angle)]])',
           ['test_inference/test_layout.py']),
    Mutant('layout: moved in the direction of the source',
           'inference/layout.py',
           'flat = places.flatten(1) - (middle + shift)[:, None]',
           'flat = places.flatten(1) - (middle - shift)[:, None]',
           ['test_inference/test_properties.py']),
    Mutant('tiles: a halo beyond the border',
           'inference/tiling.py',
           'range(max(cells.start - halo, 0), min(cells.stop + halo, length))',
           'range(max(cells.start - halo, 0), '
           'max(cells.stop, min(cells.stop + halo, length) - 1))',
           ['test_inference/test_tiling.py::test_tiled_is_untiled']),
]


def run_tests(folder: Path, tests: Sequence[str]) -> int:
    """Exit status of pytest in a copy of the repository."""
    process = multiprocessing.get_context('fork').Process(
        target=_run_tests, args=(folder, tests))
    process.start()
    process.join()
    return process.exitcode


def _run_tests(folder: Path, tests: Sequence[str]) -> None:
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.stdout = open(os.devnull, 'w', encoding='utf-8')  # noqa: SIM115
    sys.exit(
        int(
            pytest.main([
                '-x', '-p', 'no:cacheprovider',
                *(f'tests/{test}' for test in tests)
            ])))


def is_caught(folder: Path, mutant: Mutant) -> bool:
    """Whether the tests fail while the line is wrong.

    Raises:
        ValueError: The line does not stand there once.
        RuntimeError: The tests do not run.
    """
    path = folder / 'mmpe' / mutant.file
    text = path.read_text(encoding='utf-8')
    if text.count(mutant.before) != 1:
        raise ValueError(f'{mutant.file} must hold the line {mutant.before!r} '
                         f'once, but it does {text.count(mutant.before)} '
                         'times: change this list.')
    path.write_text(
        text.replace(mutant.before, mutant.after), encoding='utf-8')
    try:
        status = run_tests(folder, mutant.tests)
    finally:
        path.write_text(text, encoding='utf-8')
    if status not in (PASSED, FAILED):
        raise RuntimeError(f'pytest ended with status {status} for '
                           f'{" ".join(mutant.tests)}.')
    return status == FAILED


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        tests = sorted({test for x in MUTANTS for test in x.tests})
        if run_tests(folder, tests) != PASSED:
            sys.exit('The tests must pass before a line is changed.')
        survived = 0
        for mutant in MUTANTS:
            caught = is_caught(folder, mutant)
            survived += not caught
            print(f'| {"caught" if caught else "SURVIVED":<8} | '
                  f'{mutant.what:<58} | {mutant.file:<43} |', flush=True)
    if survived:
        sys.exit(f'{survived} wrong lines are not noticed.')


if __name__ == '__main__':
    main()
