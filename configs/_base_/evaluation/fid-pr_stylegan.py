# As `fid-pr.py`, with the Inception network of the StyleGAN papers.
_base_ = './fid-pr.py'

val_evaluator = _base_.val_evaluator
val_evaluator.metrics[0].inception_style = 'StyleGAN'
test_evaluator = val_evaluator
