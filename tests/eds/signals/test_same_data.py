# SPDX-License-Identifier: GPL-3.0-or-later
"""Results are refused for other data than those that they were found in.

Square maps, whose shape does not show a transposition.
"""

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.eds.signals import same_data
from tests.helpers.lazy_maps import lazy
from tests.helpers.maps import CALL, FREE, stock, unmix_quietly

SIZE, N_CHANNELS = 22, 310


@pytest.fixture(scope="module")
def pristine_square():
    return data.mineral_grains(shape=(SIZE, SIZE), n_channels=N_CHANNELS, counts=400, seed=2)


@pytest.fixture(scope="module")
def unmixed_square(pristine_square):
    return unmix_quietly(pristine_square.deepcopy(), **FREE)


@pytest.fixture
def square(unmixed_square):
    return unmixed_square.deepcopy()


@pytest.fixture(scope="module")
def unmixed_lazily(pristine_square):
    return unmix_quietly(lazy(pristine_square, (11, 7, N_CHANNELS)), **FREE)


@pytest.fixture
def large(square, monkeypatch):
    """The same map, of which 32 spectra are compared."""
    monkeypatch.setattr(same_data, "N_VALUES", 1)
    rows = same_data._pixels_compared(square.data.shape)
    counts, spectra = square.learning_results.psnmf, square.data.reshape(-1, N_CHANNELS)[rows]
    counts["data_pixel_counts"] = counts["data_pixel_counts"][rows]
    counts["data_checksum"] = same_data.zlib.crc32(spectra.astype(np.float32))
    return square


def other_counts(counts):
    return np.random.default_rng(3).poisson(1.0, counts.shape).astype(counts.dtype)


CHANGES = {
    "transposed": (lambda d: d.swapaxes(0, 1), "transposed since"),
    "flipped up": (lambda d: d[::-1], "flipped along y since"),
    "flipped left": (lambda d: np.flip(d, 1), "flipped along x since"),
    "turned by half": (lambda d: d[::-1, ::-1], "flipped along y and x since"),
    "turned by a quarter": (np.rot90, "transposed and flipped along"),
    "energies flipped": (lambda d: d[..., ::-1], "flipped along Energy since"),
    "scaled": (lambda d: d * 0.5, "multiplied by 0.5 since"),
    "other counts": (other_counts, "given other data"),
    "one channel on": (lambda d: np.roll(d, 1, axis=2), "in other channels"),
    "rows moved": (lambda d: np.roll(d, 3, axis=0), "have other counts"),
    "emptied": (np.zeros_like, "have other counts"),
    "words": (lambda d: np.full(d.shape, "a"), "replaced since"),
}


@pytest.mark.parametrize("how", CHANGES)
def test_data_replaced__refused_with_what_changed(square, how):
    change, message = CHANGES[how]
    square.data = change(square.data)
    with pytest.raises(RuntimeError, match=message):
        square.psnmf.phase_maps()


@pytest.mark.parametrize("how", ["transposed", "flipped up", "other counts", "rows moved"])
def test_data_replaced_in_place__refused_too(square, how):
    change, message = CHANGES[how]
    square.data[:] = change(square.data.copy())
    with pytest.raises(RuntimeError, match=message):
        square.psnmf.phase_spectra()


@pytest.mark.parametrize("how", ["transposed", "flipped left", "scaled", "other counts"])
def test_large_map_of_which_a_sample_is_compared__refused_too(large, how):
    large.psnmf.phase_maps()
    change, message = CHANGES[how]
    large.data = change(large.data)
    with pytest.raises(RuntimeError, match=message):
        large.psnmf.phase_maps()


@pytest.mark.parametrize(
    "call", ["phase_maps", "phase_spectra", "report", "residuals", "standard_errors",
             "upper_limits", "element_maps", "ambiguity", "plot"],
)  # fmt: skip
def test_every_call_on_flipped_data__refused(square, call):
    square.data = square.data[:, ::-1]
    with pytest.raises(RuntimeError, match=r"flipped along x since .* decompose it again"):
        getattr(square.psnmf, call)()


@pytest.mark.parametrize(
    "change",
    [
        lambda s: None,
        lambda s: s.change_dtype(float),
        lambda s: s.change_dtype("float32"),
        lambda s: s.change_dtype(">u4"),
        lambda s: s.unfold(),
        lambda s: (s.unfold(), s.fold()),
        lambda s: s.set_signal_type("EDS_SEM"),
        lambda s: setattr(s, "data", np.asfortranarray(s.data)),
        lambda s: setattr(s.axes_manager[-1], "offset", 0.11),
    ],
    ids=["nothing", "float", "float32", "bytes swapped", "unfolded", "folded", "SEM", "Fortran",
         "energies recalibrated"],
)  # fmt: skip
def test_same_values_in_another_form__accepted(square, unmixed_square, change):
    change(square)
    expected = unmixed_square.psnmf.phase_maps().data
    np.testing.assert_array_equal(square.psnmf.phase_maps().data.ravel(), expected.ravel())


