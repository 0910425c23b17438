r"""Parameters and FLOPs of generator and discriminator, at each size.

One image passes through each network. A multiplication and an addition are
two FLOPs; counted are convolutions and matrix products. Nothing is computed,
so that large sizes take neither time nor memory.

Examples:
    python tools/analysis/get_flops.py configs/positional_encoding_in_gans/\
mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-512.py

    python tools/analysis/get_flops.py \
        configs/positional_encoding_in_gans/singan_spe-dim4_fish.py \
        --photo-size 200 300
"""
import argparse
from typing import Callable, Iterator, List, NamedTuple, Optional, Tuple

import torch
from mmengine.config import Config
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

import mmpe  # noqa: F401  (installs the host bridge)
from mmpe.functional.pyramid import pyramid_sizes
from mmpe.utils.command_line import (SettingsAction, one_line_errors,
                                     open_config)

Size = Tuple[int, int]


class Cost(NamedTuple):
    """What one network costs at one size.

    Args:
        network: Name of the network.
        scale: Extra cells, or SinGAN's scale.
        size: (H, W) of the image.
        params: Number of parameters; with SinGAN those of this scale.
        flops: FLOPs of one image; with SinGAN's generator those of all scales
            up to this one.
    """

    network: str
    scale: int
    size: Size
    params: int
    flops: int


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--photo-size',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        help="size of SinGAN's photograph in pixels (default: that of the "
        'photograph that the config names)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=SettingsAction,
        help='override settings of the config, as in a.b=1 or a.b="[1,2]"')
    args = parser.parse_args()
    if args.photo_size and min(args.photo_size) < 1:
        parser.error(f'--photo-size must be at least 1 1, but got '
                     f'{args.photo_size}')
    return args


def costs_of(cfg: Config, photo_size: Optional[Size] = None) -> List[Cost]:
    """Costs of a config's networks.

    Args:
        cfg: The config.
        photo_size: (H, W) of SinGAN's photograph.

    Raises:
        FileNotFoundError: SinGAN's photograph is not there.
        ValueError: The model is of another kind, or the photograph too small.
    """
    from mmpe.models import SinGAN, StyleGAN2
    from mmpe.registry import MODELS, build_from
    if not cfg.get('model'):
        raise ValueError('The config has no model.')
    if cfg.model.type.endswith('SinGAN'):
        sizes = _fit_scales(cfg, photo_size)
    cfg.model.ema_config = None  # a copy of the generator
    # Fake tensors have shapes, but no values.
    with FakeTensorMode(), torch.no_grad():
        model = build_from(MODELS, cfg.model).eval()
        if isinstance(model, SinGAN):
            return list(_singan_costs(model, sizes))
        if isinstance(model, StyleGAN2):
            return list(_stylegan_costs(model))
    raise ValueError('The config must be one of SinGAN, StyleGAN2 or MS-PIE, '
                     f'but it is one of a {type(model).__name__}.')


def _fit_scales(cfg: Config, photo_size: Optional[Size]) -> List[Size]:
    """Sizes of SinGAN's pyramid; their number is set in the config."""
    from mmpe.datasets import read_photograph
    dataset = cfg.train_dataloader.dataset
    if photo_size is None:
        photo_size = read_photograph(dataset.data_root).shape[:2]
    sizes = pyramid_sizes(photo_size, dataset.min_size, dataset.max_size,
                          dataset.get('scale_factor_init', 0.5),
                          dataset.get('doubling', False))
    for network in (cfg.model.generator, cfg.model.discriminator):
        network.pop('num_scales', None)
    cfg.model.num_scales = len(sizes) - 1
    return sizes


def _stylegan_costs(model: nn.Module) -> Iterator[Cost]:
    generator, discriminator = model.generator, model.discriminator
    noise = torch.empty(1, generator.noise_size)
    scales = getattr(model, 'multi_input_scales', None)
    for scale in [0] if scales is None else scales:
        kwargs = {} if scales is None else dict(chosen_scale=scale)
        image, flops = _count(lambda: generator(noise, **kwargs))  # noqa: B023
        size = tuple(image.shape[-2:])
        yield Cost('generator', scale, size, _params(generator), flops)
        _, flops = _count(lambda: discriminator(image))  # noqa: B023
        yield Cost('discriminator', scale, size, _params(discriminator), flops)


def _singan_costs(model: nn.Module, sizes: List[Size]) -> Iterator[Cost]:
    model.reals = [torch.empty(1, 3, *size) for size in sizes]
    model.construct_fixed_noises()
    model.noise_weights = [1.] * len(sizes)
    model.curr_stage = len(sizes) - 1
    networks = model.generator, model.discriminator
    for scale, size in enumerate(sizes):
        params = [_params(network.blocks[scale]) for network in networks]
        image, flops = _count(
            lambda: model.sample(curr_scale=scale))  # noqa: B023
        yield Cost('generator', scale, size, params[0], flops)
        _, flops = _count(
            lambda: model.discriminator(image, scale))  # noqa: B023
        yield Cost('discriminator', scale, size, params[1], flops)


def _params(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _count(run: Callable[[], torch.Tensor]) -> Tuple[torch.Tensor, int]:
    with FlopCounterMode(display=False) as counter:
        image = run()
    return image, counter.get_total_flops()


def table(costs: List[Cost]) -> str:
    """The costs in columns."""
    lines = [
        f'{"network":<14}{"scale":>6}{"size":>12}{"parameters":>15}'
        f'{"GFLOPs":>11}'
    ]
    for cost in sorted(costs, key=lambda cost: cost.network, reverse=True):
        size = '{}x{}'.format(*cost.size)
        lines.append(f'{cost.network:<14}{cost.scale:>6}{size:>12}'
                     f'{cost.params:>15,}{cost.flops / 1e9:>11.3f}')
    return '\n'.join(lines)


def main() -> None:
    """Run the command."""
    args = parse_args()
    with one_line_errors():
        cfg = open_config(args.config, args.cfg_options)
        print(table(costs_of(cfg, args.photo_size)))


if __name__ == '__main__':
    main()
