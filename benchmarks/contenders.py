"""Other ways to the same posterior of the Chinchilla law, each as its manual writes it: what `speed.py` runs.

A contender is a class that is made once a process (`__init__` imports the library) and whose `fit(runs, seed)` returns
(draws by parameter, each (chains, draws), and gradients computed, NaN where the library does not say). What it compiles
it may keep from one fit to the next if the library has a way for that. Chains: 4; draws and warm-up: the library's
defaults, at least 1000 draws. Models are centred as ours is, which helps them all.
"""

from math import log
from typing import Any

import numpy as np
import pandas as pd

N0, D0, CHAINS, DRAWS = 1e9, 1e11, 4, 1000
Draws = dict[str, np.ndarray]


class Bayeslaw:
    method = "nuts"

    def __init__(self) -> None:
        import bayeslaw as bl
        from bayeslaw.models import Chinchilla

        self.bl, self.law = bl, Chinchilla

    def fit(self, runs: pd.DataFrame, seed: int) -> tuple[Draws, float]:
        found = self.bl.fit(self.law, runs, seed=seed, method=self.method, progress=False)
        assert found.ok, found.status
        stats = found.tree["sample_stats"]
        return found.draws, float(stats["n_steps"].sum()) if "n_steps" in stats else np.nan

    def fit_many(self, tables: list[pd.DataFrame]) -> None:
        self.bl.fit_many(self.law, tables, method=self.method, progress=False)


class Importance(Bayeslaw):
    method = "importance"

    def ess(self, runs: pd.DataFrame, seed: int) -> float:
        return float(
            self.bl.fit(self.law, runs, seed=seed, method="importance", progress=False).summary().ess_bulk.min()
        )


class NumPyro:
    """`MCMC(NUTS(model))` with a new object for each fit."""

    def __init__(self) -> None:
        import jax
        import numpyro

        jax.config.update("jax_enable_x64", True)
        self.jax, self.numpyro = jax, numpyro

    def model(self, N: Any, D: Any, log_loss: Any = None) -> None:
        import jax.numpy as jnp
        import numpyro.distributions as dist

        sample = self.numpyro.sample
        E = sample("E", dist.LogNormal(log(1.7), 0.3))
        a, b = sample("a", dist.LogNormal(log(0.35), 1.0)), sample("b", dist.LogNormal(log(0.4), 1.0))
        alpha, beta = sample("alpha", dist.LogNormal(log(0.33), 0.4)), sample("beta", dist.LogNormal(log(0.33), 0.4))
        scale, tails = sample("scale", dist.LogNormal(log(0.01), 1.0)), sample("tails", dist.Gamma(2.0, 0.1))
        mean = E + a * (N / N0) ** -alpha + b * (D / D0) ** -beta
        sample("obs", dist.StudentT(1 + tails, jnp.log(mean), scale), obs=log_loss)

    def fit(self, runs: pd.DataFrame, seed: int) -> tuple[Draws, float]:
        from numpyro.infer import MCMC, NUTS

        mcmc = MCMC(
            NUTS(self.model), num_warmup=1000, num_samples=DRAWS, num_chains=CHAINS,
            chain_method="sequential", progress_bar=False,
        )  # fmt: skip
        mcmc.run(self.jax.random.key(seed), *_arrays(runs), extra_fields=("num_steps",))
        draws = {name: np.asarray(array) for name, array in mcmc.get_samples(group_by_chain=True).items()}
        return draws, float(mcmc.get_extra_fields()["num_steps"].sum())


