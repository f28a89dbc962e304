# SPDX-License-Identifier: GPL-3.0-or-later
"""Real maps: everything runs as a user would run it, and the phases make sense.

The maps are not part of the project: see `real_maps`.
"""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from tests.helpers.real_maps import FOLDER, load, needs_maps

MAPS = {
    "core_shell.hspy": 3,
    "mineral_lamella_88.hspy": 3,
    "bcf_v2_50x50px.bcf": 2,
    "test_TEM.bcf": 3,
    "Hitachi_TM3030Plus.bcf": 2,
}
pytestmark = needs_maps(*MAPS)

# A user's script: it never names the package.
SCRIPT = """
import sys
from pathlib import Path
import matplotlib
matplotlib.use("agg")
import hyperspy.api as hs
import numpy as np

folder, output, *jobs = sys.argv[1:]
for job in jobs:
    name, k = job.split("=")
    s = hs.load(Path(folder) / name)
    s = s[-1] if isinstance(s, list) else s
    s.decomposition(algorithm="PSNMF", output_dimension=int(k), show_progressbar=False)
    lr = s.learning_results
    assert lr.loadings.shape == (s.axes_manager.navigation_size, int(k)), name
    np.testing.assert_allclose(lr.loadings.sum(), s.data.sum(dtype=float), rtol=1e-9)
    np.testing.assert_allclose(lr.factors.sum(axis=0), 1)
    assert lr.psnmf["converged"], name
    s.psnmf.phase_names = [f"{name} {i}" for i in range(int(k))]
    fig, _ = s.psnmf.plot()
    fig.savefig(Path(output) / f"{name}.png")
    matplotlib.pyplot.close("all")
    if s.data.size < 1e7:  # the model is dense and of floats
        np.testing.assert_allclose(s.get_decomposition_model().data.sum(), s.data.sum(dtype=float))
    path = Path(output) / f"{name}.result.hspy"
    s.save(path)
    again = hs.load(path)
    assert again.psnmf.report() == s.psnmf.report()
    assert again.psnmf.phase_names == s.psnmf.phase_names
    np.testing.assert_array_equal(again.learning_results.loadings, lr.loadings)
    spectra = s.psnmf.phase_spectra()
    np.testing.assert_allclose(spectra.data.sum(), s.data.sum(dtype=float))
    assert np.isfinite([i.data for i in spectra.get_lines_intensity()]).all()
    print("done", name)
"""


def unmix(signal, k, **kwargs):
    signal.decomposition(algorithm="PSNMF", output_dimension=k, print_info=False, **kwargs)
    return signal.psnmf.phase_spectra(), signal.psnmf.phase_maps()


def share(spectra, low, high):
    """Share of each phase's counts between two energies in keV."""
    return spectra.isig[low:high].data.sum(axis=1) / spectra.data.sum(axis=1)


@pytest.mark.thorough
def test_real_maps__a_users_script_runs_on_all_maps(tmp_path):
    jobs = [f"{name}={k}" for name, k in MAPS.items()]
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(SCRIPT), FOLDER, tmp_path, *jobs],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "hyperspy_psnmf" not in SCRIPT
    assert [line for line in result.stdout.splitlines() if line.startswith("done")] == [
        f"done {name}" for name in MAPS
    ]


@pytest.fixture(scope="module")
def core_shell():
    s = load("core_shell.hspy")
    return s, *unmix(s, 3)


def test_phase_spectra__one_phase_of_the_particles_is_rich_in_platinum(core_shell):
    _, spectra, _ = core_shell
    ratio = share(spectra, 9.2, 9.7) / share(spectra, 6.2, 6.6)
    core = int(np.argmax(share(spectra, 9.2, 9.7)))
    shell = int(np.argmin(ratio))
    assert ratio[core] > 20 * ratio[shell]


