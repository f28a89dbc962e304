# SPDX-License-Identifier: GPL-3.0-or-later
"""The built-in phantoms: compositions and microscopes.

Each phantom is a scene of two or more phases with textbook compositions,
thicknesses and acquisition conditions. The microscope of the lamellae is a 200 keV
TEM, that of the bulk specimen a 15 keV SEM, both with a detector of 130 eV.

References
----------
Goldstein et al., Scanning Electron Microscopy and X-ray Microanalysis,
3rd ed. (2003).
Williams & Carter, Transmission Electron Microscopy, 2nd ed. (2009).
"""

from __future__ import annotations

from functools import partial

from hyperspy_psnmf.data.geometry import maps, spheres
from hyperspy_psnmf.data.specimen import Microscope, Phase, Scene

TEM = Microscope(
    beam_energy=200.0, elevation_angle=22.0, bulk=False, beam_current=0.5, live_time=0.05
)
SEM = Microscope(
    beam_energy=15.0, elevation_angle=35.0, bulk=True, beam_current=1.0, live_time=0.02
)

MINERALS = Scene(
    title="Mineral grains (phantom)",
    notes="Simulated lamella of lower-mantle minerals, 100 nm thick.",
    phases=(
        Phase("Silicate", {"Mg": 17.5, "Fe": 2.0, "Al": 1.0, "Si": 19.5, "O": 60.0}, 4.1e-5),
        Phase("Ferropericlase", {"Mg": 40.0, "Fe": 10.0, "O": 50.0}, 4.2e-5),
        Phase("Ca silicate", {"Ca": 18.5, "Ti": 1.0, "Al": 1.5, "Si": 19.0, "O": 60.0}, 4.2e-5),
    ),
    microscope=TEM,
    xray_lines=("Al_Ka", "Ca_Ka", "Fe_Ka", "Mg_Ka", "O_Ka", "Si_Ka", "Ti_Ka"),
    continuum_share=0.45,
    field_of_view=1280.0,
    length_unit="nm",
    mass_maps=maps.mineral_grains_maps,
    thickness=100.0,
)

PARTICLES = Scene(
    title="Core-shell particles (phantom)",
    notes="Simulated FePt cores in Fe3O4 shells on a carbon film. The Cu of the support "
    "simulates stray counts of the grid: its fraction is apparent.",
    phases=(
        Phase("Support", {"C": 98.0, "Cu": 2.0}, 3e-6),
        Phase("Shell", {"Fe": 42.86, "O": 57.14}, 5e-6),
        Phase("Core", {"Fe": 50.0, "Pt": 50.0}, 1.5e-5),
    ),
    microscope=TEM,
    xray_lines=("C_Ka", "Cu_Ka", "Fe_Ka", "O_Ka", "Pt_La"),
    continuum_share=0.48,
    field_of_view=64.0,
    length_unit="nm",
    mass_maps=spheres.core_shell_particles_maps,
)

BOUNDARY = Scene(
    title="Grain boundary (phantom)",
    notes="Simulated ferrite and austenite with a phosphide film, 60 nm thick.",
    phases=(
        Phase("Ferrite", {"Fe": 90.5, "Cr": 9.0, "Mo": 0.5}, 4.7e-5),
        Phase("Austenite", {"Fe": 53.0, "Cr": 26.0, "Ni": 21.0}, 4.7e-5),
        Phase("Boundary film", {"Fe": 35.0, "Cr": 25.0, "Mo": 22.0, "P": 18.0}, 4.7e-5),
    ),
    microscope=TEM,
    xray_lines=("Cr_Ka", "Fe_Ka", "Mo_La", "Ni_Ka", "P_Ka"),
    continuum_share=0.45,
    field_of_view=128.0,
    length_unit="nm",
    mass_maps=maps.grain_boundary_maps,
    thickness=60.0,
)

CAST_ALLOY = Scene(
    title="Two-phase cast alloy (phantom)",
    notes="Simulated Al-Cu casting: aluminium cells and Al2Cu between them.",
    phases=(
        Phase("Aluminium", {"Al": 99.0, "Cu": 1.0}),
        Phase("Al2Cu", {"Al": 67.0, "Cu": 33.0}),
    ),
    microscope=SEM,
    xray_lines=("Al_Ka", "Cu_Ka", "Cu_La"),
    continuum_share=0.47,
    field_of_view=64.0,
    length_unit="µm",
    mass_maps=maps.sem_two_phases_maps,
)

SPHERES = Scene(
    title="Embedded spheres (phantom)",
    notes="Simulated glass with one metal and one sulfide droplet inside, 185 nm thick.",
    phases=(
        Phase("Glass", {"Mg": 12.0, "Al": 3.0, "Si": 22.0, "Ca": 2.0, "O": 61.0}, 4.4e-5),
        Phase("Sulfide", {"Fe": 47.0, "Ni": 2.0, "S": 51.0}, 9.2e-6),
        Phase("Metal", {"Fe": 92.0, "Ni": 8.0}, 1.1e-5),
    ),
    microscope=TEM,
    xray_lines=("Al_Ka", "Ca_Ka", "Fe_Ka", "Mg_Ka", "Ni_Ka", "O_Ka", "S_Ka", "Si_Ka"),
    continuum_share=0.45,
    field_of_view=64.0,
    length_unit="nm",
    mass_maps=spheres.embedded_spheres_maps,
)

INTERFACE = Scene(
    title="Sharp interface (phantom)",
    notes="Simulated epitaxial Fe3O4 film on MgO, 50 nm thick.",
    phases=(
        Phase("Magnetite", {"Fe": 42.86, "O": 57.14}, 2.6e-5),
        Phase("Periclase", {"Mg": 50.0, "O": 50.0}, 1.8e-5),
    ),
    microscope=TEM,
    xray_lines=("Fe_Ka", "Mg_Ka", "O_Ka"),
    continuum_share=0.45,
    field_of_view=64.0,
    length_unit="nm",
    mass_maps=maps.sharp_interface_maps,
    thickness=50.0,
)

CATALYST = Scene(
    title="Isolated particles (phantom)",
    notes="Simulated Pd particles on a flake of alumina, 15 nm thick.",
    phases=(
        Phase("Alumina", {"Al": 40.0, "O": 60.0}, 5e-6),
        Phase("Palladium", {"Pd": 100.0}, 2e-6),
    ),
    microscope=TEM,
    xray_lines=("Al_Ka", "O_Ka", "Pd_La"),
    continuum_share=0.54,
    field_of_view=64.0,
    length_unit="nm",
    mass_maps=spheres.isolated_particles_maps,
)


def _olivine(forsterite: float) -> Phase:
    """(Mg, Fe)2SiO4 with a percentage of forsterite."""
    magnesium = 2.0 / 7.0 * forsterite
    cations = {"Mg": magnesium, "Fe": 200.0 / 7.0 - magnesium}
    return Phase(f"Fo{forsterite:.0f}", {**cations, "Si": 100.0 / 7.0, "O": 400.0 / 7.0})


OLIVINE_SERIES = tuple(_olivine(forsterite) for forsterite in range(90, 0, -10))

OLIVINE = Scene(
    title="Solid solution (phantom)",
    notes="Simulated olivine crystal, zoned from forsterite to fayalite by diffusion.",
    phases=OLIVINE_SERIES,
    microscope=SEM,
    xray_lines=("Fe_Ka", "Mg_Ka", "O_Ka", "Si_Ka"),
    continuum_share=0.47,
    field_of_view=64.0,
    length_unit="µm",
    mass_maps=partial(maps.solid_solution_maps, n_steps=len(OLIVINE_SERIES)),
)
