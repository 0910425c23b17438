# The quick training with zero padding at the head of each scale, as in the
# original SinGAN: positions are implicit.
_base_ = ['./singan_spe-dim4_quick.py']

model = dict(
    first_fixed_noises_ch=1,
    generator=dict(
        _delete_=True,
        type='SinGANMSGeneratorPE',
        in_channels=3,
        out_channels=3))
