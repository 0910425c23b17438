r"""Export a trained generator to a file that does not need this code.

The suffix of the file selects the format: `.onnx` for ONNX (requires
`pip install mmpe[export]`), `.pt2` for `torch.export.load`. The image size is
fixed at export; the batch size is not.

StyleGAN2 and MS-PIE take a latent (N, 512) and add constant noise to the
layers. SinGAN takes one standard normal noise map per scale. All return images
(N, 3, H, W) in about [-1, 1], in BGR order as in training.

Example:
    python tools/export.py configs/positional_encoding_in_gans/\
mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-512.py \
        config-f.pth config-f.onnx --size 384 384

The exported generator is compared with the model, and removed if it differs.
"""
import argparse
import importlib
import warnings
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import torch
from mmengine.utils import digit_version
from torch import Tensor, nn

import mmpe  # noqa: F401  (installs the host bridge)
from mmpe.utils.arguments import (CHECKPOINT, CONFIG, SIZE, Argument, at_least,
                                  make_parser)
from mmpe.utils.command_line import one_line_errors
from mmpe.utils.files import atomic_write

Size = Tuple[int, int]
# Batch size of the example, and batch sizes to compare.
BATCH, BATCHES = 2, (1, 3)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    return make_parser(
        __doc__, CONFIG.but(help='config file, or name of a row'), CHECKPOINT,
        Argument('out', type=Path, help='output file: .onnx or .pt2'),
        SIZE.but(
            type=at_least(1),
            help='image size in pixels (default: the largest training size)'),
        Argument(
            '--tolerance',
            type=at_least(0, kind=float),
            default=1e-3,
            help='largest difference from the model')).parse_args()


class StyleGenerator(nn.Module):
    """Latents (N, C) to images, with constant noise in the layers.

    Args:
        generator: Generator of StyleGAN2 or MS-PIE.
        options: Arguments with which it draws the size.
    """

    def __init__(self, generator: nn.Module, options: dict) -> None:
        super().__init__()
        from mmpe.models.stylegan2.base_generator import as_pair
        self.generator = generator
        self.options = options
        self.layer_noise = generator.fixed_noise(
            as_pair(options.get('chosen_scale', 0)))

    def forward(self, noise: Tensor) -> Tensor:
        """Images (N, 3, H, W)."""
        return self.generator(
            noise, injected_noise=self.layer_noise, **self.options)

    def inputs(self, num: int) -> Tuple[Tensor, ...]:
        """Latents of a number of images."""
        return torch.randn(num, self.generator.noise_size),


class SinGANGenerator(nn.Module):
    """Noise maps (N, C, H, W), one per scale, to images.

    Args:
        generator: SinGAN's generator.
        noise_weights: Standard deviation of the noise at each scale.
        shapes: Shapes of the noise maps of one image.
    """

    def __init__(self, generator: nn.Module, noise_weights: Sequence[float],
                 shapes: List[Tuple[int, ...]]) -> None:
        super().__init__()
        self.generator = generator
        self.noise_weights = list(noise_weights)
        self.shapes = shapes

    def forward(self, *noises: Tensor) -> Tensor:
        """Images (N, 3, H, W)."""
        return self.generator(
            None,
            noises,
            self.noise_weights,
            rand_mode='recon',
            curr_scale=len(noises) - 1,
            num_batches=noises[0].shape[0])

    def inputs(self, num: int) -> Tuple[Tensor, ...]:
        """Noise maps of a number of images."""
        return tuple(torch.randn(num, *shape[1:]) for shape in self.shapes)


def load_generator(config: str, checkpoint: str,
                   size: Optional[Size]) -> nn.Module:
    """Load a generator that draws one size.

    Args:
        config: Config file, or name of a row.
        checkpoint: Path or URL of the checkpoint.
        size: (H, W) in pixels; by default the largest training size.

    Returns:
        :class:`StyleGenerator` or :class:`SinGANGenerator`.

    Raises:
        OSError, ValueError: See :func:`mmpe.inference.load`; or the model
            cannot draw the size, or is a ContextSinGAN.
    """
    from mmpe.inference import SinGANSampler, load
    from mmpe.models import ContextSinGAN
    sampler = load(config, checkpoint)
    if not isinstance(sampler, SinGANSampler):
        return StyleGenerator(sampler.generator, sampler.options(size))
    model = sampler.model
    if isinstance(model, ContextSinGAN):
        raise ValueError('A ContextSinGAN cannot be exported, because the '
                         'positions that its generator gets depend on the '
                         'noise. Export a SinGAN of another type.')
    generator = model.generator_ema.module if model.with_ema_gen \
        else model.generator
    last = model.curr_stage + 1
    return SinGANGenerator(generator, model.noise_weights[:last],
                           model.noise_shapes(size)[:last])


