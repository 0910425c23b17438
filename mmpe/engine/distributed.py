"""Several processes: on GPUs by NCCL, on CPUs by gloo, with one config."""
import contextlib
import datetime
import gc
import logging
import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Union

import torch
from mmengine.dist import (all_gather_object, barrier, broadcast,
                           is_distributed, is_main_process)
from mmengine.model import \
    MMSeparateDistributedDataParallel as SeparateDistributedDataParallel
from mmengine.runner import Runner as BaseRunner
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from mmpe.checkpoint import last_checkpoint
from mmpe.registry import MODEL_WRAPPERS, RUNNERS
from mmpe.utils.files import PathLike, remove_stale
from mmpe.utils.locks import LOCK, FolderLock
from mmpe.utils.wrappers import unwrap

__all__ = ['MMSeparateDistributedDataParallel', 'Runner', 'leave_processes']


@MODEL_WRAPPERS.register_module()
class MMSeparateDistributedDataParallel(SeparateDistributedDataParallel):
    """mmengine's wrapper of each network, which also works on CPUs.

    Checkpoints are the same whatever the number of processes: mmengine names
    weights ``generator.module.*`` here, of which a single process, or one
    that samples, loads nothing and does not say so.

    Args:
        module: The model; its networks are wrapped in place.
        device_ids: GPU of this process; not used where there are none.
        kwargs: As for mmengine's class.
    """

    def __init__(self,
                 module: nn.Module,
                 device_ids: Optional[List[int]] = None,
                 **kwargs) -> None:
        if not torch.cuda.is_available():
            device_ids = None
        super().__init__(module, device_ids=device_ids, **kwargs)
        for network in module.children():
            if isinstance(network, DistributedDataParallel):
                network.state_dict = network.module.state_dict


# Where hooks write in a work dir.
_FOLDERS = ('', 'samples', 'scales')


