# The quick training without any cue of position: no zero padding, no encoding.
_base_ = ['./singan_spe-dim4_quick.py']

model = dict(
    first_fixed_noises_ch=1,
    fixed_noise_with_pad=True,
    generator=dict(
        _delete_=True,
        type='SinGANMSGeneratorPE',
        in_channels=3,
        out_channels=3,
        interp_pad=True,
        noise_with_pad=True))