def write_onnx(model: nn.Module, path: Path) -> None:
    """Export a generator to ONNX.

    Args:
        model: The generator.
        path: Output path.
    """
    example = model.inputs(BATCH)
    torch.onnx.export(
        model,
        example,
        str(path),
        dynamo=True,
        external_data=False,
        dynamic_shapes=_dynamic_shapes(example),
        input_names=[f'noise_{i}' for i in range(len(example))],
        output_names=['images'],
        verbose=False)


def run_onnx(path: Path) -> Callable[..., Tensor]:
    """Load the output of :func:`write_onnx`."""
    import onnxruntime
    session = onnxruntime.InferenceSession(
        str(path), providers=['CPUExecutionProvider'])

    def run(*noises: Tensor) -> Tensor:
        names = [x.name for x in session.get_inputs()]
        images, = session.run(None, {
            n: x.numpy()
            for n, x in zip(names, noises)
        })
        return torch.from_numpy(images)

    return run


def write_pt2(model: nn.Module, path: Path) -> None:
    """Export a generator for ``torch.export.load``; see :func:`write_onnx`."""
    example = model.inputs(BATCH)
    torch.export.save(
        torch.export.export(
            model, example, dynamic_shapes=_dynamic_shapes(example)),
        str(path))


def run_pt2(path: Path) -> Callable[..., Tensor]:
    """Load the output of :func:`write_pt2`."""
    return torch.export.load(str(path)).module()


def _dynamic_shapes(example: Sequence[Tensor]) -> tuple:
    """Mark the first dimension of each input as the batch."""
    shapes = tuple({0: torch.export.Dim('batch')} for _ in example)
    return shapes if len(shapes) == 1 else (shapes, )


# How to write and run each format, and the packages it requires.
KINDS: Dict[str, tuple] = {
    '.onnx': (write_onnx, run_onnx, ('onnx', 'onnxruntime', 'onnxscript')),
    '.pt2': (write_pt2, run_pt2, ()),
}


def check_packages(packages: Sequence[str]) -> None:
    """Check that packages are installed.

    Raises:
        ImportError: A package is missing, or PyTorch is too old.
    """
    if digit_version(torch.__version__) < digit_version('2.6'):
        raise ImportError('Exporting requires PyTorch 2.6 or later, but got '
                          f'{torch.__version__}.')
    for name in packages:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ImportError(f'ONNX requires the package {name!r}: run `pip '
                              "install 'mmpe[export]'`.") from error


@torch.no_grad()
def export(model: nn.Module, out: Path, tolerance: float) -> float:
    """Export a generator, and compare the file with the model.

    Args:
        model: The generator.
        out: Output path; its suffix selects the format.
        tolerance: Largest difference allowed.

    Returns:
        The largest difference found.

    Raises:
        OSError: The file cannot be written.
        ValueError: The difference is too large; nothing is kept.
    """
    write, read, _ = KINDS[out.suffix]
    model.eval().requires_grad_(False)
    with atomic_write(out) as temporary:
        write(model, temporary)
        run = read(temporary)
        torch.manual_seed(0)
        difference = max((run(*noises) - model(*noises)).abs().max().item()
                         for noises in map(model.inputs, BATCHES))
        if not difference <= tolerance:
            raise ValueError(
                f'The exported file differed from the model by '
                f'{difference:.2g}, more than --tolerance {tolerance:g}, and '
                'was removed.')
    return difference


def main() -> None:
    """Run the command."""
    args = parse_args()
    with one_line_errors():
        if args.out.suffix not in KINDS:
            raise ValueError('Argument `out` must end with '
                             f'{" or ".join(KINDS)}, but got {args.out}.')
        check_packages(KINDS[args.out.suffix][-1])
        model = load_generator(args.config, args.checkpoint, args.size)
        print('Exporting and comparing; large models take about a minute.')
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of the exporter's internals
            difference = export(model, args.out, args.tolerance)
    print(f'Largest difference from the model: {difference:.2g}')
    print(f'The generator is {args.out}')


if __name__ == '__main__':
    main()
