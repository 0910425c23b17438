"""State of a trained SinGAN besides its weights."""
from typing import Any, Callable, Iterable, List, Optional, Tuple

import torch
from mmengine.dist import broadcast
from torch import Tensor

from mmpe.checkpoint import is_whole, load_pickle, save_pickle
from mmpe.models.base_gan import BaseGAN
from mmpe.utils.wrappers import unwrap

__all__ = ['SinGANState', 'trained_scales']


class SinGANState(BaseGAN):
    """Weights of all scales, and the state that sampling and resuming need.

    The state dict includes the last scale that training has begun
    (``curr_stage``; -1 before training), the photograph at each scale
    (``reals``), the noises that reconstruct it (``fixed_noises``) and the
    standard deviations of noise (``noise_weights``).

    Args:
        args: Further arguments of MMagic's ``BaseGAN``.
        num_scales: Index of the finest scale, counted from zero.
        test_pkl_data: Path of the ``.pkl`` file that MMagic writes beside its
            checkpoints; :meth:`load_test_pkl` reads it.
        kwargs: Further arguments of MMagic's ``BaseGAN``.
    """

    def __init__(self,
                 *args,
                 num_scales: int,
                 test_pkl_data: Optional[str] = None,
                 **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.num_scales = num_scales
        self.pkl_data = test_pkl_data
        self.curr_stage = -1
        self.noise_weights: List[float] = [1.0]
        self.fixed_noises: List[Tensor] = []
        self.reals: List[Tensor] = []

    @property
    def _inner_generator(self) -> Any:
        return unwrap(self.generator)

    def get_extra_state(self) -> dict:
        """State besides weights: tensors and numbers only."""
        return dict(
            curr_stage=self.curr_stage,
            noise_weights=list(self.noise_weights),
            fixed_noises=list(self.fixed_noises),
            reals=list(self.reals))

    def set_extra_state(self, state: dict) -> None:
        """Restore the state from :meth:`get_extra_state`.

        Raises:
            ValueError: The state is invalid or that of another model.
        """
        self._set_state(state, 'The state in the checkpoint')
        try:
            reals = list(state['reals'])
        except (KeyError, TypeError):
            raise ValueError('The state in the checkpoint must have `reals`, '
                             'the photograph at each scale.') from None
        if len(reals) not in (0, self.num_scales + 1) or not all(
                map(_is_image, reals)):
            raise ValueError('`reals` in the checkpoint must be an image (1, '
                             f'3, H, W) for each of {self.num_scales + 1} '
                             'scales.')
        self.reals = [x.to(self.device) for x in reals]

    def _set_state(self, state: dict, source: str) -> None:
        """Check and set noises, their weights and the scale.

        Args:
            state: State read from a file.
            source: Name of the file in errors.
        """
        try:
            stage = int(state['curr_stage'])
            weights = [float(x) for x in state['noise_weights']]
            noises = [torch.as_tensor(x) for x in state['fixed_noises']]
        except Exception as error:  # a file may contain anything
            raise ValueError(f'{source} does not belong to a SinGAN: '
                             f'{type(error).__name__}: {error}.') from error
        if len(noises) not in (0, self.num_scales + 1):
            raise ValueError(
                f'{source} has {len(noises)} fixed noises, but the model '
                f'has {self.num_scales + 1} scales.')
        if not -1 <= stage <= self.num_scales or stage >= len(weights):
            raise ValueError(
                f'{source} does not fit the model: its last scale is {stage} '
                f'of {self.num_scales}, and it has {len(weights)} noise '
                'weights.')
        for index, noise in enumerate(noises):
            if not self._is_noise(noise, index):
                raise ValueError(
                    f'{source} does not fit the model: the noise of scale '
                    f'{index} is {noise.dtype} {tuple(noise.shape)}.')
        dtype = next(self.generator.parameters()).dtype
        # Copies, as training may write to them.
        self.fixed_noises = [
            x.to(self.device, dtype, copy=True) for x in noises
        ]
        self.noise_weights = weights
        self.curr_stage = stage

    def _is_noise(self, noise: Tensor, stage: int) -> bool:
        """Whether a tensor can be the noise of a scale."""
        generator = self._inner_generator
        channels = {1, generator.out_channels}
        if stage == 0:
            channels.add(next(generator.blocks[0].parameters()).shape[1])
        return (is_whole(noise) and noise.is_floating_point()
                and noise.dim() == 4 and len(noise) == 1
                and noise.shape[1] in channels
                and min(generator.image_size(noise, stage)) >= 1)

    def _apply(self, fn: Callable, *args, **kwargs) -> 'SinGANState':
        """Move the state along with the weights."""
        super()._apply(fn, *args, **kwargs)
        self.fixed_noises = [fn(x) for x in self.fixed_noises]
        self.reals = [fn(x) for x in self.reals]
        return self

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args,
                              **kwargs) -> None:
        """Reject weights of another model; older files have no state."""
        self._check_state_dict(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        missing_keys = args[2]
        key = f'{prefix}_extra_state'
        if key in missing_keys:
            missing_keys.remove(key)

    def _check_state_dict(self, state_dict: dict, prefix: str) -> None:
        trained = trained_scales(
            key[len(prefix):] for key in state_dict if key.startswith(prefix))
        if trained not in (None, self.num_scales):
            raise ValueError(
                f'The checkpoint was trained with num_scales={trained} '
                f'(counted from zero), but the model has num_scales='
                f'{self.num_scales}: use the config that belongs to the '
                f'checkpoint, or set `model.num_scales={trained}`.')
        wrong = [
            f'{key} is {tuple(state_dict[prefix + key].shape)} instead of '
            f'{tuple(value.shape)}' for key, value in self._weights()
            if prefix + key in state_dict
            and state_dict[prefix + key].shape != value.shape
        ]
        if wrong:
            raise ValueError('The checkpoint belongs to another config: '
                             f'{"; ".join(wrong[:4])}'
                             f'{" and more" if len(wrong) > 4 else ""}.')

    def _weights(self) -> List[Tuple[str, Tensor]]:
        # Not `named_parameters`: a distributed model has other names there.
        return [(key, value) for key, value in self.state_dict().items()
                if isinstance(value, Tensor)]

    def load_test_pkl(self) -> None:
        """Take fixed noises, noise weights and scale from a ``.pkl`` file.

        Raises:
            ValueError: There is no file, it is not such a file, or it was
                written for another number of scales.
        """
        if self.pkl_data is None:
            raise ValueError('The model has no `.pkl` file: give its path as '
                             '`model.test_pkl_data`.')
        data = load_pickle(self.pkl_data)
        expected = {'curr_stage', 'fixed_noises', 'noise_weights'}
        if not isinstance(data, dict) or not expected <= set(data):
            raise ValueError(f'{self.pkl_data!r} is not the state of a '
                             f'SinGAN: it must have {sorted(expected)}.')
        self._set_state(data, repr(self.pkl_data))
        self.pkl_data = None

    def save_test_pkl(self, path: str) -> None:
        """Write the ``.pkl`` file that MMagic expects beside a checkpoint.

        Args:
            path: Path of the ``.pkl`` file.
        """
        save_pickle(
            dict(
                noise_weights=list(self.noise_weights),
                fixed_noises=[x.cpu().numpy() for x in self.fixed_noises],
                curr_stage=self.curr_stage), path)

    def construct_fixed_noises(self) -> None:
        """Draw the noises that reconstruct the photograph.

        {z*, 0, ..., 0}: random at the first scale and zero at the others
        (SinGAN, Training). All processes share them.
        """
        self.fixed_noises = [
            self._fixed_noise(stage, real)
            for stage, real in enumerate(self.reals)
        ]
        for noise in self.fixed_noises:
            broadcast(noise)

    def _fixed_noise(self, stage: int, real: Tensor) -> Tensor:
        if stage == 0:
            return torch.randn(1, 1, *real.shape[-2:]).to(real)
        return torch.zeros_like(real)


def _is_image(value: Any) -> bool:
    return (is_whole(value) and value.dim() == 4
            and value.shape[:2] == (1, 3) and value.numel() > 0)


def trained_scales(names: Iterable[str]) -> Optional[int]:
    """Index of the finest scale in the names of weights.

    Args:
        names: Keys of a state dict.

    Returns:
        The index, or None without weights of a SinGAN generator.
    """
    scales = [
        int(name.split('.')[2]) for name in names
        if name.startswith('generator.blocks.')
    ]
    return max(scales, default=None)
