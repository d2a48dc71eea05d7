"""Bayesian scaling laws: from training runs to a credible interval on the best plan.

    import bayeslaw as bl
    from bayeslaw.models import Chinchilla

    posterior = bl.fit(Chinchilla, bl.load_chinchilla())
    bl.allocate(posterior, flops=5.76e23)

Names are loaded when first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "AbstractLaw": "_law",
    "AbstractNoise": "_noise",
    "AdditiveT": "_noise",
    "Agreement": "_agreement",
    "Allocation": "_allocate",
    "Alternatives": "_alternatives",
    "Arms": "_arms",
    "Asymmetric": "_penalty",
    "AtLeast": "_risk",
    "AtMost": "_risk",
    "Backtest": "_backtest",
    "BetaBinomial": "_counts",
    "Binomial": "_counts",
    "Calibration": "_sbc",
    "Check": "_check",
    "Choice": "_choose",
    "Choices": "_decision",
    "Comparison": "_compare",
    "CVaR": "_risk",
    "Decision": "_decision",
    "Discrepant": "_discrepancy",
    "Expectation": "_risk",
    "Feasible": "_risk",
    "Forecaster": "_forecaster",
    "Front": "_pareto",
    "InputError": "_errors",
    "Integers": "_decision",
    "LogLinear": "_penalty",
    "LogNormal": "_noise",
    "LogRange": "_decision",
    "MeanLogNormal": "_noise",
    "MeanVariance": "_risk",
    "Misfit": "_misfit",
    "Miss": "_risk",
    "Multiples": "_grids",
    "NextRuns": "_next_runs",
    "Normal": "_noise",
    "OneSided": "_noise",
    "Penalised": "_penalised",
    "Penalty": "_penalty",
    "Pooled": "_pooled",
    "Posterior": "_posterior",
    "Powers": "_grids",
    "Prediction": "_predict",
    "Profiles": "_isoflop",
    "PseudoHuber": "_penalty",
    "Quadratic": "_penalty",
    "Quantile": "_risk",
    "Range": "_decision",
    "Scalar": "_tree",
    "Snapped": "_snap",
    "Stack": "_stack",
    "Status": "_errors",
    "StudentT": "_noise",
    "UntunedT": "_noise",
    "WorstCase": "_risk",
    "allocate": "_allocate",
    "alternatives": "_alternatives",
    "backtest": "_backtest",
    "cheapest": "_target",
    "check": "_check",
    "choose": "_choose",
    "compare": "_compare",
    "compare_arms": "_arms",
    "fetch_chinchilla_epoch": "datasets",
    "fetch_double_descent": "datasets",
    "fetch_farseer": "datasets",
    "fetch_gemstones": "datasets",
    "fetch_learning_curves": "datasets",
    "fetch_misfitting": "datasets",
    "fetch_monkeys": "datasets",
    "fetch_porian": "datasets",
    "fetch_steplaw_dense": "datasets",
    "fetch_steplaw_moe": "datasets",
    "fetch_vocabulary": "datasets",
    "fit": "_fit",
    "fit_many": "_many",
    "huber": "_huber",
    "isoflop": "_isoflop",
    "laws": "_registry",
    "load": "_saved",
    "load_chinchilla": "datasets",
    "load_data_constrained": "datasets",
    "load_inference_aware": "datasets",
    "load_observational": "datasets",
    "load_overtraining": "datasets",
    "load_reward_aware": "datasets",
    "load_routed_lms": "datasets",
    "load_steplaw_heldout": "datasets",
    "fetch_visual_tokens_ocr": "datasets",
    "load_visual_tokens": "datasets",
    "load_salt": "datasets",
    "load_retrieval": "datasets",
    "load_primer": "datasets",
    "load_agent_tts": "datasets",
    "load_serving": "datasets",
    "make_chinchilla": "datasets",
    "misfit": "_misfit",
    "model": "_joint",
    "next_runs": "_next_runs",
    "pareto": "_pareto",
    "predict": "_predict",
    "report": "_report",
    "sbc": "_sbc",
    "simulate": "_predict",
    "snap": "_snap",
    "stack": "_stack",
}

__all__ = [*_WHERE, "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]

if TYPE_CHECKING:
    from bayeslaw import _costs as costs  # noqa: F401
    from bayeslaw import _shapes as shapes  # noqa: F401
    from bayeslaw import datasets as datasets
    from bayeslaw import models as models
    from bayeslaw import plots as plots
    from bayeslaw._agreement import Agreement as Agreement
    from bayeslaw._allocate import Allocation as Allocation
    from bayeslaw._allocate import allocate as allocate
    from bayeslaw._alternatives import Alternatives as Alternatives
    from bayeslaw._alternatives import alternatives as alternatives
    from bayeslaw._arms import Arms as Arms
    from bayeslaw._arms import compare_arms as compare_arms
    from bayeslaw._backtest import Backtest as Backtest
    from bayeslaw._backtest import backtest as backtest
    from bayeslaw._check import Check as Check
    from bayeslaw._check import check as check
    from bayeslaw._choose import Choice as Choice
    from bayeslaw._choose import choose as choose
    from bayeslaw._compare import Comparison as Comparison
    from bayeslaw._compare import compare as compare
    from bayeslaw._counts import BetaBinomial as BetaBinomial
    from bayeslaw._counts import Binomial as Binomial
    from bayeslaw._decision import Choices as Choices
    from bayeslaw._decision import Decision as Decision
    from bayeslaw._decision import Integers as Integers
    from bayeslaw._decision import LogRange as LogRange
    from bayeslaw._decision import Range as Range
    from bayeslaw._discrepancy import Discrepant as Discrepant
    from bayeslaw._errors import InputError as InputError
    from bayeslaw._errors import Status as Status
    from bayeslaw._fit import fit as fit
    from bayeslaw._forecaster import Forecaster as Forecaster
    from bayeslaw._grids import Multiples as Multiples
    from bayeslaw._grids import Powers as Powers
    from bayeslaw._huber import huber as huber
    from bayeslaw._isoflop import Profiles as Profiles
    from bayeslaw._isoflop import isoflop as isoflop
    from bayeslaw._joint import model as model
    from bayeslaw._law import AbstractLaw as AbstractLaw
    from bayeslaw._many import fit_many as fit_many
    from bayeslaw._misfit import Misfit as Misfit
    from bayeslaw._misfit import misfit as misfit
    from bayeslaw._next_runs import NextRuns as NextRuns
    from bayeslaw._next_runs import next_runs as next_runs
    from bayeslaw._noise import AbstractNoise as AbstractNoise
    from bayeslaw._noise import AdditiveT as AdditiveT
    from bayeslaw._noise import LogNormal as LogNormal
    from bayeslaw._noise import MeanLogNormal as MeanLogNormal
    from bayeslaw._noise import Normal as Normal
    from bayeslaw._noise import OneSided as OneSided
    from bayeslaw._noise import StudentT as StudentT
    from bayeslaw._noise import UntunedT as UntunedT
    from bayeslaw._pareto import Front as Front
    from bayeslaw._pareto import pareto as pareto
    from bayeslaw._penalised import Penalised as Penalised
    from bayeslaw._penalty import Asymmetric as Asymmetric
    from bayeslaw._penalty import LogLinear as LogLinear
    from bayeslaw._penalty import Penalty as Penalty
    from bayeslaw._penalty import PseudoHuber as PseudoHuber
    from bayeslaw._penalty import Quadratic as Quadratic
    from bayeslaw._pooled import Pooled as Pooled
    from bayeslaw._posterior import Posterior as Posterior
    from bayeslaw._predict import Prediction as Prediction
    from bayeslaw._predict import predict as predict
    from bayeslaw._predict import simulate as simulate
    from bayeslaw._registry import laws as laws
    from bayeslaw._report import report as report
    from bayeslaw._risk import AtLeast as AtLeast
    from bayeslaw._risk import AtMost as AtMost
    from bayeslaw._risk import CVaR as CVaR
    from bayeslaw._risk import Expectation as Expectation
    from bayeslaw._risk import Feasible as Feasible
    from bayeslaw._risk import MeanVariance as MeanVariance
    from bayeslaw._risk import Miss as Miss
    from bayeslaw._risk import Quantile as Quantile
    from bayeslaw._risk import WorstCase as WorstCase
    from bayeslaw._saved import load as load
    from bayeslaw._sbc import Calibration as Calibration
    from bayeslaw._sbc import sbc as sbc
    from bayeslaw._snap import Snapped as Snapped
    from bayeslaw._snap import snap as snap
    from bayeslaw._stack import Stack as Stack
    from bayeslaw._stack import stack as stack
    from bayeslaw._target import cheapest as cheapest
    from bayeslaw._tree import Scalar as Scalar
    from bayeslaw.datasets import fetch_chinchilla_epoch as fetch_chinchilla_epoch
    from bayeslaw.datasets import fetch_double_descent as fetch_double_descent
    from bayeslaw.datasets import fetch_farseer as fetch_farseer
    from bayeslaw.datasets import fetch_gemstones as fetch_gemstones
    from bayeslaw.datasets import fetch_learning_curves as fetch_learning_curves
    from bayeslaw.datasets import fetch_misfitting as fetch_misfitting
    from bayeslaw.datasets import fetch_monkeys as fetch_monkeys
    from bayeslaw.datasets import fetch_porian as fetch_porian
    from bayeslaw.datasets import fetch_steplaw_dense as fetch_steplaw_dense
    from bayeslaw.datasets import fetch_steplaw_moe as fetch_steplaw_moe
    from bayeslaw.datasets import fetch_visual_tokens_ocr as fetch_visual_tokens_ocr
    from bayeslaw.datasets import fetch_vocabulary as fetch_vocabulary
    from bayeslaw.datasets import load_agent_tts as load_agent_tts
    from bayeslaw.datasets import load_chinchilla as load_chinchilla
    from bayeslaw.datasets import load_data_constrained as load_data_constrained
    from bayeslaw.datasets import load_inference_aware as load_inference_aware
    from bayeslaw.datasets import load_observational as load_observational
    from bayeslaw.datasets import load_overtraining as load_overtraining
    from bayeslaw.datasets import load_primer as load_primer
    from bayeslaw.datasets import load_retrieval as load_retrieval
    from bayeslaw.datasets import load_reward_aware as load_reward_aware
    from bayeslaw.datasets import load_routed_lms as load_routed_lms
    from bayeslaw.datasets import load_salt as load_salt
    from bayeslaw.datasets import load_serving as load_serving
    from bayeslaw.datasets import load_steplaw_heldout as load_steplaw_heldout
    from bayeslaw.datasets import load_visual_tokens as load_visual_tokens
    from bayeslaw.datasets import make_chinchilla as make_chinchilla


_PARTS = {"costs": "_costs", "datasets": "datasets", "models": "models", "plots": "plots", "shapes": "_shapes"}


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return import_module(f"bayeslaw.{_PARTS[name]}")
    if name not in _WHERE:
        raise AttributeError(f"module 'bayeslaw' has no attribute {name!r}")
    value = getattr(import_module(f"bayeslaw.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *_PARTS])
