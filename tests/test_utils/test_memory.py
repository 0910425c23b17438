import platform
import subprocess
import sys

import pytest

_FAULTS = """
import resource

import torch
from mmpe.utils.memory import keep_freed_memory


def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(16 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


faults()
usual = faults()
keep_freed_memory()
faults()
print(usual, faults())
"""


@pytest.mark.tools
@pytest.mark.skipif(
    platform.libc_ver()[0] != 'glibc', reason='for the memory of glibc')
def test_freed_memory_is_used_again():
    # Ten times 64 MiB, in pages of 4 KiB (or in huge ones of 2 MiB).
    output = subprocess.run([sys.executable, '-c', _FAULTS],
                            check=True, capture_output=True, text=True).stdout
    usual, keep = map(int, output.split())
    assert usual >= 320
    assert keep < 0.1 * usual
