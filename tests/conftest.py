"""Settings of all tests: few threads, and MMagic behind the host bridge."""
import torch

import mmpe  # noqa: F401

torch.set_num_threads(1)
