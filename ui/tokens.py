"""An answer with its tokens coloured by log-probability: the one place where the screen writes HTML.

Tags and styles are ours; texts of tokens go through `ui.safe.markup`, so that nothing of them can be read as
HTML. Colour is a veil of one hue over the page's own ground: it reads by strength alone, on light and dark.
"""

import math
from collections.abc import Sequence

from ui.safe import markup

SHOWN = 3_000  # tokens; more make a browser slow
WORST = -5.0  # nats: from here on the veil is at its strongest
_STRONGEST = 0.72
_BOX = (
    "white-space:pre-wrap;overflow-wrap:anywhere;font-family:monospace;font-size:0.875rem;line-height:1.6;"
    "max-height:420px;overflow-y:auto;padding:0.75rem 1rem;border:1px solid rgba(128,128,128,0.25);"
    "border-radius:0.5rem"
)
_GIVEN = "opacity:0.6;font-style:italic"
LEGEND = (
    "Stronger orange: less likely. Slanted grey: given. ⏎ is a line end. Point at a token for its figures."
)


def coloured(
    texts: Sequence[str],
    ids: Sequence[int],
    logprobs: Sequence[float],
    prefilled: int,
    shown: int | None = None,
) -> str:
    """HTML of a response.

    Args:
        texts: what each id adds, as `memory.token_texts.pieces` says; as many as `ids`.
        logprobs: in nats, of the ids after the first `prefilled` ones.
        shown: only so many of the first tokens (None: all), for an answer that is still being written.
    """
    end = min(len(ids), SHOWN, len(ids) if shown is None else shown)
    spans, begun = [], 0
    for i in range(end):
        given = i < prefilled
        whole = texts[i] or i == end - 1 or (given and i + 1 == prefilled)
        if not whole:
            continue  # in the middle of a character: told together with the token that completes it
        told = [0.0 if k < prefilled else logprobs[k - prefilled] for k in range(begun, i + 1)]
        spans.append(_span(texts[i] or "�", ids[begun : i + 1], None if given else sum(told)))
        begun = i + 1
    if end < len(ids) and shown is None:
        spans.append(f"<span>… [{len(ids):,} tokens, the first {SHOWN:,} shown]</span>")
    return f'<div style="{_BOX}" tabindex="0">{"".join(spans)}</div>'


def _span(text: str, ids: Sequence[int], logprob: float | None) -> str:
    shown = markup(text.replace("\n", "⏎\n"))
    number = f"id {', '.join(map(str, ids))}"
    if logprob is None:
        return f'<span title="{number}, given" style="{_GIVEN}">{shown}</span>'
    if math.isnan(logprob):
        return f'<span title="{number}">{shown}</span>'
    veil = _STRONGEST * min(1.0, max(0.0, logprob / WORST))
    told = f"{number}: {logprob:.3f} nats, {100 * math.exp(min(0.0, logprob)):.2f} %"
    return f'<span title="{told}" style="background-color:rgba(213,94,0,{veil:.2f})">{shown}</span>'