def test_phase_spectra__the_platinum_is_confined_to_the_particles(core_shell):
    s, spectra, maps = core_shell
    core = maps.data[int(np.argmax(share(spectra, 9.2, 9.7)))]
    total = s.data.sum(axis=2)
    brightest = total >= np.quantile(total, 0.75)
    assert core[brightest].sum() > 0.75 * core.sum()
    # Where the raw map holds platinum, the core's map is high.
    platinum = s.isig[9.2:9.7].data.sum(axis=2)
    assert np.corrcoef(core.ravel(), platinum.ravel())[0, 1] > 0.7


def test_phase_spectra__the_core_lies_within_the_shell(core_shell):
    _, spectra, maps = core_shell
    core = int(np.argmax(share(spectra, 9.2, 9.7)))
    shell = int(np.argmin(share(spectra, 9.2, 9.7) / share(spectra, 6.2, 6.6)))
    in_core = maps.data[core] > 0.5 * np.quantile(maps.data[core], 0.99)
    iron = maps.data[core] + maps.data[shell]
    assert in_core.sum() < (iron > 0.25 * np.quantile(iron, 0.99)).sum()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*zero peak")
@pytest.mark.parametrize("energy_range", [None, (0.12, 19.9)], ids=str)
def test_phase_maps__aluminium_and_silver_interdiffuse(energy_range):
    s = load("bcf_v2_50x50px.bcf")
    spectra, _ = unmix(s, 2, energy_range=energy_range)
    aluminium, silver = share(spectra, 1.4, 1.57), share(spectra, 2.9, 3.25)
    al, ag = int(np.argmax(aluminium)), int(np.argmax(silver))
    assert al != ag
    assert aluminium[al] > 10 * aluminium[ag]
    assert silver[ag] > 10 * silver[al]
    profile = np.nanmean(s.psnmf.phase_maps(normalize="counts").data[al], axis=0)
    smooth = profile.reshape(10, 5).mean(axis=1)
    assert (np.diff(smooth) < 0).all()
    assert smooth[0] > 0.9
    assert smooth[-1] < 0.6


def test_decomposition__the_zero_peak_of_a_bruker_map_is_warned_of():
    with pytest.warns(UserWarning, match=r"1[0-9] % of the counts lie below 0.12 keV"):
        unmix(load("bcf_v2_50x50px.bcf"), 2)


def test_decomposition__a_starved_map_is_warned_of():
    with pytest.warns(UserWarning, match="only 406 counts per bin"):
        unmix(load("test_TEM.bcf"), 3)


def test_phase_maps__empty_pixels_of_a_sem_map_have_no_phase():
    s = load("Hitachi_TM3030Plus.bcf")
    with pytest.warns(UserWarning, match="zero peak"):
        unmix(s, 2)
    fraction = s.psnmf.phase_maps(normalize="counts")
    empty = s.data.sum(axis=2) == 0
    assert empty.sum() == 60_630
    np.testing.assert_array_equal(np.isnan(fraction.data[0]), empty)


def test_decomposition__spectra_of_one_map_measure_a_part_of_it(core_shell):
    _, spectra, _ = core_shell
    # Pixel by pixel, for those at its border have other neighbours.
    known = {"fixed_spectra": spectra, "smoothing": 0}
    _, maps = unmix(load("core_shell.hspy"), 3, **known)
    _, part_maps = unmix(load("core_shell.hspy").inav[10:50, 5:35], 3, **known)
    np.testing.assert_allclose(part_maps.data, maps.data[:, 5:35, 10:50], atol=1.0)


# Al and Ag; cores, shells, and carbon with and without silicon and oxygen; silicate, (Mg,Fe)O, a
# rim of Ca and Al, and the crack. Free spectra make two of the crack.
N_PHASES = {"bcf_v2_50x50px.bcf": 2, "core_shell.hspy": 4, "mineral_lamella_88.hspy": 4}


@pytest.mark.slow
@needs_maps(*N_PHASES)
@pytest.mark.parametrize("name", N_PHASES)
def test_estimate_number_of_components__what_is_in_a_real_map(name):
    assert (
        load(name).psnmf.estimate_number_of_components(show_progressbar=False).best
        == (N_PHASES[name])
    )