def _arrays(runs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return runs.params.to_numpy(float), runs.tokens.to_numpy(float), np.log(runs.loss.to_numpy(float))


class PyMC:
    def __init__(self) -> None:
        import pymc

        self.pm, self.model = pymc, None

    def build(self, runs: pd.DataFrame) -> Any:
        pm = self.pm
        N, D, log_loss = _arrays(runs)
        with pm.Model() as model:
            N, D, log_loss = pm.Data("N", N), pm.Data("D", D), pm.Data("log_loss", log_loss)
            E = pm.LogNormal("E", log(1.7), 0.3)
            a, b = pm.LogNormal("a", log(0.35), 1.0), pm.LogNormal("b", log(0.4), 1.0)
            alpha, beta = pm.LogNormal("alpha", log(0.33), 0.4), pm.LogNormal("beta", log(0.33), 0.4)
            scale, tails = pm.LogNormal("scale", log(0.01), 1.0), pm.Gamma("tails", 2.0, 0.1)
            mean = E + a * (N / N0) ** -alpha + b * (D / D0) ** -beta
            pm.StudentT("obs", nu=1 + tails, mu=pm.math.log(mean), sigma=scale, observed=log_loss)
        return model

    def fit(self, runs: pd.DataFrame, seed: int) -> tuple[Draws, float]:
        if self.model is None:
            self.model = self.build(runs)
        with self.model:
            self.pm.set_data(dict(zip(("N", "D", "log_loss"), _arrays(runs), strict=True)))
            trace = self.pm.sample(DRAWS, chains=CHAINS, cores=2, random_seed=seed, progressbar=False)
        return _of_trace(trace)


def _of_trace(trace: Any) -> tuple[Draws, float]:
    posterior = trace["posterior"] if "posterior" in getattr(trace, "children", {}) else trace.posterior
    draws = {str(name): array.to_numpy() for name, array in posterior.data_vars.items()}
    return draws, float(trace["sample_stats"]["n_steps"].sum())


class Nutpie(PyMC):
    """PyMC's model, compiled once; `with_data` for further fits."""

    def __init__(self) -> None:
        super().__init__()
        import nutpie

        self.nutpie, self.compiled = nutpie, None

    def fit(self, runs: pd.DataFrame, seed: int) -> tuple[Draws, float]:
        if self.compiled is None:
            self.compiled = self.nutpie.compile_pymc_model(self.build(runs))
        compiled = self.compiled.with_data(**dict(zip(("N", "D", "log_loss"), _arrays(runs), strict=True)))
        return _of_trace(
            self.nutpie.sample(compiled, draws=DRAWS, chains=CHAINS, cores=2, seed=seed, progress_bar=False)
        )


class BlackJAX:
    """One jitted function of key and data: window adaptation, then NUTS, chains by vmap."""

    def __init__(self) -> None:
        import blackjax
        import jax

        jax.config.update("jax_enable_x64", True)
        self.blackjax, self.jax = blackjax, jax
        self.program = jax.jit(self.run)

    def log_density(self, z: Any, N: Any, D: Any, log_loss: Any) -> Any:
        import jax.numpy as jnp
        from jax.scipy import stats

        place = jnp.array([log(1.7), log(0.35), log(0.33), log(0.4), log(0.33), log(0.01)])
        spread = jnp.array([0.3, 1.0, 0.4, 1.0, 0.4, 1.0])
        E, a, alpha, b, beta, scale = jnp.exp(z[:6])
        tails = jnp.exp(z[6])
        mean = E + a * (N / N0) ** -alpha + b * (D / D0) ** -beta
        prior = stats.norm.logpdf(z[:6], place, spread).sum() + stats.gamma.logpdf(tails, 2.0, scale=10.0) + z[6]
        return prior + stats.t.logpdf(log_loss, 1 + tails, jnp.log(mean), scale).sum()

    def run(self, key: Any, N: Any, D: Any, log_loss: Any) -> Any:
        jax, blackjax = self.jax, self.blackjax

        def density(z: Any) -> Any:
            return self.log_density(z, N, D, log_loss)

        def chain(key: Any) -> Any:
            first, second, third = jax.random.split(key, 3)
            start = jax.numpy.array([0.5, -1.0, -1.1, -0.9, -1.1, -4.6, 2.3]) + 0.3 * jax.random.normal(first, (7,))
            warmup = blackjax.window_adaptation(blackjax.nuts, density, is_mass_matrix_diagonal=False)
            (state, parameters), _ = warmup.run(second, start, num_steps=1000)
            kernel = blackjax.nuts(density, **parameters).step

            def step(state: Any, key: Any) -> Any:
                state, info = kernel(key, state)
                return state, (state.position, info.num_integration_steps)

            return jax.lax.scan(step, state, jax.random.split(third, DRAWS))[1]

        return jax.vmap(chain)(jax.random.split(key, CHAINS))

    def fit(self, runs: pd.DataFrame, seed: int) -> tuple[Draws, float]:
        places, steps = self.program(self.jax.random.key(seed), *_arrays(runs))
        names = ("E", "a", "alpha", "b", "beta", "scale", "tails")
        draws = {name: np.exp(np.asarray(places[..., i])) for i, name in enumerate(names)}
        return draws, float(steps.sum())


class Bootstrap:
    """scipy: a Huber loss on log residuals (delta 1e-3), 1000 resamples by BFGS from the best of a grid of starts, as
    Besiroglu et al. 2024 do with 4000. Not a posterior; its resamples count as independent draws."""

    def __init__(self) -> None:
        import scipy.optimize
        import scipy.special

        self.optimize, self.special = scipy.optimize, scipy.special

    def fit(self, runs: pd.DataFrame, seed: int) -> tuple[Draws, float]:
        rng = np.random.default_rng(seed)
        N, D, log_loss = _arrays(runs)
        x, y = np.log(N), np.log(D)
        count = [0]

        def objective(theta: np.ndarray, weight: np.ndarray) -> float:
            e, a, alpha, b, beta = theta
            count[0] += 1
            fitted = np.logaddexp(np.logaddexp(a - alpha * x, b - beta * y), e)
            return float((weight * self.special.huber(1e-3, log_loss - fitted)).sum())

        ones = np.ones(len(runs))
        starts = np.array(np.meshgrid([0.0, 1.0], [0.0, 10.0], [0.3, 0.7], [0.0, 10.0], [0.3, 0.7])).reshape(5, -1).T
        best = min((self.optimize.minimize(objective, s, (ones,), "BFGS") for s in starts), key=lambda one: one.fun)
        weights = rng.multinomial(len(runs), ones / len(runs), 1000)
        found = np.array([self.optimize.minimize(objective, best.x, (one,), "BFGS").x for one in weights.astype(float)])
        names = ("E", "A", "alpha", "B", "beta")
        return {name: found[:, i].reshape(4, -1) for i, name in enumerate(names)}, float(count[0])


CONTENDERS = {
    "bayeslaw, NUTS": Bayeslaw,
    "bayeslaw, importance": Importance,
    "NumPyro": NumPyro,
    "PyMC": PyMC,
    "PyMC + nutpie": Nutpie,
    "BlackJAX": BlackJAX,
    "scipy + bootstrap": Bootstrap,
}
