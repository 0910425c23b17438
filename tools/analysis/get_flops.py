r"""Count parameters and FLOPs of generator and discriminator at each size.

Counts convolutions and matrix products for one image; a multiply-add is two
FLOPs. Nothing is actually computed, so large sizes take no time or memory.

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
from mmpe.utils.arguments import (CFG_OPTIONS, CONFIG, SIZE, at_least,
                                  make_parser)
from mmpe.utils.command_line import one_line_errors, open_config

Size = Tuple[int, int]


class Cost(NamedTuple):
    """Cost of one network at one size.

    Args:
        network: Name of the network.
        scale: Number of extra cells, or index of SinGAN's scale.
        size: (H, W) of the image.
        params: Number of parameters; for SinGAN, of this scale only.
        flops: FLOPs per image; for SinGAN's generator, of all scales up to
            this one.
    """

    network: str
    scale: int
    size: Size
    params: int
    flops: int


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    return make_parser(
        __doc__, CONFIG,
        SIZE.but(
            '--photo-size',
            type=at_least(1),
            help="size of SinGAN's photograph in pixels (default: that of the "
            'photograph in the config)'), CFG_OPTIONS).parse_args()


def costs_of(cfg: Config, photo_size: Optional[Size] = None) -> List[Cost]:
    """Costs of the networks of a config.

    Args:
        cfg: The config.
        photo_size: (H, W) of SinGAN's photograph.

    Raises:
        FileNotFoundError: SinGAN's photograph does not exist.
        ValueError: The model is of another family, or the photograph is too
            small.
    """
    from mmpe.models import SinGAN, StyleGAN2
    from mmpe.registry import MODELS, build_from
    if not cfg.get('model'):
        raise ValueError('The config has no model.')
    if cfg.model.type.endswith('SinGAN'):
        sizes = _fit_scales(cfg, photo_size)
    cfg.model.ema_config = None  # the average has the same cost
    # Fake tensors have a shape but no values.
    with FakeTensorMode(), torch.no_grad():
        model = build_from(MODELS, cfg.model).eval()
        if isinstance(model, SinGAN):
            return list(_singan_costs(model, sizes))
        if isinstance(model, StyleGAN2):
            return list(_stylegan_costs(model))
    raise ValueError('The config must be for SinGAN, StyleGAN2 or MS-PIE, but '
                     f'got one for {type(model).__name__}.')


def _fit_scales(cfg: Config, photo_size: Optional[Size]) -> List[Size]:
    """Sizes of SinGAN's pyramid; sets ``num_scales`` in the config."""
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
    """The costs as a table."""
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
