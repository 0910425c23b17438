r"""Write a trained generator as a file that needs none of this code.

The suffix of the file says which kind it is: `.onnx` for ONNX (needs
`pip install mmpe[export]`), `.pt2` for `torch.export.load`. Images have one
size, given here; batches may have any.

StyleGAN2 and MS-PIE take noise (N, 512) and add the same noise to the layers
each time. SinGAN takes one normally distributed noise for each of its scales.
All return images (N, 3, H, W) in about [-1, 1], in the channel order of the
training, which is BGR.

Example:
    python tools/export.py configs/positional_encoding_in_gans/\
mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-512.py \
        config-f.pth config-f.onnx --size 384 384

What is written is compared with the model, and removed if it differs.
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
from mmpe.utils.command_line import one_line_errors
from mmpe.utils.files import atomic_write

Size = Tuple[int, int]
# The batch of the example, and those that are compared.
BATCH, BATCHES = 2, (1, 3)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, or name of a row')
    parser.add_argument('checkpoint', help='path or address of the checkpoint')
    parser.add_argument('out', type=Path, help='file to write: .onnx or .pt2')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        help="size of the images (default: the largest of StyleGAN2's and "
        "MS-PIE's training, that of SinGAN's photograph)")
    parser.add_argument(
        '--tolerance',
        type=float,
        default=1e-3,
        help='largest difference from the model (default: %(default)s)')
    args = parser.parse_args()
    if not args.tolerance >= 0:
        parser.error('--tolerance must be at least 0, but got '
                     f'{args.tolerance}')
    if args.size and min(args.size) < 1:
        parser.error(f'--size must be at least 1 1, but got {args.size}')
    return args


class StyleGenerator(nn.Module):
    """Noise (N, C) to images, with constant noise in the layers.

    Args:
        generator: Generator of StyleGAN2 or MS-PIE.
        options: What makes it draw the size.
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
        """Noise for a number of images."""
        return torch.randn(num, self.generator.noise_size),


class SinGANGenerator(nn.Module):
    """Noises (N, C, H, W), one for each scale, to images.

    Args:
        generator: SinGAN's generator.
        noise_weights: Standard deviation of each noise.
        shapes: Shapes of the noises of one image.
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
        """Noises for a number of images."""
        return tuple(torch.randn(num, *shape[1:]) for shape in self.shapes)


def load_generator(config: str, checkpoint: str,
                   size: Optional[Size]) -> nn.Module:
    """A generator that draws one size.

    Args:
        config: Config file, or name of a row.
        checkpoint: Path or address of the checkpoint.
        size: (H, W); by default that of the training.

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
        raise ValueError('A ContextSinGAN cannot be exported: the positions '
                         'that its generator is told follow from the noise. '
                         'Export a SinGAN of another type.')
    generator = model.generator_ema.module if model.with_ema_gen \
        else model.generator
    last = model.curr_stage + 1
    return SinGANGenerator(generator, model.noise_weights[:last],
                           model.noise_shapes(size)[:last])


def write_onnx(model: nn.Module, path: Path) -> None:
    """Write a generator as ONNX.

    Args:
        model: The generator.
        path: Where to write.
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
    """Reads what :func:`write_onnx` has written."""
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
    """Write a generator for ``torch.export.load``.

    Args:
        model: The generator.
        path: Where to write.
    """
    example = model.inputs(BATCH)
    torch.export.save(
        torch.export.export(
            model, example, dynamic_shapes=_dynamic_shapes(example)),
        str(path))


def run_pt2(path: Path) -> Callable[..., Tensor]:
    """Reads what :func:`write_pt2` has written."""
    return torch.export.load(str(path)).module()


def _dynamic_shapes(example: Sequence[Tensor]) -> tuple:
    """The first dimension of all inputs is the batch."""
    shapes = tuple({0: torch.export.Dim('batch')} for _ in example)
    return shapes if len(shapes) == 1 else (shapes, )


# How to write and to run each kind of file, and which packages that needs.
KINDS: Dict[str, tuple] = {
    '.onnx': (write_onnx, run_onnx, ('onnx', 'onnxruntime', 'onnxscript')),
    '.pt2': (write_pt2, run_pt2, ()),
}


def check_packages(packages: Sequence[str]) -> None:
    """See that packages are installed.

    Raises:
        ImportError: One is not, or PyTorch is too old.
    """
    if digit_version(torch.__version__) < digit_version('2.6'):
        raise ImportError('Exporting needs PyTorch 2.6 or later, but this is '
                          f'{torch.__version__}.')
    for name in packages:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ImportError(f'ONNX needs the package {name!r}: pip install '
                              "'mmpe[export]'.") from error


@torch.no_grad()
def export(model: nn.Module, out: Path, tolerance: float) -> float:
    """Write a generator, and compare what has been written.

    Args:
        model: The generator.
        out: The file; its suffix says which kind.
        tolerance: Largest difference from the model.

    Returns:
        The largest difference.

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
                'What was written differs from the model by '
                f'{difference:.2g}, more than --tolerance {tolerance:g}; it '
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
        print('Writing and comparing; this takes a minute for large models.')
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # about the exporter's inside
            difference = export(model, args.out, args.tolerance)
    print(f'Largest difference from the model: {difference:.2g}')
    print(f'The generator is in {args.out}')


if __name__ == '__main__':
    main()
