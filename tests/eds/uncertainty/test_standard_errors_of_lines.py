# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest

from tests.eds.on_signals import standard_errors


@pytest.mark.slow
def test_standard_errors__of_line_spectra_by_their_own_model(grains, unmix):
    unmix(grains, 2, spectra="lines")
    given, all_of_it = standard_errors(grains), standard_errors(grains, given_spectra=False)
    found = ~np.isnan(given.data)
    assert (all_of_it.data[found] >= given.data[found]).all()
    assert np.nanmedian(all_of_it.data / given.data) < 3
    grains.learning_results.psnmf["template_elements"] = []
    with pytest.raises(RuntimeError, match="given to the estimator"):
        standard_errors(grains, given_spectra=False)
