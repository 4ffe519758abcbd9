"""Who meets whom in a video, for TETA: clusters of tracks near truth, and their matching.

A prediction belongs to the cluster of a truth that it overlaps, whatever class it has. A class
sees the whole of every track that belongs to one of its clusters anywhere, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

OVERLAP = 0.5  # from which a prediction belongs to a truth's cluster
EPS = np.finfo(np.float64).eps

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass
class TetaVideo:
    """Truth and results of a video, for each of T frames.

    truth_ids, truth_classes: (G,) int64. ids, classes: (P,) int64, of the results.
    overlaps: (G, P) float64, IoU of truth and results.
    """

    truth_ids: list[Ints]
    truth_classes: list[Ints]
    ids: list[Ints]
    classes: list[Ints]
    overlaps: list[Floats]


def near_truth(video: TetaVideo, label: int | None, owners: list[dict[int, int]]) -> list[Mask]:
    """Which results overlap truth of the class (of any, for None) and belong to no other."""
    near = []
    for frame, overlaps in enumerate(video.overlaps):
        own = _is_own(video.truth_classes[frame], label)
        is_near: Mask = np.any(overlaps[own] >= OVERLAP, axis=0)
        if owners[frame] and is_near.any():
            own_ids = set(video.truth_ids[frame][own].tolist())
            taken = {track for truth, track in owners[frame].items() if truth not in own_ids}
            is_near &= [track not in taken for track in video.ids[frame].tolist()]
        near.append(is_near)
    return near


def _is_own(classes: Ints, label: int | None) -> Mask:
    return np.ones(len(classes), bool) if label is None else classes == label


@dataclass
class Cluster:
    """What a class sees of a video: its truth, and tracks that come near it at least once.

    truth_ids (G,), track_ids (K,): by number. For each frame, truth and tracks: numbers.
    overlaps: of these. classes, is_near: of the tracks.
    """

    truth_ids: Ints
    track_ids: Ints
    truth: list[Ints]
    tracks: list[Ints]
    overlaps: list[Floats]
    classes: list[Ints]
    is_near: list[Mask]


def make_cluster(video: TetaVideo, label: int | None, near: list[Mask]) -> Cluster | None:
    """The cluster of a class (of all, for None); None where no track comes near."""
    near_ids = [ids[is_near] for ids, is_near in zip(video.ids, near, strict=True)]
    kept = np.unique(np.concatenate(near_ids)) if near_ids else np.zeros(0, np.int64)
    if not len(kept):
        return None
    rows = [_is_own(classes, label) for classes in video.truth_classes]
    places = [np.minimum(np.searchsorted(kept, ids), len(kept) - 1) for ids in video.ids]
    columns = [kept[place] == ids for place, ids in zip(places, video.ids, strict=True)]
    truth_ids = [ids[own] for ids, own in zip(video.truth_ids, rows, strict=True)]
    known = np.unique(np.concatenate(truth_ids))
    frames = range(len(rows))
    cluster = Cluster(
        known,
        kept,
        [np.searchsorted(known, ids) for ids in truth_ids],
        [places[frame][columns[frame]] for frame in frames],
        [video.overlaps[frame][np.ix_(rows[frame], columns[frame])] for frame in frames],
        [video.classes[frame][columns[frame]] for frame in frames],
        [near[frame][columns[frame]] for frame in frames],
    )
    _check_unique("results", cluster.tracks)
    _check_unique("truth", cluster.truth)
    return cluster


def _check_unique(side: str, frames: list[Ints]) -> None:
    for frame, numbers in enumerate(frames):
        if len(set(numbers.tolist())) < len(numbers):
            raise ValueError(f"the {side} hold an id twice in frame {frame} (counted from 0)")


def align(cluster: Cluster) -> tuple[Floats, Floats, Floats]:
    """Alignment of truth and tracks over the whole video (G, K), and how often each is seen."""
    shared = np.zeros((len(cluster.truth_ids), len(cluster.track_ids)))
    truth_seen, tracks_seen = np.zeros((shared.shape[0], 1)), np.zeros((1, shared.shape[1]))
    frames = zip(cluster.truth, cluster.tracks, cluster.overlaps, strict=True)
    for truth, tracks, overlaps in frames:
        truth_seen[truth] += 1
        tracks_seen[0, tracks] += 1
        if overlaps.size:
            union = overlaps.sum(0, keepdims=True) + overlaps.sum(1, keepdims=True) - overlaps
            share = np.zeros_like(overlaps)
            np.divide(overlaps, union, out=share, where=union > EPS)
            shared[truth[:, None], tracks[None]] += share
    return shared / (truth_seen + tracks_seen - shared), truth_seen, tracks_seen


def match(cluster: Cluster, alignment: Floats, frame: int) -> tuple[Ints, Ints, Floats]:
    """Rows of truth, columns of tracks, and their overlaps, in the best matching of a frame."""
    truth, tracks = cluster.truth[frame], cluster.tracks[frame]
    overlaps = cluster.overlaps[frame]
    rows, columns = linear_sum_assignment(-(alignment[truth[:, None], tracks[None]] * overlaps))
    return rows, columns, overlaps[rows, columns]


def assign_all(video: TetaVideo) -> list[dict[int, int]]:
    """For each frame, the track that each truth id is given when all classes are one."""
    owners: list[dict[int, int]] = [{} for _ in video.ids]
    cluster = make_cluster(video, None, near_truth(video, None, owners))
    if cluster is None:
        return owners
    alignment, _, _ = align(cluster)
    for frame, owner in enumerate(owners):
        rows, columns, overlaps = match(cluster, alignment, frame)
        matched = overlaps >= OVERLAP - EPS
        truth = cluster.truth_ids[cluster.truth[frame][rows[matched]]]
        tracks = cluster.track_ids[cluster.tracks[frame][columns[matched]]]
        owner.update(zip(truth.tolist(), tracks.tolist(), strict=True))
    return owners