def test_flip_of_an_unfolded_map__refused(square):
    square.unfold()
    square.data = square.data[::-1]
    with pytest.raises(RuntimeError, match="flipped along axis 0 and axis 1"):
        square.psnmf.phase_maps()


def test_copies_and_models__keep_their_results(square):
    for s in (square.deepcopy(), square.copy(), square.get_decomposition_model(), square.as_lazy()):
        assert s.psnmf.phase_maps().data.shape == (3, SIZE, SIZE)
    with pytest.raises(RuntimeError, match="since its decomposition"):
        square.get_decomposition_model(components=[0]).psnmf.phase_maps()


@pytest.mark.parametrize("masks", ["pixels", "channels", "both"])
def test_masked_data__may_change_but_not_the_rest(pristine_square, masks):
    pixels, channels = np.zeros((SIZE, SIZE), bool), np.zeros(N_CHANNELS, bool)
    pixels[:3], channels[100:140] = masks != "channels", masks != "pixels"
    masks = {"navigation_mask": pixels, "signal_mask": channels}
    s = unmix_quietly(pristine_square.deepcopy(), **masks, **FREE)
    s.data[pixels.T] = 7  # masks are in (x, y) order
    s.data[..., channels] = 9
    s.psnmf.phase_maps()
    s.data[5:, 5:, 5:] = s.data[5:, 5:, 5:].swapaxes(0, 1)
    with pytest.raises(RuntimeError, match="have other counts"):
        s.psnmf.phase_maps()


@pytest.mark.slow
def test_changed_map__can_be_decomposed_again(square):
    square.data = square.data[::-1]
    unmix_quietly(square, absent={"Phase 1": ["Si"]}, **FREE)
    assert square.psnmf.phase_maps().data.shape == (3, SIZE, SIZE)


def test_other_algorithms_and_earlier_versions__work_without_a_fingerprint(square):
    for s in (stock(square), square):
        if s is square:
            for key in ("data_shape", "data_pixel_counts", "data_checksum"):
                del s.learning_results.psnmf[key]
        s.data = s.data[::-1]
        s.psnmf.phase_maps()
    square.psnmf.residuals()


# --- lazy data: nothing is read for the check


def no_reading(block):
    raise AssertionError("the data were read")


def test_lazy_data__not_read_for_the_check(unmixed_lazily):
    s = unmixed_lazily.deepcopy()
    s.data = s.data.map_blocks(no_reading, dtype=s.data.dtype, meta=np.empty((0, 0, 0), "u2"))
    assert s.psnmf.phase_maps().data.shape == (3, SIZE, SIZE)
    s.crop("x", 2, None)
    with pytest.raises(RuntimeError, match="cropped"):
        s.psnmf.phase_maps()


@pytest.mark.slow
@pytest.mark.parametrize("call", ["report", "residuals", "upper_limits", "ambiguity"])
@pytest.mark.parametrize("how", ["transposed", "flipped up", "other counts"])
def test_lazy_data_changed__refused_where_counts_are_read_again(unmixed_lazily, how, call):
    s = unmixed_lazily.deepcopy()
    s.data = s.data.map_blocks(lambda d: d)
    s.data = s.data[::-1] if how == "flipped up" else s.data.swapaxes(0, 1)
    if how == "other counts":
        s.data = s.data.map_blocks(other_counts, dtype=s.data.dtype)
    with pytest.raises(RuntimeError, match="since its decomposition"):
        getattr(s.psnmf, call)()


@pytest.mark.parametrize("how", ["transposed", "flipped up", "other counts"])
def test_lazy_results_computed__refused_after_a_change(unmixed_lazily, how):
    s = unmixed_lazily.deepcopy()
    s.psnmf.residuals()
    s.compute()
    s.psnmf.phase_maps()
    s.data = CHANGES[how][0](s.data)
    with pytest.raises(RuntimeError, match=CHANGES[how][1]):
        s.psnmf.phase_maps()


def test_eager_results_opened_lazily__compared_where_counts_are_read_again(square):
    s = square.as_lazy()
    s.psnmf.residuals()
    s.data = s.data[::-1]
    with pytest.raises(RuntimeError, match="have other counts"):
        s.psnmf.residuals()


# --- cropped


@pytest.mark.parametrize(
    ("axis", "message"),
    [("x", "484 pixels of 310 channels, and now 440 of 310"), ("Energy", "now 484 of 308")],
)
def test_cropped_map__message_has_both_sizes(square, axis, message):
    square.crop(axis, 2, None)
    with pytest.raises(RuntimeError, match=message):
        square.psnmf.phase_maps()


def test_transposed_map_that_is_not_square__refused(pristine_square):
    s = pristine_square.inav[:, :13]
    s.decomposition(**{**CALL, "output_dimension": 2})
    s.data = s.data.swapaxes(0, 1)
    s.axes_manager._axes[0].size, s.axes_manager._axes[1].size = s.data.shape[:2]
    with pytest.raises(RuntimeError, match="transposed"):
        s.psnmf.phase_maps()
