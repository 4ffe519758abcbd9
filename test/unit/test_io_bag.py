"""Reading rosbag2 recordings: good ones, odd ones and broken ones."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from fakes import PERIOD_NS, START_NS, BagMaker, picture, png, write_bag
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import StoragePlugin
from rosbags.typesys import get_types_from_msg

from masa_core.io import SourceError, open_source
from masa_core.io.bag import BagReader, bag_typestore

BOTH = pytest.mark.parametrize("storage", list(StoragePlugin), ids=lambda plugin: plugin.name)


@BOTH
def test_the_only_image_topic_of_a_bag_is_read(tmp_path: Path, storage: StoragePlugin) -> None:
    path = write_bag(tmp_path / "drive", 5, storage)
    with open_source(path) as source:
        frames = list(source)
    assert (source.kind, source.name, source.length, source.fps) == ("bag", "drive", 5, 20)
    for index, frame in enumerate(frames):
        stamp_ns = START_NS + index * PERIOD_NS
        assert np.array_equal(frame.image, picture(index))
        assert (frame.index, frame.stamp_ns, frame.frame_id) == (index, stamp_ns, "front")
        assert frame.received_ns == stamp_ns + 1_000_000


@BOTH
def test_a_bag_is_read_by_its_file_and_without_its_metadata(
    tmp_path: Path, storage: StoragePlugin
) -> None:
    path = write_bag(tmp_path / "drive", 3, storage)
    (file,) = (entry for entry in path.iterdir() if entry.suffix != ".yaml")
    with open_source(file) as source:
        assert len(list(source)) == 3
    (path / "metadata.yaml").unlink()  # as a recorder leaves it that was killed
    with open_source(path) as source:
        assert len(list(source)) == 3
    shutil.copy(file, path / f"second{file.suffix}")
    with pytest.raises(SourceError, match="ros2 bag reindex"):
        open_source(path)


def test_compressed_images_are_read(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.compressed("/camera/compressed", START_NS, png(picture(3)))
    with open_source(tmp_path / "bag") as source:
        (frame,) = source
    assert np.array_equal(frame.image, picture(3))


def test_an_image_without_a_stamp_gets_the_time_of_recording(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.image("/camera", 0, picture(0), received_ns=START_NS)
    with open_source(tmp_path / "bag") as source:
        assert [frame.stamp_ns for frame in source] == [START_NS]


def test_several_image_topics_must_be_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "bag"
    with BagMaker(path) as bag:
        bag.image("/left/image", 0, picture(0))
        bag.image("/right/image", 0, picture(1))
        bag.write("/pose", bag.header(0), 0)
    with pytest.raises(SourceError, match=r"several image topics.*: /left/image, /right/image"):
        open_source(path)
    with pytest.raises(SourceError, match="did you mean '/right/image'"):
        open_source(path, topic="/rigt/image")
    with pytest.raises(SourceError, match=r"/pose in .* holds std_msgs/msg/Header"):
        open_source(path, topic="/pose")
    with open_source(path, topic="/right/image") as source:
        (frame,) = source
    assert np.array_equal(frame.image, picture(1))


def test_a_bag_without_images_says_what_it_has(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.write("/pose", bag.header(0), 0)
    with pytest.raises(SourceError, match=r"no images; it has /pose \(std_msgs/msg/Header\)"):
        open_source(tmp_path / "bag")


def test_images_that_cannot_be_decoded_are_counted_by_reason(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.image("/camera", 0, picture(0))
        bag.image("/camera", 1, np.zeros((4, 4), np.uint16), encoding="16UC1")
        bag.raw("/camera", "sensor_msgs/msg/Image", b"\0\1\0\0 too short", 2)
        bag.image("/camera", 3, picture(3))
    with open_source(tmp_path / "bag") as source:
        assert [frame.index for frame in source] == [0, 3]
    assert source.unreadable == {"encoding": 1, "message": 1}
    assert "16UC1" in source.examples["encoding"] and "/camera" in source.examples["message"]


def test_types_that_only_the_bag_knows_are_decoded(tmp_path: Path) -> None:
    store = bag_typestore()
    store.register(get_types_from_msg("std_msgs/Header header\nfloat64 volts", "my/msg/Battery"))
    with BagMaker(tmp_path / "bag") as bag:
        battery = store.types["my/msg/Battery"](header=bag.header(7), volts=12.5)
        bag.write("/battery", battery, 7, store)
    with BagReader(tmp_path / "bag") as reader:
        (message,) = reader.messages("/battery")
        assert (message.topic, message.type, message.received_ns) == (
            "/battery",
            "my/msg/Battery",
            7,
        )
        assert reader.decode(message).volts == 12.5
        assert (reader.topics, reader.counts) == ({"/battery": "my/msg/Battery"}, {"/battery": 1})


def test_messages_of_all_topics_come_in_order_of_recording(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        for time in random.Random(0).sample(range(100), 50):
            bag.write(f"/topic{time % 3}", bag.header(time), time)
    with BagReader(tmp_path / "bag") as reader:
        times = [message.received_ns for message in reader.messages()]
        assert times == sorted(times) and len(times) == 50
        assert {message.received_ns % 3 for message in reader.messages("/topic2")} == {2}


@BOTH
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.data())
def test_a_damaged_bag_gives_frames_or_one_sentence(
    tmp_path: Path, storage: StoragePlugin, damage: st.DataObject
) -> None:
    path = tmp_path / "bag"
    if not path.exists():
        write_bag(path, 4, storage)
        (file,) = (entry for entry in path.iterdir() if entry.suffix != ".yaml")
        file.rename(tmp_path / "good")
        (tmp_path / "name").write_text(file.name)
    data = bytearray((tmp_path / "good").read_bytes())
    cut = damage.draw(st.integers(0, len(data)) | st.just(len(data)), label="cut")
    places = st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=50)
    for place, value in damage.draw(places, label="places"):
        data[place] = value
    (path / (tmp_path / "name").read_text()).write_bytes(data[:cut])
    try:
        with open_source(path) as source:
            frames = list(source)
        assert len(frames) + source.unreadable.total() <= 4
    except SourceError as error:
        assert str(path) in str(error) and "\n" not in str(error)


def test_a_missing_or_foreign_bag_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        BagReader(tmp_path / "gone")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourceError, match="is no rosbag2"):
        BagReader(tmp_path / "folder")
    (tmp_path / "folder" / "metadata.yaml").write_text("not: a bag\n")
    with pytest.raises(SourceError, match="cannot be read as a rosbag2"):
        BagReader(tmp_path / "folder")
    (tmp_path / "50%.db3").write_bytes(b"")
    with pytest.raises(SourceError, match=r"\?, # or %"):
        BagReader(tmp_path / "50%.db3")
