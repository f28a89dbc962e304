# SPDX-License-Identifier: GPL-3.0-or-later
r"""A sum of logarithms in a loop that vectorises, which ``math.log`` prevents.

With :math:`r = m 2^e`, :math:`\sqrt{1/2} \le m < \sqrt 2` read off the bits of r, and
:math:`s = (m - 1) / (m + 1)`,

.. math:: \log r = e \log 2 + 2 s (1 + s^2 / 3 + s^4 / 5 + \dots)

Since :math:`s^2 < 0.03`, ten terms reach the last digit of double precision.
"""

import numpy as np

from hyperspy_psnmf.kernels._compile import jit_row

LOG_2 = np.log(2.0)
ONE_HALF_ROOT = np.array([np.sqrt(0.5)]).view(np.int64)[0]  # its bits
MANTISSA_SIZE = 52


@jit_row
def sum_x_log(x, r, scratch):
    """Return the sum of x log(r) over positive normal r; where x is 0, r may be 0 too."""
    bits, mantissa_bits = r.view(np.int64), scratch.view(np.int64)
    total = 0.0
    for q in range(x.size):
        exponent = (bits[q] - ONE_HALF_ROOT) >> MANTISSA_SIZE
        mantissa_bits[q] = bits[q] - (exponent << MANTISSA_SIZE)
        s = (scratch[q] - 1.0) / (scratch[q] + 1.0)
        z = s * s
        series = 1 / 19 + z / 21
        series = 1 / 15 + z * (1 / 17 + z * series)
        series = 1 / 11 + z * (1 / 13 + z * series)
        series = 1 / 7 + z * (1 / 9 + z * series)
        series = 1 / 3 + z * (1 / 5 + z * series)
        total += x[q] * (exponent * LOG_2 + 2.0 * s * (1.0 + z * series))
    return total
