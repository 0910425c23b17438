"""Two processes on the CPU, by gloo."""
import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def train_rank(rank, port, path):
    import mmpe  # noqa: F401
    from mmengine.model import MMSeparateDistributedDataParallel

    from tests.test_models.test_mspie.networks import (mspie, optimizers,
                                                       train)
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    model = mspie(
        loss_config=dict(r1_interval=2, g_reg_interval=2),
        augmentation=dict(
            type='AdaptiveAugmentation', num_images=90, interval=2))
    wrapped = MMSeparateDistributedDataParallel(
        model, broadcast_buffers=False)
    torch.manual_seed(100 + rank)  # other noise on each rank
    logs = train(wrapped, optimizers(model), range(5))
    torch.save(
        dict(
            scales=[float(log['scale']) for log in logs],
            fakes=[float(log['loss_disc_fake']) for log in logs],
            probabilities=[float(log['augmentation']) for log in logs],
            state=model.state_dict()), f'{path}/{rank}.pt')
    dist.destroy_process_group()


@pytest.mark.tools
def test_ranks_draw_the_same_scales_and_end_with_equal_weights(tmp_path):
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        port = server.getsockname()[1]
    context = mp.spawn(
        train_rank, (port, str(tmp_path)), nprocs=2, join=False)
    finished = any(context.join(timeout=30) for _ in range(20))
    for process in context.processes:
        process.kill()
    assert finished
    one, two = (torch.load(tmp_path / f'{rank}.pt', weights_only=True)
                for rank in range(2))
    assert one['scales'] == two['scales']
    assert len(set(one['scales'])) > 1
    assert one['fakes'] != two['fakes']
    assert one['probabilities'] == two['probabilities']
    # Of both ranks: two images each, in each of five iterations.
    assert float(one['state']['augmentation.signs'][1]) == 4
    for name, value in one['state'].items():
        assert torch.equal(value, two['state'][name]), name
