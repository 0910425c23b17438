"""What is in TensorBoard's event files."""
import pytest


def read_events(folder):
    """Tags and steps of scalars, tags of images, of all event files below.

    The calling test is skipped where TensorBoard is not installed.
    """
    accumulator = pytest.importorskip(
        'tensorboard.backend.event_processing.event_accumulator')
    file, = folder.glob('**/events.out.tfevents.*')
    events = accumulator.EventAccumulator(str(file)).Reload()
    tags = events.Tags()
    scalars = {tag: {event.step: event.value for event in events.Scalars(tag)}
               for tag in tags['scalars']}
    images = {tag: [(event.step, event.width, event.height)
                    for event in events.Images(tag)]
              for tag in tags['images']}
    return scalars, images
