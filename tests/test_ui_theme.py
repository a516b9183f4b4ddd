"""Colours stay apart for colour-blind eyes and stand out from light and dark ground: computed, not believed.

Colour blindness is simulated in full by the matrices of Machado, Oliveira and Fernandes (IEEE TVCG 15, 2009);
distances are Euclidean in Oklab times 100, where about 2 is just seen; contrast is WCAG 2.2's.
"""

from itertools import combinations, pairwise

import numpy as np
import pytest

from ui import theme

GROUNDS = {"light": "#ffffff", "dark": "#0e1117"}  # Streamlit's
EYES = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
#: Least contrast of a hue on either ground. WCAG asks for 3; the lighter ones of Okabe and Ito's hues have
#: less on white: what is drawn in those has a dash, a symbol or a name of its own, and a table beside it.
LEAST = {theme.ORANGE: 2.2, theme.SKY: 2.2, theme.YELLOW: 1.7}


def linear(hue: str) -> np.ndarray:
    """Linear RGB, [3] in 0 .. 1."""
    channels = np.array([int(hue[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    low, high = sorted(float(linear(hue) @ [0.2126, 0.7152, 0.0722]) for hue in (one, other))
    return (high + 0.05) / (low + 0.05)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Of linear RGB (Ottosson 2020)."""
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    mixed = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return mixed @ np.cbrt(cones @ np.clip(rgb, 0, 1))


def test_the_measure_is_what_it_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert oklab(linear("#ffffff")) == pytest.approx([1, 0, 0], abs=1e-3)


@pytest.mark.parametrize("eye", EYES)
def test_hues_stay_apart(eye: str) -> None:
    seen = {hue: oklab(np.array(EYES[eye]) @ linear(hue)) for hue in theme.HUES}
    near = [(100 * float(np.linalg.norm(seen[a] - seen[b])), a, b) for a, b in combinations(theme.HUES, 2)]
    assert min(near)[0] > 6.5, min(near)


@pytest.mark.parametrize("ground", GROUNDS)
def test_hues_stand_out(ground: str) -> None:
    for hue in theme.HUES:
        assert contrast(hue, GROUNDS[ground]) >= LEAST.get(hue, 3.0), hue


def test_the_scale_grows_lighter_for_every_eye() -> None:
    import plotly.colors

    steps = plotly.colors.sample_colorscale(theme.SCALE, [i / 20 for i in range(21)], colortype="tuple")
    for eye, matrix in EYES.items():
        hues = ["#" + "".join(f"{round(255 * channel):02x}" for channel in step) for step in steps]
        light = [oklab(np.array(matrix) @ linear(hue))[0] for hue in hues]
        assert all(a < b for a, b in pairwise(light)), eye
