"""Other ways to the same posterior, each as its manual writes it: what `speed.py` runs.

A contender is made once a process for one of `PROBLEMS` (`__init__` imports the library). Its `fit(table, seed)`
returns (draws by parameter, each (chains, draws, ...), and gradients computed after the warm-up, NaN where the library
does not say). What it compiles it may keep from one fit to the next if the library has a way for that. Chains: 4; draws
and warm-up: the library's defaults, at least 1000 draws. Formulas are centred at a reference run as ours are, which
helps all.
"""

from typing import Any

import numpy as np
import pandas as pd
from problems import GAMMA, LOGNORMAL, NOISE, PROBLEMS, Problem

CHAINS, DRAWS = 4, 1000
Draws = dict[str, np.ndarray]


class Contender:
    def __init__(self, problem: str) -> None:
        self.problem: Problem = PROBLEMS[problem]
        self.priors = {**self.problem.priors, **NOISE}

    def fit(self, table: pd.DataFrame, seed: int) -> tuple[Draws, float]:
        raise NotImplementedError


class Bayeslaw(Contender):
    method = "nuts"

    def __init__(self, problem: str) -> None:
        import bayeslaw as bl

        super().__init__(problem)
        self.bl, self.law = bl, None

    def fit(self, table: pd.DataFrame, seed: int, workers: int | None = None) -> tuple[Draws, float]:
        if self.law is None:
            self.law = self.problem.law(table)
        # The noise that the other libraries are given.
        found = self.bl.fit(
            self.law,
            table,
            noise=self.bl.StudentT,
            seed=seed,
            method=self.method,
            chains=CHAINS,
            progress=False,
            workers=workers,
        )
        self.last = found
        stats = found.tree["sample_stats"]
        return found.draws, float(stats["n_steps"].sum()) if "n_steps" in stats else np.nan

    def fit_many(self, tables: list[pd.DataFrame]) -> None:
        self.bl.fit_many(self.law, tables, noise=self.bl.StudentT, method=self.method, progress=False)


class Importance(Bayeslaw):
    method = "importance"

    def fit(self, table: pd.DataFrame, seed: int, workers: int | None = None) -> tuple[Draws, float]:
        draws, gradients = super().fit(table, seed, workers)
        self.worth = self.last.tree.attrs.get("ess")  # none where the fit fell back to NUTS
        return draws, gradients


class NumPyro(Contender):
    """`MCMC(NUTS(model))` with a new object for each fit, from the prior's median: elsewhere penalties overflow."""

    def __init__(self, problem: str) -> None:
        import jax
        import numpyro

        super().__init__(problem)
        jax.config.update("jax_enable_x64", True)
        self.jax, self.numpyro = jax, numpyro

    def model(self, columns: Any, log_response: Any) -> None:
        import jax.numpy as jnp
        import numpyro.distributions as dist

        made = {}
        for name, (kind, one, other, *shape) in self.priors.items():
            prior = {LOGNORMAL: dist.LogNormal, GAMMA: dist.Gamma}.get(kind, dist.Normal)(one, other)
            made[name] = self.numpyro.sample(name, prior.expand(shape).to_event(1) if shape else prior)
        mean = self.problem.mean(jnp, made, columns)
        self.numpyro.sample("y", dist.StudentT(1 + made["tails"], jnp.log(mean), made["scale"]), obs=log_response)

    def fit(self, table: pd.DataFrame, seed: int) -> tuple[Draws, float]:
        from numpyro.infer import MCMC, NUTS, init_to_median

        mcmc = MCMC(
            NUTS(self.model, init_strategy=init_to_median), num_warmup=1000, num_samples=DRAWS, num_chains=CHAINS,
            chain_method="sequential", progress_bar=False,
        )  # fmt: skip
        mcmc.run(self.jax.random.key(seed), *self.problem.arrays(table), extra_fields=("num_steps",))
        draws = {name: np.asarray(array) for name, array in mcmc.get_samples(group_by_chain=True).items()}
        return draws, float(mcmc.get_extra_fields()["num_steps"].sum())


