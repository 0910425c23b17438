"""Commands of ``sinGAN_manipulation.py``, and their arguments."""
