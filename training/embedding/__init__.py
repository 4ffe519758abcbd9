"""The default embedding: colours and textures of a crop, projected to what tells things apart.

No gradient is taken: the projection is the closed form of linear discriminant analysis, from views
of unlabeled segments and tracklets of unlabeled videos. `python -m training.embedding --help`.
"""

from __future__ import annotations