@RUNNERS.register_module()
class Runner(BaseRunner):
    """mmengine's runner, which also works in several processes on CPUs.

    A config asks for NCCL, as everywhere in OpenMMLab; where there is no GPU,
    processes speak gloo.

    A runner that can train, which one without ``train_cfg`` cannot, locks its
    work dir until its training or its process ends, removes what killed
    trainings have left half-written there, and with the first batch writes its
    config. One that fails before it leaves nothing behind.

    Args:
        model: As for mmengine's runner.
        work_dir: As there.
        args, kwargs: As there.
    """

    _lock: Optional[FolderLock] = None
    _log_dir: Optional[str] = None
    _has_begun = False

    def __init__(self, model: Union[nn.Module, dict], work_dir: PathLike,
                 *args, **kwargs) -> None:
        path = Path(work_dir).absolute()
        self._new_folders = [
            x for x in (path, *path.parents) if not x.exists()
        ]
        self._old = set(path.iterdir()) if path.is_dir() else set()
        with self.no_traces():
            super().__init__(model, work_dir, *args, **kwargs)

    @contextlib.contextmanager
    def no_traces(self) -> Iterator[None]:
        """Remove log, lock and folder if the body fails before any work.

        Work begins with the first batch of a training, validation or test.
        """
        try:
            yield
        except BaseException:
            if not self._has_begun and is_main_process():
                self._remove_traces()
            raise

    def _remove_traces(self) -> None:
        # A run of the same second has a log folder of the same name.
        if self._log_dir and Path(self._log_dir).absolute() not in self._old:
            shutil.rmtree(self._log_dir, ignore_errors=True)
        with contextlib.suppress(OSError):
            if self._lock and Path(self.work_dir, LOCK) not in self._old:
                self._lock.remove()
            for folder in self._new_folders:
                folder.rmdir()

    def call_hook(self, fn_name: str, **kwargs) -> None:
        """Call a method of all hooks; with the first batch work begins.

        Args:
            fn_name: Name of the method.
            kwargs: Its arguments.
        """
        if not self._has_begun and fn_name in (
                'before_train_iter', 'before_val_iter', 'before_test_iter'):
            self._has_begun = True
            self.dump_config()
        super().call_hook(fn_name, **kwargs)

    def setup_env(self, env_cfg: Dict) -> None:
        """Join the other processes, and set up the environment.

        Args:
            env_cfg: As for mmengine's runner.

        Raises:
            FolderInUseError: Another process trains in the work dir.
            ValueError: There are no GPUs and the launcher needs some, or
                there are fewer than processes.
        """
        if self.distributed and not is_distributed():
            if torch.cuda.is_available():
                _check_gpus()
            elif self.launcher == 'pytorch':
                _init_gloo(**env_cfg.get('dist_cfg', {}))
            else:
                raise ValueError(
                    'Argument `launcher` must be "pytorch" (torchrun, as in '
                    'tools/dist_train.sh) where there are no GPUs, but got '
                    f'{self.launcher!r}.')
        super().setup_env(env_cfg)
        if self._train_loop is not None:
            # Before anything is written.
            self._lock = _lock_together(self.work_dir)

    def train(self) -> nn.Module:
        """Train.

        Returns:
            The model.
        """
        # The more objects a full collection has found, the longer Python waits
        # with the next one; there are hundreds of thousands, and tensors in
        # cycles would pile up meanwhile. The second collection finds none.
        gc.collect()
        gc.freeze()
        gc.collect()
        try:
            with self.no_traces():
                return super().train()
        finally:
            gc.unfreeze()
            if self._lock:
                self._lock.release()

    @staticmethod
    def build_dataloader(dataloader: Union[DataLoader, Dict], *args,
                         **kwargs) -> DataLoader:
        """Build a data loader, whose workers are apart from this process.

        Args:
            dataloader: Its config, or the data loader itself.
            args, kwargs: As for mmengine's runner.

        Returns:
            The data loader.
        """
        if isinstance(dataloader, DataLoader):
            return dataloader
        loader = BaseRunner.build_dataloader(dataloader, *args, **kwargs)
        loader.worker_init_fn = partial(_stand_apart, loader.worker_init_fn)
        return loader

    def dump_config(self) -> None:
        """Write the config of a training that has begun.

        A test leaves it as it is, and so does what fails before.
        """
        if self._has_begun and self._train_loop is not None:
            super().dump_config()

    def load_or_resume(self) -> None:
        """Load weights, or go on from the last checkpoint.

        A folder that has been moved, or a process that was killed while it
        wrote the name of its last checkpoint, is no obstacle.
        """
        if self._resume and self._load_from is None:
            self._load_from = last_checkpoint(self.work_dir)
        super().load_or_resume()

    def resume(self, filename: str, *args, **kwargs) -> None:
        """Go on from a checkpoint.

        Args:
            filename: Its path or address.
            args, kwargs: As for mmengine's runner.
        """
        super().resume(filename, *args, **kwargs)
        # In the file is where it lay when it was written.
        self.message_hub.update_info('last_ckpt', str(filename))

    def _init_model_weights(self) -> None:
        """Initialise the weights; all processes get those of rank 0."""
        model = unwrap(self.model)
        model.init_weights()
        for value in model.state_dict().values():
            # mmengine would also send SinGAN's lists, which cannot be done.
            if isinstance(value, torch.Tensor):
                broadcast(value)


def leave_processes(code: int = 0) -> None:
    """End this process, once the work of all processes is done.

    Does nothing where it is the only one. Python's own way out takes down what
    threads of the process group may still use, and now and then aborts.

    Args:
        code: The exit code.
    """
    if not is_distributed():
        return
    barrier()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _stand_apart(init: Optional[Callable], number: int) -> None:
    """Begin a worker of a data loader.

    In a process group of its own it is not reached by the SIGTERM that
    torchrun sends to ours, and the current iteration can be finished.
    """
    if hasattr(os, 'setpgid'):
        os.setpgid(0, 0)
    if init is not None:
        init(number)


def _lock_together(folder: str) -> Optional[FolderLock]:
    """Lock and tidy a folder in rank 0; if that fails, all processes end."""
    lock, problem = None, None
    if is_main_process():
        try:
            lock = FolderLock(folder)
        except OSError as error:
            problem = error
        else:
            if lock.held:
                for name in _FOLDERS:
                    remove_stale(Path(folder, name))
    problem = all_gather_object(problem)[0]
    if problem:
        raise problem
    return lock


def _check_gpus() -> None:
    """See that each process of this machine has a GPU."""
    num_gpus = torch.cuda.device_count()
    num_processes = int(os.environ.get('LOCAL_WORLD_SIZE', 1))
    if num_processes > num_gpus:
        raise ValueError(f'There must be a GPU for each of {num_processes} '
                         f'processes of a machine, but there are {num_gpus}.')


def _init_gloo(timeout: Optional[float] = None, **dist_cfg) -> None:
    """Make the process group that torchrun's variables describe."""
    options = {}
    if timeout is not None:
        options['timeout'] = datetime.timedelta(seconds=timeout)
    torch.distributed.init_process_group('gloo', **options)
