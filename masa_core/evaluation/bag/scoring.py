"""The figures of a drive, all by the rules of BDD100K's evaluator, through `evaluate`.

* bdd_mot: the benchmark's own figures, of its 8 classes.
* other_classes: figures of each class that the truth has and BDD100K has not, such as signs. The
  evaluator is given them under the names of BDD100K's classes, eight at a time.
* all_objects: figures of identity and place alone, whatever class an object was given. The
  evaluator is given all as one class; distractors stay distractors.
* bdd_mots, all_masks: as bdd_mot and all_objects, on masks, where every label and a track has one.

Tracks of classes that the truth does not label are no errors and are left out.
"""

from __future__ import annotations

import tempfile
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from masa_core.evaluation import evaluate
from masa_core.evaluation.bag.answers import Answer, Rename, write_answers, write_truth
from masa_core.evaluation.bag.truth import Truth
from masa_core.evaluation.bdd_labels import CLASSES, DISTRACTORS, RENAMED

FAMILIES = ("CLEAR", "HOTA", "TETA")
ONE_CLASS = "car"  # as which all objects are scored
ONE_DISTRACTOR = next(name for name, of in DISTRACTORS.items() if of == ONE_CLASS)

Figures = dict[str, dict[str, Any]]


class Classes:
    """Which classes a truth labels.

    renamed: names of detectors or labels, and the class that is meant; those that BDD100K has for
    its own classes are known.
    """

    def __init__(self, truth: Truth, renamed: Mapping[str, str]) -> None:
        self._renamed = {**RENAMED, **renamed}
        labelled = {self.name(c) for frame in truth.frames for c in frame.categories}
        self.others = sorted(labelled - {*CLASSES, *DISTRACTORS})
        self.has_bdd = bool(labelled & set(CLASSES))

    def name(self, category: str) -> str:
        """The class that is meant by a name."""
        name = self._renamed.get(category, category)
        return RENAMED.get(name, name)

    def bdd(self, category: str) -> str | None:
        """A class or distractor of BDD100K."""
        name = self.name(category)
        return name if self.has_bdd and (name in CLASSES or name in DISTRACTORS) else None

    def one(self, category: str) -> str | None:
        """The one class of all objects."""
        name = self.name(category)
        if self.has_bdd and name in DISTRACTORS:
            return ONE_DISTRACTOR
        return ONE_CLASS if self.bdd(category) or name in self.others else None

    def left_out(self, answers: Sequence[Answer]) -> Counter[str]:
        """Boxes of tracks whose class the truth does not label, by class."""
        names = (name for answer in answers for name in answer.categories)
        return Counter(name for name in names if self.one(name) is None)


def score(
    truth: Truth, answers: Sequence[Answer], classes: Classes, families: Sequence[str] = FAMILIES
) -> Figures:
    """The sections named above; each has its protocol, its settings and its figures.

    Raises as `evaluate`, also where the evaluation's packages are missing.
    """
    sections: Figures = {}
    if classes.has_bdd:
        sections["bdd_mot"] = _benchmark(truth, answers, classes, families, "bdd_mot")
    kept = [family for family in families if family != "TETA"] or ["HOTA"]
    tables: dict[str, dict[str, Any]] = {family: {} for family in kept}
    for start in range(0, len(classes.others), len(CLASSES)):
        places = dict(zip(classes.others[start:], CLASSES, strict=False))

        def rename(category: str, places: dict[str, str] = places) -> str | None:
            return places.get(classes.name(category))

        report = _evaluate(truth, answers, rename, kept)
        for family in kept:
            tables[family] |= {n: report["per_class"][family][p] for n, p in places.items()}
    if classes.others:
        sections["other_classes"] = {
            "protocol": "bdd_mot, each class by itself under the name of one of BDD100K's",
            "settings": report["settings"],
            "per_class": tables,
        }
    sections["all_objects"] = score_objects(truth, answers, classes, kept)
    if truth.mask_size is not None and any(answer.masks for answer in answers):
        if classes.has_bdd:
            sections["bdd_mots"] = _benchmark(truth, answers, classes, families, "bdd_mots")
        sections["all_masks"] = score_objects(truth, answers, classes, kept, "bdd_mots")
    return sections


def score_objects(
    truth: Truth,
    answers: Sequence[Answer],
    classes: Classes,
    families: Sequence[str],
    protocol: str = "bdd_mot",
) -> dict[str, Any]:
    """The section all_objects alone, or all_masks. families: of CLEAR and HOTA."""
    report = _evaluate(truth, answers, classes.one, families, protocol)
    return {
        "protocol": f"{protocol}, all objects as one class",
        "settings": report["settings"],
        "figures": {family: report["per_class"][family][ONE_CLASS] for family in families},
    }


def _benchmark(
    truth: Truth,
    answers: Sequence[Answer],
    classes: Classes,
    families: Sequence[str],
    protocol: str,
) -> dict[str, Any]:
    report = _evaluate(truth, answers, classes.bdd, families, protocol)
    return {
        "protocol": protocol,
        "settings": report["settings"],
        "figures": {
            family: {name: report[name] for name in names}
            for family, names in report["families"].items()
        },
        "per_class": report["per_class"],
    }


def _evaluate(
    truth: Truth,
    answers: Sequence[Answer],
    rename: Rename,
    families: Sequence[str],
    protocol: str = "bdd_mot",
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="masa_bag_") as folder:
        paths = Path(folder, "truth.json"), Path(folder, "results.json")
        write_truth(paths[0], truth, rename)
        write_answers(paths[1], truth, answers, rename, masks=protocol == "bdd_mots")
        with warnings.catch_warnings():
            # A track whose pixels all belong to others has a box and no mask.
            warnings.filterwarnings("ignore", message=".* have no rle and are left out")
            return evaluate(*paths, protocol, families=families)
