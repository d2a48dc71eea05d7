"""`bayeslaw fit`."""

from pathlib import Path
from typing import Annotated

import typer

from bayeslaw.cli._options import Columns, Draws, HowNoise, Json, Penalise, Prob, Runs, Seed, check_prob, check_target
from bayeslaw.cli._sources import Request, fitted, leave
from bayeslaw.cli._terminal import headline, print_json, print_table


def fit(
    law: Annotated[str, typer.Argument(help="A law, such as chinchilla; `bayeslaw laws` lists them.")],
    runs: Runs = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Save the fit here, for `allocate`.")] = None,
    columns: Columns = None,
    penalise: Penalise = None,
    noise: HowNoise = None,
    prob: Prob = 0.9,
    draws: Draws = 1000,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Fit a law to training runs: the posterior of its parameters.

    Examples:

        bayeslaw fit chinchilla -o fit.nc

        bayeslaw fit chinchilla runs.csv --columns N=params,D=tokens -o fit.nc

        bayeslaw fit chinchilla sweep.csv --penalise lr,batch_tokens -o fit.nc
    """
    check_prob(prob)
    check_target(output, (".nc",))
    posterior = fitted(Request(law, runs, columns, penalise, noise, draws, seed))
    if output is not None:
        posterior.save(output)
    summary = posterior.summary(prob)
    if as_json:
        print_json(posterior, prob, {"parameters": summary.to_dict(orient="index")}, posterior.status)
    else:
        headers = ["parameter", "median", f"{prob:.0%} interval", "mean", "sd", "R-hat", "ESS"]
        rows = [
            (
                str(name),
                f"{row['median']:.4g}",
                f"{row['lower']:.4g} to {row['upper']:.4g}",
                f"{row['mean']:.4g}",
                f"{row['sd']:.2g}",
                f"{row['r_hat']:.3f}",
                f"{row['ess_bulk']:.0f}",
            )
            for name, row in summary.iterrows()
        ]
        print_table(headline(posterior), headers, rows, posterior.status)
        if output is not None:
            print(f"saved to {output}; next: bayeslaw allocate {output} --flops 1e24")
    leave(posterior)
