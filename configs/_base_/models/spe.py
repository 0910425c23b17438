# The sinusoidal encoding (SPE) of MS-PIE, for the head of a row's generator.
spe = dict(
    type='SPE',
    embedding_dim=256,
    padding_idx=0,
    init_size=256,
    center_shift=100)
