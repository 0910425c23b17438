"""Kill trainings, resume them, and compare them with uninterrupted ones.

Each training is killed once or twice: every second one by signal 9 at random
moments, the others right before something is written, renamed or removed, or
in the middle of a write, each kind in turn. Weights, optimiser states and
random states in the last checkpoint must be bitwise equal, else the exit code
is 1. Requires Linux and the extra `tests`.

Example:
    python .dev_scripts/kill_and_resume.py --number 100 --seed 0
"""
import collections
import itertools
import os
import random
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Tuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ['OMP_NUM_THREADS'] = '1'

from mmpe.utils.arguments import (SEED, Argument, at_least,  # noqa: E402
                                  make_parser)
from mmpe.utils.progress import ProgressBar  # noqa: E402
from mmpe.utils.tables import markdown_table  # noqa: E402
from tests.test_reliability import trainings  # noqa: E402
from tests.test_reliability.harness import Campaign  # noqa: E402

# Fraction of the trainings that are killed twice.
_TWICE = 0.3
NAMES = ('SinGAN', 'fast SinGAN', 'MS-PIE', 'demo train',
         'SinGAN, two processes', 'MS-PIE, two processes')


def plans(images: Dict[str, Path]) -> Dict[str, Tuple[Callable, int]]:
    """Trainings by name: how to make them, and number of processes."""
    photograph, folder = images['photograph'], images['images']
    makers = ((partial(trainings.singan, photograph), 1),
              (partial(trainings.fast_singan, photograph), 1),
              (partial(trainings.mspie, folder), 1),
              (partial(trainings.demo, photograph), 1),
              (partial(trainings.singan, photograph), 2),
              (partial(trainings.mspie, folder), 2))
    return dict(zip(NAMES, makers))


def main() -> None:
    """Run the command."""
    args = make_parser(
        __doc__,
        Argument('--number', type=at_least(1), default=100,
                 help='number of trainings'), SEED,
        Argument('--only', choices=NAMES,
                 help='only run one training: %(choices)s')).parse_args()
    rng = random.Random(args.seed)
    equal, died = collections.Counter(), collections.Counter()
    tried, moments = collections.Counter(), collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        images = trainings.write_images(Path(folder))
        chosen = {
            name: Campaign(make, Path(folder, name), num_processes)
            for name, (make, num_processes) in plans(images).items()
            if args.only in (None, name)
        }
        kinds = {name: itertools.cycle(rng.sample(list(x.events),
                                                  len(x.events)))
                 for name, x in chosen.items()}
        # Trainings with several processes take longer, so run fewer.
        order = [name for name in chosen for _ in range(
            3 - plans(images)[name][1])]
        with ProgressBar(total=args.number) as bar:
            for number in range(args.number):
                name = order[number % len(order)]
                campaign = chosen[name]
                deaths = [campaign.random_moment(rng)]
                if tried[name] % 2:
                    deaths = [campaign.death_at(rng, next(kinds[name]))]
                if rng.random() < _TWICE:
                    deaths.append(campaign.random_moment(rng))
                outcome = campaign.try_deaths(deaths)
                tried[name] += 1
                died[name] += outcome.died
                equal[name] += not outcome.problems
                moments.update(map(str, deaths))
                result = ', '.join(outcome.problems[:3]) or 'equal'
                bar.write(f'{name}: {"; ".join(map(str, deaths))}: {result}')
                bar.update(1)
    print(markdown_table([['moment', 'deaths']] + [
        [kind, str(count)] for kind, count in sorted(moments.items())
    ]))
    print(markdown_table([['training', 'trained', 'died', 'equal']] + [
        [name, *(str(x[name]) for x in (tried, died, equal))]
        for name in tried
    ]))
    print(f'{sum(equal.values())} of {args.number} are bitwise equal.')
    sys.exit(int(sum(equal.values()) < args.number))


if __name__ == '__main__':
    main()
