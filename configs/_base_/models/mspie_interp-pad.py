# MS-PIE without zero padding: bilinear upsampling adds the 4 cells that the
# unpadded convolutions after it remove.
_base_ = './mspie_zero-pad.py'

model = dict(
    generator=dict(
        no_pad=True, interp_pad=4, up_after_conv=False, head_pos_size=(6, 6)))
