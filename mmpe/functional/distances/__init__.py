"""Distances between sets of images or of their features; torch only.

All functions take plain tensors and return plain numbers, so that each can be
checked against a slow, independent computation.
"""
from mmpe.functional.resample import resize_images
from .frechet import feature_statistics, frechet_distance
from .improved_precision_recall import neighbour_radii, precision_recall
from .kernel import kernel_distance, polynomial_mmd
from .sliced_wasserstein import (laplacian_pyramid, patch_descriptors,
                                 sliced_wasserstein_distance)
from .structural_similarity import self_ssim, ssim

__all__ = [
    'feature_statistics', 'frechet_distance', 'kernel_distance',
    'laplacian_pyramid', 'neighbour_radii', 'patch_descriptors',
    'polynomial_mmd', 'precision_recall', 'resize_images', 'self_ssim',
    'sliced_wasserstein_distance', 'ssim'
]
