"""Detic: boxes, masks and classes of any vocabulary (Zhou et al., arXiv 2201.02605)."""

from __future__ import annotations

from masa_core.models.detic.detector import Detic as Detic
from masa_core.models.detic.vocabulary import read_class_embeddings as read_class_embeddings
