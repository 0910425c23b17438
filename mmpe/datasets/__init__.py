"""Datasets: the pyramid of one photograph, and folders of images."""
import mmagic.datasets

from .image_folder import (ImageFolderDataset, LoadPhotograph,
                           deliver_size)
from .resumable_sampler import ResumableSampler
from .singan_dataset import (SinGANDataset, create_real_pyramid,
                             num_scales_of, read_photograph)

__all__ = [
    'ImageFolderDataset', 'LoadPhotograph', 'ResumableSampler',
    'SinGANDataset', 'create_real_pyramid', 'deliver_size', 'num_scales_of',
    'read_photograph'
]
