# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``s.psnmf`` was called in earlier versions: it works until version 0.3, with a warning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from hyperspy_psnmf import plot
from hyperspy_psnmf.eds.deprecated import warn_deprecated
from hyperspy_psnmf.eds.fit_check.residuals import Residuals
from hyperspy_psnmf.eds.quantify.result import Quantification
from hyperspy_psnmf.eds.signals.learning_results import check_result
from hyperspy_psnmf.eds.uncertainty.ambiguity import Ambiguity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

Method = TypeVar("Method", bound=Callable)


class OldNames:
    """Methods that results have now, and the property `names`."""

    phase_names: Any
    ambiguity: Callable[..., Ambiguity]
    residuals: Callable[..., Residuals]

    @property
    def names(self) -> list[str]:
        """Deprecated: use `phase_names`."""
        warn_deprecated("s.psnmf.names", "s.psnmf.phase_names")
        return self.phase_names

    @names.setter
    def names(self, names: Sequence[str]) -> None:
        warn_deprecated("s.psnmf.names", "s.psnmf.phase_names")
        self.phase_names = names

    def plot_composition(self, result: Quantification, *, log: bool = False) -> tuple[Figure, Axes]:
        """Plot compositions as bars. Deprecated: use ``result.plot()``.

        Parameters
        ----------
        result : Quantification
            What `quantify` returned.
        log : bool
            Whether the scale is logarithmic.

        Returns
        -------
        matplotlib.figure.Figure
        matplotlib.axes.Axes
        """
        warn_deprecated("s.psnmf.plot_composition(result)", "result.plot()")
        return plot.plot_composition(check_result(result, Quantification), log=log)

    def plot_line_fit(self, result: Quantification) -> tuple[Figure, NDArray]:
        """Plot the fit of lines to each spectrum. Deprecated: use ``result.plot_line_fit()``.

        Parameters
        ----------
        result : Quantification
            What `quantify` returned, with intensities from the model.

        Returns
        -------
        matplotlib.figure.Figure
        numpy.ndarray of matplotlib.axes.Axes, of shape (n_phases, 2)
        """
        warn_deprecated("s.psnmf.plot_line_fit(result)", "result.plot_line_fit()")
        return plot.plot_line_fit(check_result(result, Quantification).fit)

    def plot_ambiguity(
        self,
        *,
        confidence: float = 0.95,
        factors: dict | None = None,
        result: Ambiguity | None = None,
    ) -> tuple[Figure, NDArray]:
        """Plot bands of spectra. Deprecated: use ``s.psnmf.ambiguity().plot()``.

        Parameters
        ----------
        confidence, factors
            As of `ambiguity`.
        result : Ambiguity, optional
            What `ambiguity` returned.

        Returns
        -------
        matplotlib.figure.Figure
        numpy.ndarray of matplotlib.axes.Axes, of shape (n_phases, 2)
        """
        warn_deprecated("s.psnmf.plot_ambiguity()", "s.psnmf.ambiguity().plot()")
        if result is None:
            result = self.ambiguity(confidence=confidence, factors=factors)
        return plot.plot_ambiguity(check_result(result, Ambiguity))

    def plot_residuals(self, *, result: Residuals | None = None) -> tuple[Figure, NDArray]:
        """Plot residuals. Deprecated: use ``s.psnmf.residuals().plot()``.

        Parameters
        ----------
        result : Residuals, optional
            What `residuals` returned.

        Returns
        -------
        matplotlib.figure.Figure
        numpy.ndarray of matplotlib.axes.Axes, of shape (3,)
        """
        warn_deprecated("s.psnmf.plot_residuals()", "s.psnmf.residuals().plot()")
        result = self.residuals() if result is None else result
        return plot.plot_residuals(check_result(result, Residuals))


def takes_old_arguments(method: Method) -> Method:
    """Let a method of maps of lines take `method`, also by position, and `standard_errors`."""

    @wraps(method)
    def call(self: Any, xray_lines: Any = None, *positional: Any, **given: Any) -> Any:
        name = f"s.psnmf.{method.__name__}"
        if positional or "method" in given:
            given = _with_intensities(name, positional, given)
        with_errors = method.__name__ == "element_maps" and "standard_errors" in given
        errors = with_errors and given.pop("standard_errors")
        if not isinstance(errors, bool):
            raise TypeError(f"standard_errors must be True or False, not {errors!r}")
        if with_errors:
            warn_deprecated(f"{name}(standard_errors=...)", "s.psnmf.element_map_errors()")
        maps = method(self, xray_lines, **given)
        return (maps, self.element_map_errors(xray_lines, **given)) if errors else maps

    return cast(Method, call)


def _with_intensities(name: str, positional: tuple, given: dict) -> dict:
    """Return keywords with `intensities` in place of `method`, or of what has no name."""
    if len(positional) + ("method" in given) + ("intensities" in given) > 1:
        raise TypeError(f"{name}() takes one xray_lines and one intensities")
    warn_deprecated(f"{name}(method=...)", "intensities=...", stacklevel=3)
    rest = {name: value for name, value in given.items() if name != "method"}
    return {**rest, "intensities": positional[0] if positional else given["method"]}
