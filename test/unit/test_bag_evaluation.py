"""Evaluation of a rosbag: truth by stamps, figures, and the events that they count."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bag_drives import (
    CAMERA_NS,
    camera,
    random_run,
    stamped,
    truth_frames,
    write_drive,
    write_json,
)
from fakes import START_NS, BagMaker
from hypothesis import given
from hypothesis import strategies as st

from masa_core.evaluation import FormatError, evaluate
from masa_core.evaluation.bag.answers import Answer, answers_at, write_answers, write_truth
from masa_core.evaluation.bag.camera import read_camera
from masa_core.evaluation.bag.events import find_events
from masa_core.evaluation.bag.scoring import Classes, score
from masa_core.evaluation.bag.stamps import NO_IMAGE, match_stamps
from masa_core.evaluation.bag.truth import Truth, TruthOptions, read_truth
from masa_core.evaluation.report import plain
from masa_core.io.class_names import ClassNames
from masa_core.io.coco_rle import to_coco_rle
from masa_core.io.source import SourceError
from masa_core.io.track_messages import TrackMessages
from masa_core.masks import decode_mask, encode_mask
from masa_core.structures import Mask, Tracks

pytest.importorskip("trackeval")


def matched(labels, images, tolerance):
    stamps = [np.array(values, np.int64) for values in (labels, images)]
    return match_stamps(*stamps, tolerance).tolist()


def test_labels_meet_the_nearest_image():
    assert matched([0, 200, 400], range(0, 500, 33), 16) == [0, 6, 12]
    assert matched([50], [0, 100], 50) == [0]  # of two equally near ones, the earlier
    assert matched([50], [0, 101], 49) == [NO_IMAGE]
    assert matched([7], [30, 10, 20], 5) == [1]  # images in the order of recording
    assert matched([7], [], 5) == [NO_IMAGE]


def test_two_labels_do_not_share_an_image():
    assert matched([98, 103], [100], 10) == [0, NO_IMAGE]
    assert matched([94, 103], [100], 10) == [NO_IMAGE, 0]


@given(
    st.lists(st.integers(0, 300), max_size=12),
    st.lists(st.integers(0, 300), max_size=12),
    st.integers(0, 40),
)
def test_matches_hold_what_they_promise(labels, images, tolerance):
    found = matched(labels, images, tolerance)
    taken = [image for image in found if image != NO_IMAGE]
    assert len(taken) == len(set(taken))
    for label, image in zip(labels, found, strict=True):
        gaps = [abs(label - stamp) for stamp in images]
        if image != NO_IMAGE:
            assert gaps[image] == min(gaps) <= tolerance
        elif gaps and min(gaps) <= tolerance:  # another label is as near or nearer to it
            assert any(
                abs(labels[other] - images[place]) <= min(gaps)
                for other, place in enumerate(found)
                if place != NO_IMAGE
            )


def read(path: Path, frames: int = 60, **options) -> Truth:
    return read_truth(camera(frames), str(path), TruthOptions(**options))


def test_labels_are_scored_at_their_exact_stamps(tmp_path):
    truth = read(write_json(tmp_path / "truth.json", stamped(truth_frames(60))))
    assert truth.images == list(range(0, 60, 6))
    assert [frame.index for frame in truth.frames] == list(range(10))
    assert truth.stamps_ns == [START_NS + index * CAMERA_NS for index in truth.images]
    assert (truth.clock, truth.losses) == ("its stamps", [])


@pytest.mark.parametrize(
    ("begin_ms", "clock"),
    [
        (START_NS // 1_000_000, "its stamps"),
        (0, "its stamps, counted from the first image"),
    ],
)
def test_milliseconds_may_count_from_the_first_image(tmp_path, begin_ms, clock):
    frames = truth_frames(60)
    for number, frame in enumerate(frames):
        frame["timestamp"] = begin_ms + number * 200
    truth = read(write_json(tmp_path / "truth.json", {"frames": frames}))
    assert (truth.images, truth.clock) == (list(range(0, 60, 6)), clock)


def test_frames_without_stamps_are_as_far_apart_as_bdd100k_labels_them(tmp_path):
    path = write_json(tmp_path / "truth.json", truth_frames(60))
    assert read(path).images == list(range(0, 60, 6))
    assert read(path, rate=10.0).images == list(range(0, 30, 3))
    assert read(path, rate="images").images == list(range(10))
    slow = read_truth(camera(10, 6 * CAMERA_NS), str(path), TruthOptions())
    assert slow.images == list(range(10)) and slow.clock == "label k is of image k"


def test_labels_without_an_image_are_named_and_counted(tmp_path):
    frames = stamped(truth_frames(60))
    frames[3]["attributes"]["stamp_ns"] = str(START_NS + 18 * CAMERA_NS + CAMERA_NS // 2 + 5)
    frames[4]["attributes"]["stamp_ns"] = str(START_NS + 24 * CAMERA_NS + CAMERA_NS // 2 - 5)
    frames[9]["attributes"]["stamp_ns"] = str(START_NS + 100 * CAMERA_NS)
    path = write_json(tmp_path / "truth.json", frames)
    truth = read(path)
    # half a frame is the limit: the fourth lies nearer to the image behind it
    assert truth.images == [0, 6, 12, 19, 24, 30, 36, 42, 48]
    assert truth.losses == [
        "1 of 10 labelled frames have no image within 16.7 ms and are not scored: 54.jpg at 3.333 s"
    ]
    assert len(read(path, within_s=0.001).images) == 7
    assert read(path, offset_s=0.2).images[0] == 6


def test_a_truth_of_another_drive_is_refused(tmp_path):
    frames = stamped(truth_frames(60), begin_ns=START_NS - 3_600_000_000_000)
    with pytest.raises(SourceError, match=r"is not the truth of drive.*--truth-offset"):
        read(write_json(tmp_path / "truth.json", frames))


def test_a_file_of_several_videos_wants_a_name(tmp_path):
    frames = truth_frames(12)
    other = [{**frame, "videoName": "drive"} for frame in truth_frames(24)]
    path = write_json(tmp_path / "truth.json", frames + other)
    assert len(read(path).frames) == 4  # the bag's own name
    assert len(read(path, video="squares").frames) == 2
    with pytest.raises(FormatError, match="did you mean 'squares'"):
        read(path, video="square")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("truth.json", [], "holds no frames"),
        ("truth.json", truth_frames(6, labels=[]), "no labels with boxes"),
        ("truth.json", truth_frames(6, attributes={"stamp_ns": "soon"}), "not a number of nano"),
        ("truth.json", truth_frames(6, timestamp="soon"), r"frames\[0\].timestamp.*not a number"),
    ],
)
def test_a_broken_truth_is_told_with_its_place(tmp_path, name, content, reason):
    with pytest.raises((FormatError, SourceError), match=reason):
        read(write_json(tmp_path / name, content))


def test_kitti_labels_are_a_truth(tmp_path):
    line = "{} {} {} 0 0 0 10 20 {} 60 1 1 1 0 0 0 0\n"
    path = tmp_path / "0001.txt"
    path.write_text(
        line.format(0, 7, "Car", 50)
        + line.format(0, -1, "DontCare", 90)
        + line.format(2, 7, "Van", 50)
        + line.format(2, 3, "Cyclist", 44)
    )
    truth = read(path)
    assert truth.images == [0, 3, 6]  # at 10 a second; the frame without labels is one, too
    assert [frame.categories for frame in truth.frames] == [["car", "car"], [], ["car", "rider"]]
    assert truth.frames[0].crowd == [False, True]
    assert truth.frames[2].ids == ["7", "3"]
    assert truth.frames[2].shapes[1] == [10, 20, 44, 60]


def test_a_topic_of_tracks_is_a_truth(tmp_path):
    boxes = np.array([[1, 2, 30, 40]], np.float32)
    tracks = Tracks(np.array([5]), boxes, np.ones(1), np.array([1]), np.ones(1))
    with BagMaker(tmp_path / "bag") as bag:
        messages = TrackMessages(bag.store.types, ClassNames(["car", "bus"]), "")
        for index in range(9):
            stamp_ns = START_NS + index * CAMERA_NS
            bag.image("/camera", stamp_ns, np.zeros((8, 8, 3), np.uint8))
            if index % 4 == 0:
                bag.write("/truth", messages.message(tracks, stamp_ns, ""), stamp_ns)
    seen = read_camera(tmp_path / "bag", None)
    truth = read_truth(seen, "/truth", TruthOptions())
    assert truth.images == [0, 4, 8]
    assert (truth.frames[0].ids, truth.frames[0].categories) == (["5"], ["bus"])
    assert truth.frames[0].shapes == [[1, 2, 30, 40]]
    with pytest.raises(SourceError, match="did you mean '/truth'"):
        read_truth(seen, "/thruth", TruthOptions())


def test_the_camera_is_read_with_its_gaps(tmp_path):
    seen = read_camera(write_drive(tmp_path / "bag", 12, skip=(3, 4, 5)), None)
    assert len(seen.stamps_ns) == 9 and seen.period_ns == CAMERA_NS
    assert seen.topic == "/camera"
    assert seen.seconds == pytest.approx(11 * CAMERA_NS / 1e9)


@pytest.mark.parametrize("seed", range(4))
def test_events_are_those_that_the_figures_count(seed):
    truth, answers = random_run(seed)
    classes = Classes(truth, {})
    events = find_events(truth, answers, classes)
    clear = score(truth, answers, classes, ["CLEAR"])["all_objects"]["figures"]["CLEAR"]
    assert clear["IDSw"] > 0 and clear["FM"] > 0  # there is something to agree on
    assert len(events.switches) == clear["IDSw"]
    assert len(events.gaps) == clear["FM"]
    assert sum(events.misses) == clear["FN"]
    assert sum(events.false_positives) == clear["FP"]


def test_a_switch_is_told_with_its_moments():
    truth, _ = random_run(0, frames=8)
    for frame in truth.frames:
        frame.ids, frame.categories = ["a"], ["car"]
        frame.crowd, frame.ignored, frame.shapes = [False], [False], [[0, 0, 50, 50]]
    tracks = ["1", "1", "1", None, None, "2", "2", None]
    answers = [
        Answer() if track is None else Answer([track], ["car"], [[0, 0, 50, 50]], [1.0])
        for track in tracks
    ]
    events = find_events(truth, answers, Classes(truth, {}))
    (switch,) = events.switches
    assert (switch.before, switch.after, switch.old, switch.new) == (2, 5, "1", "2")
    assert switch.stake == 2
    (gap,) = events.gaps  # the last frame is no gap: nothing was found after it
    assert (gap.before, gap.missed, gap.after) == (2, [3, 4], 5)
    assert events.misses == [0, 0, 0, 1, 1, 0, 0, 1]


def test_perfect_tracks_have_perfect_figures():
    truth, _ = random_run(1)
    answers = [
        Answer(frame.ids, frame.categories, frame.shapes, [1.0] * len(frame.ids))
        for frame in truth.frames
    ]
    figures = score(truth, answers, Classes(truth, {}))
    for section in ("bdd_mot", "all_objects"):
        families = figures[section]["figures"]
        assert families["HOTA"]["HOTA"] == pytest.approx(100)
        assert (families["CLEAR"]["IDSw"], families["CLEAR"]["FP"]) == (0, 0)
    assert list(figures["other_classes"]["per_class"]["HOTA"]) == ["dog"]
    assert figures["other_classes"]["per_class"]["HOTA"]["dog"]["HOTA"] == pytest.approx(100)


def test_bdd_figures_are_those_of_evaluate_on_the_written_files(tmp_path):
    truth, answers = random_run(2)
    for frame in truth.frames:  # evaluate refuses a truth with other classes
        frame.categories = ["truck" if name == "dog" else name for name in frame.categories]
    figures = score(truth, answers, Classes(truth, {}))["bdd_mot"]
    write_truth(tmp_path / "truth.json", truth)
    write_answers(tmp_path / "results.json", truth, answers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of dogs, which it leaves out
        report = evaluate(tmp_path / "truth.json", tmp_path / "results.json", "bdd_mot")
    for family, names in report["families"].items():
        assert figures["figures"][family] == {name: report[name] for name in names}
    assert plain(figures["per_class"]) == plain(report["per_class"])  # NaN is not itself


def test_more_classes_than_bdd100k_has_are_each_scored():
    truth, answers = random_run(3)
    others = [f"thing {number}" for number in range(11)]
    for frame, answer in zip(truth.frames, answers, strict=True):
        frame.categories = [others[int(i[1:]) * 2] for i in frame.ids]
        answer.categories[:] = [others[0]] * len(answer.ids)
    truth.frames[0].categories[:1] = ["thing 9"]
    figures = score(truth, answers, Classes(truth, {}))
    assert "bdd_mot" not in figures
    per_class = figures["other_classes"]["per_class"]
    labelled = {name for frame in truth.frames for name in frame.categories}
    assert set(per_class["CLEAR"]) == labelled == set(per_class["HOTA"])
    assert per_class["CLEAR"]["thing 0"]["FP"] > 0 == per_class["CLEAR"]["thing 4"]["FP"]


def test_renamed_classes_count_and_others_are_left_out():
    truth, answers = random_run(4)
    for answer in answers:
        answer.categories[:] = ["Dackel" if name == "dog" else name for name in answer.categories]
    before = Classes(truth, {}).left_out(answers)
    assert set(before) == {"Dackel"} and before["Dackel"] > 5
    after = Classes(truth, {"Dackel": "dog"})
    assert not after.left_out(answers)
    dogs = score(truth, answers, after, ["CLEAR"])["other_classes"]["per_class"]["CLEAR"]["dog"]
    assert dogs["IDF1"] > 0


def test_an_image_without_an_answer_is_scored_as_empty():
    truth, answers = random_run(5, frames=6)
    by_image = {image: answers[image] for image in (0, 2, 4)}
    given_back = answers_at(truth, by_image)
    assert [len(answer.ids) > 0 for answer in given_back] == [True, False] * 3


def with_masks(seed: int) -> tuple[Truth, list[Answer]]:
    """A truth whose masks are the upper halves of its boxes, and tracks that are just so."""
    truth, _ = random_run(seed)
    answers = []
    for frame in truth.frames:
        masks = []
        for x1, y1, x2, y2 in np.rint(frame.shapes).astype(int).tolist():
            pixels = np.zeros((600, 800), bool)
            pixels[y1 : (y1 + y2) // 2, x1:x2] = True
            masks.append(encode_mask(pixels))
        frame.rles = [to_coco_rle(mask, 600, 800) for mask in masks]
        answers.append(Answer(frame.ids, frame.categories, frame.shapes, [1.0] * len(masks), masks))
    return truth, answers


def upper_third(mask: Mask) -> Mask:
    return encode_mask(decode_mask(mask)[: mask.height // 3], mask.x, mask.y)


def test_masks_are_scored_where_there_are_some():
    truth, answers = with_masks(3)
    assert truth.mask_size == (600, 800)
    figures = score(truth, answers, Classes(truth, {}))
    for section in ("bdd_mots", "all_masks"):
        assert figures[section]["figures"]["HOTA"]["HOTA"] > 90  # overlapping truth costs a little
    full = figures["all_masks"]["figures"]["HOTA"]["HOTA"]
    answers = [  # less of each: its box is right, its pixels are not
        replace(answer, masks=[upper_third(mask) for mask in answer.masks]) for answer in answers
    ]
    figures = score(truth, answers, Classes(truth, {}))
    assert figures["all_masks"]["figures"]["HOTA"]["HOTA"] < full - 20
    assert figures["all_objects"]["figures"]["HOTA"]["HOTA"] == pytest.approx(100)


def test_boxes_alone_are_scored_where_a_label_has_no_mask():
    truth, answers = with_masks(3)
    truth.frames[-1].rles[0] = None
    assert "all_masks" not in score(truth, answers, Classes(truth, {}), ["HOTA"])


def test_overlapping_masks_are_parted_by_score(tmp_path):
    truth, answers = with_masks(3)
    whole = encode_mask(np.ones((600, 800), bool))
    answers = [
        replace(answer, masks=[whole] * len(answer.ids), scores=sorted(range(len(answer.ids))))
        for answer in answers
    ]
    write_answers(tmp_path / "results.json", truth, answers)
    for frame in json.loads((tmp_path / "results.json").read_text())["frames"]:
        best = [number == len(frame["labels"]) - 1 for number in range(len(frame["labels"]))]
        assert ["rle" in label for label in frame["labels"]] == best
