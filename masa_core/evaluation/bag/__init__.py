"""Evaluation of a tracker on a rosbag: figures, what went wrong and when, and a report of both.

The truth may be labelled at a lower rate than the camera's: what is scored are the tracks of the
images that have labels, matched by their stamps.
"""

from __future__ import annotations
