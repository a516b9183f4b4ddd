"""Where tasks and attempts lie in a plane by what they say: the two directions in which they differ most.

Principal components, of embeddings that are given, or of the words in statements and answers: counts of
words and pairs of words, hashed into columns and weighed by how rare they are (TF-IDF). No model is needed.
It reads every text, so it runs when somebody asks, never while a run goes on.

Does not cover: places for drawing that stay put while a space grows (`memory.layout`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from memory.layout import Position

if TYPE_CHECKING:
    from memory.reader import RunReader

COLUMNS = 2**16  # that words are hashed into
_DENSE = 512  # more texts than this stay sparse
_WORDS = r"(?u)\w+|[^\w\s]"  # programs differ by their signs, too


def texts(reader: "RunReader") -> dict[str, str]:
    """What is said at every node of the task space: a task's statement, an attempt's answer."""
    return dict(reader.tuples(_TEXTS))


def by_words(said: Mapping[str, str]) -> dict[str, Position]:
    """A position for each text, by its words; the same texts in the same order get the same ones."""
    from sklearn.feature_extraction.text import TfidfTransformer

    if not said:
        return {}
    weighed = TfidfTransformer().fit_transform(_counted(said.values()))
    used = weighed[:, np.unique(weighed.indices)]  # columns that no text has tell nothing
    return dict(zip(said, _components(used)))


def distances_by_words(said: Sequence[str], counts: Sequence[int]) -> list[float]:
    """How far the first n texts lie from each other, for every n of the increasing `counts`: the mean cosine
    distance of all pairs, by their words (not weighed, so that it means the same in every run); 0 for one.
    Empty texts have nothing in common with any."""
    from sklearn.preprocessing import normalize

    points = normalize(_counted(said))
    whole, itself, done, found = np.zeros(points.shape[1]), 0.0, 0, []
    for count in counts:
        added = points[done:count]
        whole += np.asarray(added.sum(axis=0)).ravel()
        itself += added.multiply(added).sum()
        done, pairs = count, count * (count - 1)
        # |sum|^2 holds every pair twice, and each text with itself once
        found.append(max(0.0, 1.0 - float(whole @ whole - itself) / pairs) if pairs else 0.0)
    return found


def _counted(said: Iterable[str]) -> Any:
    """[N, COLUMNS], sparse: how often words and pairs of words stand in each text."""
    from sklearn.feature_extraction.text import HashingVectorizer

    words = HashingVectorizer(
        n_features=COLUMNS, token_pattern=_WORDS, ngram_range=(1, 2), alternate_sign=False, norm=None
    )
    return words.transform(said)


def by_embeddings(embeddings: Mapping[str, Sequence[float]]) -> dict[str, Position]:
    """A position for each embedding."""
    if not embeddings:
        return {}
    return dict(zip(embeddings, _components(np.asarray(list(embeddings.values()), dtype=np.float64))))


def _components(points: Any) -> list[Position]:
    """[N, 2]: the first two principal components; 0 where there is no such direction."""
    from sklearn.decomposition import PCA

    count, width = points.shape
    if count < 2 or width == 0:
        return [(0.0, 0.0)] * count
    sparse = not isinstance(points, np.ndarray)
    if sparse and (count <= _DENSE or width <= 2):
        points, sparse = points.toarray(), False
    spread = points.max(axis=0) - points.min(axis=0)
    if not (spread.nnz if sparse else spread.any()):
        return [(0.0, 0.0)] * count
    kept = min(2, width)
    found = PCA(kept, svd_solver="arpack" if sparse else "auto", random_state=0).fit_transform(points)
    wide = np.zeros((count, 2))
    wide[:, :kept] = found
    return [(float(x), float(y)) for x, y in wide]


_TEXTS = """SELECT t.id, x.body FROM tasks t JOIN texts x ON x.id = t.statement_text WHERE t.split = 'train'
UNION ALL
SELECT a.id, x.body FROM groups g JOIN attempts a ON a.group_id = g.id JOIN texts x ON x.id = a.response_text
WHERE g.purpose = 'collect'"""
