"""The two views that one training sample is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import RandomState

from training.views import geometric
from training.views.colour import hsv_jitter
from training.views.mixup import mixup
from training.views.photometric import photometric
from training.views.settings import ViewSettings
from training.views.view import View

DRAWS = 15  # of parameters, until both views have an instance
MIN_SIDE_PX = 1.0  # of a box; smaller ones are left out


def make_pair(
    key_source: View, partner: View | None, rng: RandomState, settings: ViewSettings
) -> tuple[View, View]:
    """(key, reference) views of ``key_source``, each with its own random parameters.

    key_source, partner: images as they are (`View.of_segments`). The partner is mixed into both
    views. There is no MixUp where it is None, has no instance, or is the same image. Both views
    are ``size`` x ``size`` px.

    Parameters are drawn again, up to 15 times, while a view is left without an instance. After
    that the last views are given as they are: then there is nothing to be learned from this image
    (the losses are zero for it).
    """
    if partner is not None and (not len(partner) or np.isin(partner.ids, key_source.ids).any()):
        partner = None
    for _ in range(DRAWS):
        key = make_view(key_source, partner, rng, settings)
        reference = make_view(key_source, partner, rng, settings)
        if len(key) and len(reference):
            break
    return key, reference


def make_view(source: View, partner: View | None, rng: RandomState, settings: ViewSettings) -> View:
    """One view of ``source``; see `make_pair`."""
    view = source
    if settings.affine:
        view = geometric.affine(view, rng, settings)
    if settings.mixup and partner is not None:
        view = mixup(view, partner, rng, settings)
    if settings.hsv:
        view = replace(view, image=hsv_jitter(view.image, rng, settings))
    view = geometric.large_scale_jitter(view, rng, settings)
    if settings.crop:
        view = geometric.crop(view, rng, settings.size)
    if settings.flip and rng.random_sample() < 0.5:
        view = geometric.flip(view)
    view = replace(view, image=photometric(view.image, rng, settings))
    view = geometric.pad(view, settings.size)
    return view.take(view.larger_than(MIN_SIDE_PX))
