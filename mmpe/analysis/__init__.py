"""Where a network gets its positions from: measures and a padding switch."""
from .analyse import analyse
from .features import collect, feature_layers
from .inputs import change_inputs
from .measures import (border_distance, decibel, eq_t, jackknife,
                       layout_agreement, location_share, padding_part,
                       padding_reach, profile, shift_error, without_phases)
from .padding import MODES, pad_with
from .probes import posenet, posenet_targets, read_place, shuffled_places
from .subjects import (ARCHITECTURES, Subject, from_checkpoint, from_factory,
                       untrained)
