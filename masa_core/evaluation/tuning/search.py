"""The search: one study over all bags, and one without each of them, resumable."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from masa_core.evaluation.tuning.drives import TuningDrive
from masa_core.evaluation.tuning.space import Range, Space

try:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
except ImportError as error:
    raise ImportError(f"{error}; tuning needs: pip install 'masa_ros[tune]'") from error

_MADE_OF = "made_of"  # attribute of a study

Values = dict[str, Any]  # of the tuned parameters


class OtherSearchError(ValueError):
    """The journal is of a search over other bags, parameters or settings."""


@dataclass(frozen=True)
class Found:
    """The best values of one study, the mean of their scores on its bags, and the trials made."""

    values: Values
    score: float
    trials: int


class Search:
    """Maximises the mean of a figure over bags.

    journal: file that keeps all trials; a search that is in it goes on. The first trial is the
    default. The same seed finds the same, if it is not interrupted.
    """

    def __init__(
        self,
        drives: Sequence[TuningDrive],
        space: Space,
        objective: str,
        seed: int,
        journal: Path,
    ) -> None:
        self._drives = {drive.name: drive for drive in drives}
        self._space = space
        self._objective = objective
        self._seed = seed
        self._scores: dict[tuple[str, str], float] = {}  # studies share their first trials
        optuna.logging.set_verbosity(logging.WARNING)
        with warnings.catch_warnings():  # that journals are experimental, in some versions
            warnings.simplefilter("ignore")
            self._storage = JournalStorage(JournalFileBackend(str(journal)))
        self._distributions = {name: _distribution(r) for name, r in space.ranges.items()}

    def score(self, values: Values, name: str) -> float:
        """The figure of these values on the bag of that name."""
        key = (name, json.dumps(values, sort_keys=True))
        if key not in self._scores:
            config = self._space.config(values)
            self._scores[key] = self._drives[name].score(config, self._objective)
        return self._scores[key]

    def done(self, names: Sequence[str]) -> int:
        """Trials that the journal has of the study over these bags. Raises OtherSearchError."""
        return len(_completed(self._study(names)))

    def run(self, names: Sequence[str], trials: int, after_trial: Callable[[], bool]) -> Found:
        """The best over these bags, after so many trials, those of the journal included.

        after_trial: called after each; whether to go on. Raises OtherSearchError.
        """
        study = self._study(names)
        done = len(_completed(study))
        study.sampler = optuna.samplers.TPESampler(seed=self._seed + done)
        if not study.trials:
            study.enqueue_trial(self._space.defaults)
        while done < trials:
            trial = study.ask(self._distributions)
            scores = [self.score(trial.params, name) for name in names]
            study.tell(trial, float(np.mean(scores)))
            done += 1
            if not after_trial():
                break
        return Found(study.best_params, float(study.best_value), done)

    def _study(self, names: Sequence[str]) -> optuna.Study:
        made_of = {
            "bags": [dict(self._drives[name].sha256) for name in names],
            "space": self._space.as_json(),
            "objective": self._objective,
        }
        study = optuna.create_study(
            storage=self._storage,
            study_name="+".join(names),
            direction="maximize",
            load_if_exists=True,
        )
        known = study.user_attrs.get(_MADE_OF)
        if known is None:
            study.set_user_attr(_MADE_OF, made_of)
        elif known != json.loads(json.dumps(made_of)):
            differing = [key for key in made_of if known.get(key) != made_of[key]]
            raise OtherSearchError(", ".join(differing))
        return study


def _completed(study: optuna.Study) -> list[Any]:
    return study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))


def _distribution(limits: Range) -> Any:
    if limits.choices:
        return optuna.distributions.CategoricalDistribution(limits.choices)
    kind = optuna.distributions.FloatDistribution
    if limits.whole:
        return optuna.distributions.IntDistribution(
            int(limits.low), int(limits.high), log=limits.log
        )
    return kind(float(limits.low), float(limits.high), log=limits.log)
