r"""Closed-form denoiser whose data are the patches of one photograph.

If the clean patches are those of a photograph, :math:`p_i` at positions
:math:`\pi_i`, the minimum mean square error estimate of a noisy patch
:math:`x = \alpha p + \sigma \epsilon` is their mean with weights

.. math::
    w_i \propto \exp\left(-\frac{|x - \alpha p_i|^2}{2 \sigma^2}
    - \frac{|e(q) - e(\pi_i)|^2}{2 \tau^2}\right),

where the second term is a prior for a place with position :math:`q`, encoded
by :math:`e`. Without the prior this is the denoiser of "Efficient and
Training-Free Single-Image Diffusion Models" (Qiu et al., CVPR 2026).

Images are float (1, 3, H, W). Maps with one value per patch of P x P pixels,
at its top-left corner, have the size (H', W') = (H - P + 1, W - P + 1).
"""
from .blending import matched_steps, membrane, screened_poisson
from .gaussian import gaussian_blur, gaussian_kernel
from .matches import corners_to_matches, matches_to_corners, vote
from .posterior import PatchPrior, all_patches, posterior_mean
from .search import nearest_corners, principal_patches

__all__ = [
    'PatchPrior', 'all_patches', 'corners_to_matches', 'gaussian_blur',
    'gaussian_kernel', 'matched_steps', 'matches_to_corners', 'membrane',
    'nearest_corners', 'posterior_mean', 'principal_patches',
    'screened_poisson', 'vote'
]