class PyMC(Contender):
    def __init__(self, problem: str) -> None:
        import pymc

        super().__init__(problem)
        self.pm, self.model = pymc, None

    def build(self, table: pd.DataFrame) -> Any:
        import pytensor.tensor as pt

        pm = self.pm
        columns, log_response = self.problem.arrays(table)
        with pm.Model() as model:
            made = {}
            for name, (kind, one, other, *shape) in self.priors.items():
                prior = {LOGNORMAL: pm.LogNormal, GAMMA: pm.Gamma}.get(kind, pm.Normal)
                made[name] = prior(name, one, other, shape=tuple(shape))
            mean = self.problem.mean(pt, made, {n: pm.Data(f"{n}_data", one) for n, one in columns.items()})
            response = pm.Data("log_response", log_response)
            pm.StudentT("y", nu=1 + made["tails"], mu=pt.log(mean), sigma=made["scale"], observed=response)
        return model

    def data(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        columns, log_response = self.problem.arrays(table)
        return {f"{name}_data": array for name, array in columns.items()} | {"log_response": log_response}

    def fit(self, table: pd.DataFrame, seed: int) -> tuple[Draws, float]:
        if self.model is None:
            self.model = self.build(table)
        with self.model:
            self.pm.set_data(self.data(table))
            trace = self.pm.sample(DRAWS, chains=CHAINS, cores=2, random_seed=seed, progressbar=False)
        return _of_trace(trace)


def _of_trace(trace: Any) -> tuple[Draws, float]:
    posterior = trace["posterior"] if "posterior" in getattr(trace, "children", {}) else trace.posterior
    draws = {str(name): array.to_numpy() for name, array in posterior.data_vars.items()}
    return draws, float(trace["sample_stats"]["n_steps"].sum())


class Nutpie(PyMC):
    """PyMC's model, compiled once; `with_data` for further fits."""

    def __init__(self, problem: str) -> None:
        import nutpie

        super().__init__(problem)
        self.nutpie, self.compiled = nutpie, None

    def fit(self, table: pd.DataFrame, seed: int) -> tuple[Draws, float]:
        if self.compiled is None:
            self.compiled = self.nutpie.compile_pymc_model(self.build(table))
        compiled = self.compiled.with_data(**self.data(table))
        return _of_trace(
            self.nutpie.sample(compiled, draws=DRAWS, chains=CHAINS, cores=2, seed=seed, progress_bar=False)
        )


class BlackJAX(Contender):
    """One jitted function of key and data: window adaptation, then NUTS, chains by vmap."""

    def __init__(self, problem: str) -> None:
        import blackjax
        import jax

        super().__init__(problem)
        jax.config.update("jax_enable_x64", True)
        self.blackjax, self.jax = blackjax, jax
        self.program = jax.jit(self.run)

    def parameters(self, z: Any) -> dict[str, Any]:
        kinds = {name: prior[0] for name, prior in self.priors.items()}
        return {n: self.jax.numpy.exp(one) if kinds[n] in (LOGNORMAL, GAMMA) else one for n, one in z.items()}

    def log_density(self, z: Any, columns: Any, log_response: Any) -> Any:
        import jax.numpy as jnp
        from jax.scipy import stats

        made = self.parameters(z)
        mean = self.problem.mean(jnp, made, columns)
        found = stats.t.logpdf(log_response, 1 + made["tails"], jnp.log(mean), made["scale"]).sum()
        for name, (kind, one, other, *_) in self.priors.items():
            if kind == GAMMA:
                found += stats.gamma.logpdf(made[name], one, scale=1 / other) + z[name]
            else:
                found += stats.norm.logpdf(z[name], one, other).sum()
        return found

    def run(self, key: Any, columns: Any, log_response: Any) -> Any:
        jax, blackjax = self.jax, self.blackjax

        def density(z: Any) -> Any:
            return self.log_density(z, columns, log_response)

        middle = {
            name: np.full(shape, np.log(one / other) if kind == GAMMA else one, dtype=float)
            for name, (kind, one, other, *shape) in self.priors.items()
        }

        def chain(key: Any) -> Any:
            first, second, third = jax.random.split(key, 3)
            keys = dict(zip(middle, jax.random.split(first, len(middle)), strict=True))
            start = {name: one + 0.2 * jax.random.normal(keys[name], one.shape) for name, one in middle.items()}
            warmup = blackjax.window_adaptation(blackjax.nuts, density, is_mass_matrix_diagonal=False)
            (state, parameters), _ = warmup.run(second, start, num_steps=1000)
            kernel = blackjax.nuts(density, **parameters).step

            def step(state: Any, key: Any) -> Any:
                state, info = kernel(key, state)
                return state, (state.position, info.num_integration_steps)

            return jax.lax.scan(step, state, jax.random.split(third, DRAWS))[1]

        return jax.vmap(chain)(jax.random.split(key, CHAINS))

    def fit(self, table: pd.DataFrame, seed: int) -> tuple[Draws, float]:
        places, steps = self.program(self.jax.random.key(seed), *self.problem.arrays(table))
        return {name: np.asarray(one) for name, one in self.parameters(places).items()}, float(steps.sum())


class Bootstrap(Contender):
    """scipy: a Huber loss on log residuals (delta 1e-3), 1000 resamples by BFGS from the best of 16 prior draws, as
    Besiroglu et al. 2024 do with 4000. Not a posterior; its resamples count as independent draws. It has no answer for
    deviations between groups."""

    def __init__(self, problem: str) -> None:
        import scipy.optimize
        import scipy.special

        super().__init__(problem)
        self.optimize, self.special = scipy.optimize, scipy.special
        self.priors = dict(self.problem.priors)
        if any(len(prior) > 3 for prior in self.priors.values()):
            raise NotImplementedError

    def parameters(self, z: np.ndarray) -> dict[str, Any]:
        return {
            name: np.exp(one) if prior[0] == LOGNORMAL else one
            for one, (name, prior) in zip(z, self.priors.items(), strict=True)
        }

    def fit(self, table: pd.DataFrame, seed: int) -> tuple[Draws, float]:
        rng = np.random.default_rng(seed)
        columns, log_response = self.problem.arrays(table)
        count = [0]

        def objective(z: np.ndarray, weight: np.ndarray) -> float:
            count[0] += 1
            with np.errstate(all="ignore"):
                fitted = np.log(self.problem.mean(np, self.parameters(z), columns))
                found = float((weight * self.special.huber(1e-3, log_response - fitted)).sum())
            return found if np.isfinite(found) else 1e10

        ones = np.ones(len(table))
        starts = [[rng.normal(one, other) for _, one, other in self.priors.values()] for _ in range(16)]
        best = min((self.optimize.minimize(objective, s, (ones,), "BFGS") for s in starts), key=lambda one: one.fun)
        weights = rng.multinomial(len(table), ones / len(table), 1000).astype(float)
        found = np.array([self.optimize.minimize(objective, best.x, (one,), "BFGS").x for one in weights])
        draws = self.parameters(found.T)
        return {name: one.reshape(CHAINS, -1) for name, one in draws.items()}, float(count[0])


CONTENDERS = {
    "bayeslaw, NUTS": Bayeslaw,
    "bayeslaw, importance": Importance,
    "NumPyro": NumPyro,
    "PyMC": PyMC,
    "PyMC + nutpie": Nutpie,
    "BlackJAX": BlackJAX,
    "scipy + bootstrap": Bootstrap,
}
