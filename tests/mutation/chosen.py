# SPDX-License-Identifier: GPL-3.0-or-later
"""Chosen mutants: a sign, a missing factor, a wrong axis, where all operators take too long.

For each file the tests that are about it, the quickest first, and what is replaced by what. What
is replaced is in the file exactly once.
"""

PARSIMONY = "tests/nmf/parsimony/test_parsimony.py"
SIMPLIFY = "tests/nmf/parsimony/test_simplify.py"
CRITERION = "tests/nmf/lines/test_criterion.py"
SMOOTHING = "tests/nmf/method/test_smoothing.py"
INTENSITIES = (
    "tests/eds/lines/test_intensities.py "
    "-k 'noise_free or order_asked or covariance or blank or fixed_fit'"
)
FULL_MODEL = (
    "tests/eds/line_model/test_full_model.py -k 'derivatives or ratios or few_counts or stay_near'"
)
ENERGY_AXIS = "tests/eds/line_model/test_energy_axis.py -k 'offset_and_gain and mineral'"
QUANTIFY = [
    "tests/eds/quantify/test_quantify.py "
    "-k 'linear or bulk or fills or of_factors or few_counts or band'",
    "tests/eds/quantify/test_quantify.py -k 'limit or those_of_the_phantom'",
]

# file: (tests, [(before, after), ...])
CHOSEN = {
    "nmf/parsimony/proportions.py": (
        [PARSIMONY],
        [
            ("uncorrelated - 2 * r * V[:, 0, 1]", "uncorrelated + 2 * r * V[:, 0, 1]"),
            ("V[:, 1, 1] + r**2 * V[:, 0, 0]", "V[:, 1, 1]"),
            ("(z < -AGREEMENT) @ counts", "(z > AGREEMENT) @ counts"),
            ("found[a, b] = _constant_ratio", "found[b, a] = _constant_ratio"),
            ("(w[:, 1] - r * w[:, 0])", "(w[:, 0] - r * w[:, 1])"),
        ],
    ),
    "nmf/parsimony/subtract.py": (
        [PARSIMONY, SIMPLIFY],
        [
            ("left = H[a] - fraction * H[b]", "left = H[a] + fraction * H[b]"),
            ("fraction = -missing", "fraction = missing"),
            ("middle * subtracted - lines", "lines - middle * subtracted"),
            ("np.hypot(standard_deviation(H.T, W).T, one_count)", "one_count + 0 * H"),
            ("beside = W.T @ (W > 0)", "beside = (W > 0).T @ W"),
            ("np.minimum(beside[following], beside", "np.maximum(beside[following], beside"),
        ],
    ),
    "nmf/parsimony/simplify.py": (
        [SIMPLIFY, PARSIMONY],
        [
            ("fit.H + new @ fit.H", "fit.H + new.T @ fit.H"),
            ("added += new", "added = new"),
            ("SIGNIFICANT * standard_deviation(", "standard_deviation("),
            ("W.argmax(axis=1)] = True", "W.argmin(axis=1)] = True"),
            ("needed = after - before > loss", "needed = before - after > loss"),
        ],
    ),
    "nmf/lines/criterion.py": (
        [CRITERION],
        [
            ("-self.of_weights(a, b)", "self.of_weights(a, b)"),
            ("sum_costs(self.P[a], -self.P[b]", "sum_costs(self.P[b], -self.P[a]"),
            ("self.W[:, b] += multiple", "self.W[:, b] -= multiple"),
            ("columns[:, a] -= multiple", "columns[:, a] += multiple"),
            ("W**2 / variance - limits", "W**2 / variance + limits"),
            ("np.sign(W) * 0.5 * W**2", "0.5 * W**2"),
            ("limits[n + c, none]", "limits[c, none]"),
            ("np.where(values < 0, values", "np.where(values > 0, values"),
        ],
    ),
    "nmf/lines/costs.py": (
        [CRITERION],
        [
            ("patterns = gammaln(n + 1)", "patterns = -gammaln(n + 1)"),
            ("np.count_nonzero(W.any(axis=1))", "len(W)"),
            ("Costs(LOADING_COST, 0.5 * np.log", "Costs(LOADING_COST, np.log"),
        ],
    ),
    "kernels/truncated_costs.py": (
        ["tests/kernels/test_truncated_costs.py"],
        [
            ("v = values[i] + t * change[i]", "v = values[i] - t * change[i]"),
            ("(2.0 * variances[1, i] + t", "(variances[1, i] + t"),
            ("return v, 0.5 * v * v", "return v, v * v"),
            ("negative[groups[i]] += cost", "negative[i % limits.size] += cost"),
            ("min(zero[g], negative[g] + limits[g])", "min(zero[g], limits[g])"),
            ("memory[i, j] = 0.0", "memory[0, j] = 0.0"),
            ("left -= int(number[cell])", "left -= 1"),
            ("(cell + 1) * width", "cell * width"),
            ("of_number[left] < out[m]", "of_number[left] > out[m]"),
        ],
    ),
    "nmf/method/smoothing.py": (
        [SMOOTHING],
        [
            ("scale = 1 / chi2", "scale = 4 / chi2"),
            ("np.where(alike[:, None], scale * means, W)", "np.where(alike[:, None], means, W)"),
            ("grid, n_jobs) / each", "grid, n_jobs)"),
            ("row, column = np.divmod(left", "column, row = np.divmod(left"),
        ],
    ),
    "nmf/method/pixel_grid.py": (
        [SMOOTHING],
        [
            (".sum(axis=1) / radius**2", ".sum(axis=1) / radius"),
            ("RADII if self.n_rows > 1 else RADII**2 / 2", "RADII"),
        ],
    ),
    "kernels/adaptive_weights.py": (
        ["tests/kernels/test_adaptive_weights.py"],
        [
            ("TWO - TWO * around[x]", "TWO - around[x]"),
            ("n[y, i] * mean[i]", "mean[i]"),
            ("(total[x] + totals[x]) * logs[x]", "total[x] * logs[x]"),
            ("UNIT * np.float32(exponents[x]) - OFFSET", "UNIT * np.float32(exponents[x])"),
            ("w, Y[other, c, there]", "w, Y[other, c, here]"),
            ("dy, dx = offsets[o, 0]", "dx, dy = offsets[o, 0]"),
            ("around[x] = max(around[x], across[x - 1])", "around[x] = across[x]"),
        ],
    ),
    "eds/lines/intensities.py": (
        [INTENSITIES],
        [
            ("[:, None] * peaks\n", "[:, None] * -peaks\n"),
            ("n_fixed=self.n_fixed) * self.counts", "n_fixed=self.n_fixed)"),
            ("linear.columns / variance[linear.use, None] @", "linear.columns @"),
            ("covariance = covariance + parts.of_shapes", "covariance = covariance + 0.0"),
            ("np.maximum(errors**2, np.maximum", "np.maximum(0.0 * errors, np.maximum"),
            ("operators = operators[:, :, pick]", "operators = operators[:, :, pick[::-1]]"),
        ],
    ),
    "eds/line_model/full_model.py": (
        [FULL_MODEL, ENERGY_AXIS],
        [
            ("counts * fitted.members[:, 1]", "counts"),
            ("by_resolution = 1e-6", "by_resolution = 0.5e-6"),
            ("by_fano = 0.5e-6", "by_fano = -0.5e-6"),
            ("np.exp(self.parameters.of_lines @ self.values)", "1.0"),
            ("self.values + np.log(fraction)", "self.values - np.log(fraction)"),
            ("linear.columns.T @ (rest / variance)", "linear.columns.T @ (rest)"),
            ("change = self.expected - self.values", "change = self.values - self.expected"),
        ],
    ),
    "eds/line_model/linear_model.py": (
        [INTENSITIES, FULL_MODEL, ENERGY_AXIS],
        [
            ("(1.0 + self.gain) + self.offset", "(1.0 + self.gain) - self.offset"),
            ("shell[n][1] / shell[strongest][1]", "shell[strongest][1] / shell[n][1]"),
            ("(self.columns / variance[self.use, None])", "(self.columns)"),
        ],
    ),
    "eds/quantify/quantify.py": (
        QUANTIFY,
        [
            ("detected = measured.net > DETECTED *", "detected = measured.net > 0 *"),
            ("loadings.sum(axis=0) ** 2 / squares", "loadings.sum(axis=0) / squares"),
            (
                "_outer(np.maximum(net, 0.0)) * relative",
                "np.maximum(net, 0.0)[:, :, None] * relative",
            ),
            ("total**2 + factors**2 + absorption**2", "total**2 + absorption**2"),
            ("low - z * found.sigma", "low + z * found.sigma"),
            ("counting**2 - shapes**2", "counting**2 + shapes**2"),
        ],
    ),
    "eds/quantify/exspy_call.py": (
        QUANTIFY,
        [
            ("intensities / self.fill[:, None]", "intensities * self.fill[:, None]"),
            ("net / self.factors", "net * self.factors"),
            ("[..., None], 0, -1)", "[..., None], 0, 1)"),
            ("pel,plm,pem->pe", "ple,plm,pme->pe"),
            ("np.where(each, blank, net)", "np.where(each, net, blank)"),
        ],
    ),
    "eds/quantify/absorption.py": (
        ["tests/eds/quantify/test_absorption.py"],
        [
            ("density * thickness * NM", "thickness * NM"),
            ("weight @ self.coefficients", "weight @ self.coefficients.T"),
            ("/ np.sqrt(3.0)", ""),
            ("(self.densities > GAS)", "(self.densities > 0)"),
        ],
    ),
    "eds/quantify/computed_factors.py": (
        ["tests/eds/quantify/test_computed_factors.py -k near"],
        [
            ("/ _general(element).atomic_weight", ""),
            ("* fraction *", "*"),
            ("- np.log1p(-beta2) - beta2", ""),
            ("1.0 + window", "2.0 * window"),
        ],
    ),
    "eds/quantify/reference.py": (
        ["tests/eds/quantify/test_reference.py"],
        [
            ("self._absorption(quantifier, weight))", "1.0)"),
            ("- raw[fixed[own]]", ""),
            ("- fixed / fixed.sum()", ""),
            ("of_phases[np.ix_([self.phase], own, own)] = 0.0", "pass"),
            ("- np.where(own, changes[self.phase], 0.0)", ""),
            ("else -1.0", "else 1.0"),
        ],
    ),
    "eds/quantify/element_maps.py": (
        ["tests/eds/quantify/test_element_maps.py"],
        [
            ("np.divide(intensities, counts", "np.multiply(intensities, counts"),
            ("per_count(measured, measured.sigma) ** 2", "per_count(measured, measured.sigma)"),
            ("np.hypot(of_loadings, of_lines)", "of_loadings"),
        ],
    ),
    "eds/quantify/composition_maps.py": (
        ["tests/eds/quantify/test_result.py -k maps"],
        [
            ("live_time / n", "live_time"),
            ("area / n", "area"),
            ("weights @ values", "weights @ values[::-1]"),
            ("np.maximum(net, 0.0).sum(axis=1)", "np.maximum(net, 0.0).max(axis=1)"),
        ],
    ),
}


def chosen_mutants(file, source):
    """Yield (line, "", what is replaced, mutated source) of every mutant of a file."""
    for before, after in CHOSEN[file][1]:
        if source.count(before) != 1:
            raise SystemExit(f"chosen.py: {before!r} is not once in {file}")
        line = source[: source.index(before)].count("\n") + 1
        yield line, "", f"{before} -> {after}", source.replace(before, after)
