"""Distributed training with one config: NCCL on GPUs, gloo on CPUs."""
import contextlib
import datetime
import gc
import logging
import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Union

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

    Checkpoints do not depend on the number of processes. mmengine's wrapper
    names weights ``generator.module.*``, which are silently ignored when they
    are loaded without the wrapper.

    Args:
        module: The model; its networks are wrapped in place.
        device_ids: GPU of this process; ignored without GPUs.
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
                network.state_dict = (  # type: ignore[method-assign]
                    network.module.state_dict)


# Folders in a work dir that hooks write to.
_FOLDERS = ('', 'samples', 'scales')


@RUNNERS.register_module()
class Runner(BaseRunner):
    """mmengine's runner, which also works in several processes on CPUs.

    Configs select NCCL, as everywhere in OpenMMLab; without GPUs, gloo is used
    instead.

    A runner with ``train_cfg`` locks its work dir until its training or its
    process ends, removes partial files of killed trainings from it, and dumps
    its config with the first batch. If it fails before, it leaves no files
    behind.

    Args:
        model, work_dir, args, kwargs: As for mmengine's runner.
    """

    _lock: Optional[FolderLock] = None
    _log_dir: Optional[str] = None
    _has_begun = False
    _load_from: Optional[str]

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
        """Remove log, lock and folder if the body fails early.

        That is before the first batch of a training, validation or test.
        """
        try:
            yield
        except BaseException:
            if not self._has_begun and is_main_process():
                self._remove_traces()
            raise

    def _remove_traces(self) -> None:
        # Runs that start in the same second share a log folder.
        if self._log_dir and Path(self._log_dir).absolute() not in self._old:
            shutil.rmtree(self._log_dir, ignore_errors=True)
        with contextlib.suppress(OSError):
            if self._lock and Path(self.work_dir, LOCK) not in self._old:
                self._lock.remove()
            for folder in self._new_folders:
                folder.rmdir()

    def call_hook(self, fn_name: str, **kwargs) -> None:
        """Call a method of all hooks; dump the config with the first batch.

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
        """Connect the processes, and set up the environment.

        Args:
            env_cfg: As for mmengine's runner.

        Raises:
            FolderInUseError: Another process is training in the work dir.
            ValueError: The launcher requires GPUs and there are none, or there
                are fewer GPUs than processes.
        """
        if self.distributed and not is_distributed():
            if torch.cuda.is_available():
                _check_gpus()
            elif self.launcher == 'pytorch':
                _init_gloo(**env_cfg.get('dist_cfg', {}))
            else:
                raise ValueError(
                    'Argument `launcher` must be "pytorch" (torchrun, as in '
                    'tools/dist_train.sh) without GPUs, but got '
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
        # With many live objects, Python delays full collections, and tensors
        # in reference cycles would pile up. Freezing hides current objects
        # from the collector; the second collection resets its counts.
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
        """Build a data loader with workers in their own process groups.

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
        """Write the config, once the training has started.

        Tests do not write it.
        """
        if self._has_begun and self._train_loop is not None:
            super().dump_config()

    def load_or_resume(self) -> None:
        """Load weights, or resume from the last checkpoint.

        Also works if the folder was moved, or if the process was killed while
        it wrote the name of its last checkpoint.
        """
        if self._resume and self._load_from is None:
            self._load_from = last_checkpoint(self.work_dir)
        super().load_or_resume()

    def resume(self, filename: str, *args, **kwargs) -> None:
        """Resume from a checkpoint.

        Args:
            filename: Its path or URL.
            args, kwargs: As for mmengine's runner.
        """
        super().resume(filename, *args, **kwargs)
        # The file has the path where it was written.
        self.message_hub.update_info('last_ckpt', str(filename))

    def _init_model_weights(self) -> None:
        """Initialise the weights; all processes use those of rank 0."""
        model = unwrap(self.model)
        model.init_weights()
        for value in model.state_dict().values():
            # mmengine would also try to broadcast SinGAN's lists.
            if isinstance(value, torch.Tensor):
                broadcast(value)


def leave_processes(code: int = 0) -> None:
    """Exit once all processes are done; does nothing in a single process.

    A normal exit of Python sometimes aborts, as it destroys objects that
    threads of the process group still use.

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
    """Initialise a data loader worker, in its own process group.

    It then does not get the SIGTERM that torchrun sends to our group, and the
    current iteration can be finished.
    """
    if hasattr(os, 'setpgid'):
        os.setpgid(0, 0)
    if init is not None:
        init(number)


def _lock_together(folder: str) -> Optional[FolderLock]:
    """Lock and clean a folder in rank 0; failures end all processes."""
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
    """Check that each process of this machine has a GPU."""
    num_gpus = torch.cuda.device_count()
    num_processes = int(os.environ.get('LOCAL_WORLD_SIZE', 1))
    if num_processes > num_gpus:
        raise ValueError(f'Each of the {num_processes} processes on this '
                         f'machine needs a GPU, but there are {num_gpus}.')


def _init_gloo(timeout: Optional[float] = None, **dist_cfg) -> None:
    """Create the process group from torchrun's environment variables."""
    options: Dict[str, Any] = {}
    if timeout is not None:
        options['timeout'] = datetime.timedelta(seconds=timeout)
    torch.distributed.init_process_group('gloo', **options)
