# SPDX-License-Identifier: GPL-3.0-or-later
"""The four built-in phantoms: compositions and microscopes.

Each phantom is a scene of two or three phases with textbook compositions,
thicknesses and acquisition conditions. The microscope of the lamellae is a 200 keV
TEM, that of the bulk specimen a 15 keV SEM, both with a detector of 130 eV.

References
----------
Goldstein et al., Scanning Electron Microscopy and X-ray Microanalysis,
3rd ed. (2003).
Williams & Carter, Transmission Electron Microscopy, 2nd ed. (2009).
"""

from __future__ import annotations

from hyperspy_psnmf.eds.phantoms import _maps
from hyperspy_psnmf.eds.phantoms._specimen import Microscope, Phase, Scene

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
    mass_maps=_maps.mineral_grains_maps,
)

PARTICLES = Scene(
    title="Core-shell particles (phantom)",
    notes="Simulated FePt cores in Fe3O4 shells on a carbon film. The Cu of the support "
    "stands for stray counts of the grid: its share is apparent.",
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
    mass_maps=_maps.core_shell_particles_maps,
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
    mass_maps=_maps.grain_boundary_maps,
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
    mass_maps=_maps.sem_two_phases_maps,
)
