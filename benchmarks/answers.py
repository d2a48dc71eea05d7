"""The table of answers in the README: the decisions of the papers, with their intervals.

    python benchmarks/answers.py                 # prints the table, in some minutes
    python benchmarks/answers.py --write         # and puts it into the README
    python benchmarks/answers.py qat joint_moe   # prints some of its rows

Where a paper's runs are public or printed they are what is fitted; elsewhere runs are made up from its published law at
its design ("simulated"), or from an invented one where no coefficients are published ("invented"): these rows show what
such an experiment would tell, not what is so. Fixed seeds; a test in the suite makes every row anew.
"""

import argparse
import functools
import itertools
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayeslaw as bl
from bayeslaw import models as m
from bayeslaw._columns import format_number
from bayeslaw.models import vocabulary_plans
from bayeslaw.models.fine_grained_moe import TOTAL
from bayeslaw.models.our_reasoning_sparsity import ACTIVE, family_params
from bayeslaw.models.qat_optimum import ShareNoise
from bayeslaw.models.quantized_resnet import C0, FORMATS
from bayeslaw.models.vocabulary_size import optimal_flops

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- answers: made by benchmarks/answers.py -->\n", "<!-- end of answers -->"
HEAD = "| decision | given | median [90 % interval] | the paper says | law, runs |\n| --- | --- | --- | --- | --- |\n"


@dataclass(frozen=True)
class Answer:
    """One row: what is decided, given what, the draws of the answer (or its text), the paper's point, law and runs."""

    decision: str
    given: str
    answer: Any
    paper: str
    source: str

    def row(self) -> str:
        return f"| {' | '.join((self.decision, self.given, self.text(), self.paper, self.source))} |"

    def text(self) -> str:
        if isinstance(self.answer, str):
            return self.answer
        low, middle, high = (short(float(v)) for v in np.nanquantile(self.answer, [0.05, 0.5, 0.95]))
        return f"{middle} [{low}, {high}]"


def short(value: float) -> str:
    return format_number(value, "tokens") if value >= 1e4 else f"{value:.3g}"


def grid(**columns: Iterable[Any]) -> pd.DataFrame:
    """Every combination."""
    return pd.DataFrame(list(itertools.product(*columns.values())), columns=list(columns))


def fit(law: Any, runs: Any, *, target_accept: float = 0.9, **options: Any) -> bl.Posterior:
    """With shorter steps and more draws until nothing serious is left to say."""
    for target in sorted({target_accept, 0.95, 0.99, 0.999}):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="this posterior is not a result yet")
            found = bl.fit(law, runs, seed=1, target_accept=target, progress=False, **options)
        if found.ok:
            return found
        options["draws"] = min(2 * options.get("draws", 1000), 4000)
    raise AssertionError(found.status)


def optimum(posterior: bl.Posterior, name: str, decision: str | bl.Decision | None = None, **given: Any) -> Any:
    """The draws of one reported quantity, (chain, draw) or with a scenario for each budget."""
    if isinstance(decision, str):
        decision = posterior.prior.decisions()[decision]
    return bl.allocate(posterior, decision, **given).draws[name].squeeze("scenario", drop=True)


def shares(values: Any, names: Iterable[Any]) -> str:
    """The shares of draws of what is on a menu, the likeliest first."""
    found = {name: float((values == at).mean()) for at, name in enumerate(names)}
    ranked = sorted(found.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {share:.0%}" for name, share in ranked if share >= 0.01)


def simulated(law: Any, table: pd.DataFrame, scatter: float, seed: int = 1) -> pd.DataFrame:
    return bl.simulate(law, table, noise=bl.LogNormal(scale=scatter), seed=seed)


# --- Precision --------------------------------------------------------------------------------------------------------


def qat() -> list[Answer]:
    truth = m.QAT(
        E=2.0, b=0.20, gamma=0.30, z=0.55, eta=0.33, theta=0.20, kappa=1.2, phi=0.060, chi=1.2, psi=0.05, omega=0.4,
        lam=0.10, mu=1.2, nu=0.05, xi=0.7, rho=0.1,
    )  # fmt: skip
    sizes, tokens = (86e6, 194e6, 396e6, 759e6), (2.3e9, 1e10, 5e10, 2.5e11, 1.4e12)
    table = grid(
        params=sizes, tokens=tokens, bits=(1.0, 2.0, 4.0, 6.0), qat_fraction=(0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
    )
    full = grid(params=sizes, tokens=tokens, bits=[16.0], qat_fraction=[0.0])
    posterior = fit(m.QAT, simulated(truth, pd.concat([table, full], ignore_index=True), 0.003))
    source = "`QAT`, 580 runs, invented"
    published = float(m.QATOptimum.published()["dremov2025"](tokens_per_byte=1e11 / (396e6 * 4 / 8)))
    bits = optimum(posterior, "bits", "bit_width", memory_bytes=2.5e8, tokens=1e11)
    widths = shares(bits, [f"{one} bits" for one in range(7)])
    decision = posterior.prior.decisions()["match_tokens"]
    matched = optimum(posterior, "tokens", decision, params=396e6, bits=4.0, tolerance=0.05)
    return [
        Answer(
            "share of QAT", "396M parameters, 100B tokens, 4 bits",
            optimum(posterior, "qat_fraction", params=396e6, tokens=1e11, bits=4.0), f"{published:.2f}", source,
        ),
        Answer("bits per weight", "250 MB of weights, 100B tokens", widths, "4 to 6", source),
        Answer("fewest tokens with which 4 bits cost at most 0.05 nats", "396M parameters", matched, "-", source),
    ]  # fmt: skip


def qat_optimum() -> list[Answer]:
    law = m.QATOptimum.published()["dremov2025"]
    table = grid(
        params=(86e6, 194e6, 396e6, 759e6), tokens=(2.3e9, 1e10, 5e10, 2.5e11, 1.4e12), bits=(1.0, 2.0, 4.0, 6.0)
    )
    table = table.assign(tokens_per_byte=8 * table.tokens / (table.params * table.bits))
    posterior = fit(m.QATOptimum, bl.simulate(law, table, noise=ShareNoise(scale=0.114), seed=1))
    found = bl.predict(posterior, {"tokens_per_byte": 1000}, misfit=False).draws
    source, given = "`QATOptimum`, 80 optima, simulated", "1000 tokens per byte of weights"
    mean = f"{float(law(tokens_per_byte=1000)):.3f}"
    return [
        Answer("share of QAT, on average", given, found["qat_fraction"], mean, source),
        Answer("share of QAT, of one model", given, found["qat_fraction_new_run"], "within 0.09 on average", source),
    ]  # fmt: skip


def precision() -> list[Answer]:
    widths = {"weights": (4, 5, 6, 8, 12), "activations": (4, 5, 6, 8, 12), "kv": (4, 6, 8)}
    plans = [{part: bits} for part, menu in widths.items() for bits in menu]
    plans += [dict.fromkeys(widths, bits) for bits in (4, 5, 6, 8, 12, 16)]
    size = grid(nonembedding_params=(30e6, 60e6, 110e6, 220e6), tokens=(1.5e9, 3e9, 6e9, 13e9, 26e9))
    rows = [size.assign(**{f"bits_{part}": float(plan.get(part, 16)) for part in widths}) for plan in plans]
    truth = m.Precision.published()["kumar2024"]
    posterior = fit(m.Precision, simulated(truth, pd.concat(rows, ignore_index=True), 0.005))
    return [
        Answer(
            "bits of weights, activations and cache", "1e21 FLOPs", optimum(posterior, "bits", flops=1e21), "7 to 8",
            "`Precision`, 380 runs, simulated",
        )
    ]  # fmt: skip


def post_training() -> list[Answer]:
    law = m.PostTraining.published()["kumar2024"]
    table = grid(
        nonembedding_params=(30e6, 60e6, 110e6, 220e6), tokens=(1.5e9, 3e9, 6e9, 13e9, 26e9), bits_post=(3.0, 4, 5, 6)
    )
    posterior = fit(m.PostTraining, simulated(law, table, 0.005))
    tokens = optimum(posterior, "tokens", nonembedding_params=30e6, bits_post=3)
    return [
        Answer(
            "tokens after which more of them harm the quantised model", "30M parameters, 3 bits", tokens,
            "they exist: more can harm", "`PostTraining`, 80 runs, simulated",
        )
    ]  # fmt: skip


def quantized_resnet() -> list[Answer]:
    truth = m.QuantizedResNet(
        top={"bf16": 0.810, "w8a8": 0.002, "w4a4": 0.008},
        k={"bf16": 0.04350, "w8a8": 0.02074, "w4a4": 0.01136},
        p=dict.fromkeys(FORMATS, 0.35),
    )
    table = grid(format=FORMATS, bit_operations=C0 * np.array([0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 4]))
    posterior = fit(m.QuantizedResNet, bl.simulate(truth, table, noise=bl.Normal(scale=0.002), seed=3))
    source = "`QuantizedResNet` (our model), 24 networks, invented"
    return [
        Answer(
            "number format", f"{share:g} of the bit operations of a ResNet-50 in bf16",
            shares(optimum(posterior, "format", bit_operations=share * C0), FORMATS), paper, source,
        )
        for share, paper in ((0.25, "4 bits"), (4.0, "-"))
    ]  # fmt: skip


# --- Vocabulary -------------------------------------------------------------------------------------------------------


def vocabulary_size() -> list[Answer]:
    best = vocabulary_plans.frontier(bl.fetch_vocabulary(), np.geomspace(2e17, 1e20, 15))
    posterior = fit(m.VocabularySize, best[["nonembedding_params", "vocab_params"]])
    points = {7e9: "62K", 70e9: "212K"}
    return [
        Answer(
            "vocabulary size", f"{size / 1e9:g}B parameters",
            optimum(posterior, "vocab_size", nonembedding_params=size), paper,
            "`VocabularySize` (approach 1), the best of 60 public runs at 15 budgets",
        )
        for size, paper in points.items()
    ]  # fmt: skip


def vocabulary() -> list[Answer]:
    """Minutes: the offsets of sixty runs."""
    table = bl.fetch_vocabulary()
    runs = table[~table.early].reset_index(drop=True)
    posterior = fit(vocabulary_plans.by_run(m.Vocabulary, runs), runs)
    points = {3e9: "37K", 7e9: "60K", 13e9: "81K", 70e9: "218K", 300e9: "384K"}
    given = {"nonembedding_params": list(points), "flops": [optimal_flops(n) for n in points]}
    found = bl.allocate(posterior, posterior.prior.decisions()["vocabulary"], **given).draws["vocab_size"]
    return [
        Answer(
            "vocabulary size", f"{size / 1e9:g}B parameters, their compute-optimal budget", found[..., i], paper,
            "`Vocabulary` (approach 3), 60 public runs with their checkpoints",
        )
        for i, (size, paper) in enumerate(points.items())
    ]  # fmt: skip


# --- Mixtures of experts ----------------------------------------------------------------------------------------------


def efficiency_leverage() -> list[Answer]:
    sparse = [(3 / (experts + 1), 2) for experts in (2, 4, 8, 16, 32, 64, 128, 256)]
    shapes = [*sparse, *((3 / 65, g) for g in (2, 4, 6, 8, 12, 16))]
    rows = [(c, a, g) for c in (3e18, 2e19, 6e19, 3e20) for a, g in shapes]
    table = pd.DataFrame(rows, columns=["flops", "activation_ratio", "granularity"])
    posterior = fit(m.EfficiencyLeverage, simulated(m.EfficiencyLeverage.published()["tian2025"], table, 0.05))
    there = bl.predict(posterior, {"flops": 1e22, "activation_ratio": 0.031, "granularity": 12}, misfit=False)
    best = bl.allocate(posterior, flops=1e22, least_saving=0.25).draws
    there_given = "1e22 FLOPs, 3.1 % active, granularity 12"
    source, given = "`EfficiencyLeverage`, 56 mixtures, simulated", "1e22 FLOPs, twice the parameters to save 25 %"
    return [
        Answer("activation ratio", given, best["activation_ratio"], "-", source),
        Answer("granularity", given, best["granularity"], "about 12", source),
        Answer("dense compute for the same loss, as a factor", there_given, there.draws["leverage"], "> 7", source),
    ]  # fmt: skip


def joint_moe() -> list[Answer]:
    design = [
        (321e6, 32, (16, 8, 4, 2, 1, 0.5)), (1.1e9, 4, (80, 64, 48, 32, 16, 8, 4, 2, 1, 0.5)),
        (2.7e9, 1, (9.2, 5.5, 2.8, 2, 1.4, 0.98)), (169e6, 32, (8, 4, 2, 1, 0.5)),
        (709e6, 4, (35.3, 12.2, 10.6, 7.7, 5.3, 3.8)), (1.1e9, 1, (80, 64, 48, 32, 16, 8, 4, 2, 1, 0.5)),
        (709e6, 2, (49.8, 24.9, 12.5, 6.2, 3.1, 1.6, 0.78)), (426e6, 4, (31, 25.9, 20.7, 10.4, 5.2, 2.6, 1.3)),
        (79e6, 2, (2, 1, 0.5)),
    ]  # fmt: skip
    rows = [(n, float(e), 1e9 * d) for n, e, tokens in design for d in tokens]
    table = pd.DataFrame(rows, columns=["active_params", "experts", "tokens"])
    runs = simulated(m.JointMoE.published()["ludziejewski2025"], table, 0.005)
    posterior = fit(m.JointMoE, runs, noise=bl.LogNormal, target_accept=0.95)
    source = "`JointMoE`, 60 runs, simulated"
    size = optimum(posterior, "active_params", flops=1e21, experts=8)
    return [
        Answer(
            "experts", f"1e22 FLOPs, {memory:g} GB for 16K tokens of context",
            optimum(posterior, "experts", "experts", flops=1e22, memory_bytes=memory * 1e9, context_tokens=16384),
            paper, source,
        )
        for memory, paper in ((24, "4"), (80, "16"))
    ] + [Answer("active parameters", "1e21 FLOPs, 8 experts", size, "3.8B", source)]  # fmt: skip


def fine_grained_moe() -> list[Answer]:
    sizes, data = (3e6, 7e6, 13e6, 25e6, 49e6, 85e6), (16e9, 33e9, 66e9, 130e9)
    mixtures = grid(
        nonembedding_params=[TOTAL * n for n in sizes],
        tokens=data,
        granularity=(1, 2, 4, 8, 16),
        architecture=["mixture"],
    )
    dense = grid(nonembedding_params=sizes, tokens=data, granularity=[1], architecture=["dense"])
    table = pd.concat([mixtures, dense], ignore_index=True)
    runs = simulated(m.FineGrainedMoE.published()["krajewski2024"], table, 0.005)
    posterior = fit(m.FineGrainedMoE, runs, noise=bl.LogNormal)
    best = bl.allocate(posterior, flops=1e20).draws
    source = "`FineGrainedMoE`, 144 runs, simulated"
    return [
        Answer("granularity", "1e20 FLOPs", best["granularity"], "16", source),
        Answer("dense compute for the same loss, as a factor", "1e20 FLOPs", best["leverage"], "> 20", source),
    ]


def routed_moe() -> list[Answer]:
    table = bl.load_routed_lms()
    table = table[table.in_main_law]
    runs = table.assign(router=table.router.where(table.router != "Dense", "S-Base"))
    law = bl.Pooled(m.RoutedMoE, runs, by="router", share=("L0", "alpha"))
    posterior = fit(law, runs)
    points = {"S-Base": "937B", "RL-R": "85B", "Hash": "83B"}
    found = bl.allocate(posterior, law.decisions()["cutoff"], router=list(points), experts=64).draws["params"]
    return [
        Answer(
            "size from which routing no longer helps", f"router {name}", found[..., i], paper,
            "`RoutedMoE`, pooled over routers, 223 public runs",
        )
        for i, (name, paper) in enumerate(points.items())
    ]  # fmt: skip


def moe_sparsity() -> list[Answer]:
    law = m.MoESparsity.published()["abnar2025"]
    rows = []
    for s, c in itertools.product((0, 0.25, 0.5, 0.75, 0.9, 0.95), (3e18, 1e19, 3e19, 1e20, 3e20, 1e21)):
        total = np.geomspace(1e6, 1e13, 5000)
        loss = law(total_params=total, tokens=np.maximum(c / (6 * (1 - s) * total), 1), sparsity=s)
        rows += [(n, c / (6 * (1 - s) * n), s) for n in total[loss.argmin()] * np.geomspace(0.25, 4, 7)]
    table = pd.DataFrame(rows, columns=["total_params", "tokens", "sparsity"])
    posterior = fit(m.MoESparsity, simulated(law, table, 0.005), noise=bl.LogNormal)
    at = np.linspace(0, 0.98, 9801)
    paper = f"{at[law(total_params=3e9, tokens=1e21 / (6 * (1 - at) * 3e9), sparsity=at).argmin()]:.2f}"
    return [
        Answer(
            "sparsity", "1e21 FLOPs, 3B parameters in all",
            optimum(posterior, "sparsity", flops=1e21, total_params=3e9), paper, "`MoESparsity`, 252 runs, simulated",
        )
    ]  # fmt: skip


def reasoning_sparsity() -> list[Answer]:
    truth = m.OurReasoningSparsity(c0=-1.3, c1=0.7, c3=0.12, best_ratio=20.0)
    table = grid(d=(512, 1024, 2048), e=(16, 32, 64, 128, 256), k=ACTIVE, tokens=(31e9, 62e9, 125e9, 250e9))
    table = table.assign(active_params=family_params(table.d, table.k), total_params=family_params(table.d, table.e))
    runs = bl.simulate(truth, table[["active_params", "total_params", "tokens"]].assign(trials=1319.0), seed=1)
    posterior = fit(m.OurReasoningSparsity, runs)
    return [
        Answer(
            "parameters in all, for reasoning", "125B tokens, 1.1B active parameters",
            optimum(posterior, "total_params", tokens=125e9, active_params=1.1e9), "about 6.3B (20 tokens each)",
            "`OurReasoningSparsity` (our model), 240 runs, invented",
        )
    ]  # fmt: skip


# --- Others -----------------------------------------------------------------------------------------------------------


def visual_tokens() -> list[Answer]:
    posterior = fit(m.VisualTokens, bl.load_visual_tokens())
    found = {q: bl.allocate(posterior, inference_flops=1e12, query_tokens=q) for q in (0, 50)}
    corner = found[0].draws["visual_tokens"].squeeze("scenario", drop=True)
    alone = f"{float(corner.median()):g} (the least there is, in {float(found[0].edge_share[0]):.0%} of draws)"
    inside = found[50].draws["visual_tokens"]
    source = "`VisualTokens`, the paper's 40 averages"
    return [
        Answer("visual tokens per image", "1 TFLOP an answer, query known before", alone, "1", source),
        Answer("visual tokens per image", "1 TFLOP an answer, 50 tokens of query", inside, "16", source),
    ]  # fmt: skip


def teacher_student() -> list[Answer]:
    posterior = fit(m.OurTeacherStudent, bl.load_salt().query("recipe == 'one_stage'"), target_accept=0.95)
    by_compute = optimum(posterior, "teacher_steps", "split_compute", flops=1.3e21)
    source = "`OurTeacherStudent` (our model), the paper's table"
    return [
        Answer("teacher steps", "240K steps in all", optimum(posterior, "teacher_steps", steps=2.4e5), "40K", source),
        Answer("teacher steps", "1.3e21 FLOPs in all", by_compute, "40K", source),
    ]  # fmt: skip


def retrieval() -> list[Answer]:
    rows = []
    for task in ("triviaqa", "mmlu"):
        runs = bl.load_retrieval().query(f"task == {task!r}").assign(trials=1000.0)
        posterior = fit(m.OurRetrieval, runs, target_accept=0.95)
        rows.append(
            Answer(
                "tokens to retrieve from", f"1e21 FLOPs, 7B parameters, {task}",
                optimum(posterior, "datastore_tokens", flops=1e21, params=7e9), "-",
                "`OurRetrieval` (our model), the paper's figures",
            )
        )  # fmt: skip
    return rows


def depth_width() -> list[Answer]:
    truth = m.OurDepthWidth(s0=0.0, s1=0.4, c=0.5, log_r0=np.log(150.0), rho=0.0)
    table = grid(nonembedding_params=(1e6, 1e7, 1e8), n_layers=(1, 2, 3, 4, 6, 8, 12, 16, 24), seed=range(3))
    table = table.assign(d_model=np.sqrt(table.nonembedding_params / (12 * table.n_layers)))
    table = table.assign(aspect_ratio=table.d_model / table.n_layers).drop(columns="seed")
    runs = bl.simulate(truth, table, noise=bl.Normal(scale=0.1), seed=0)
    posterior = fit(m.OurDepthWidth.prior(float(runs.score.mean()), float(runs.score.std())), runs)
    return [
        Answer(
            "width over depth", "100M parameters",
            optimum(posterior, "aspect_ratio", nonembedding_params=1e8), "200 to 300",
            "`OurDepthWidth` (our model), 81 runs, invented",
        )
    ]  # fmt: skip


def primer() -> list[Answer]:
    runs = bl.load_primer().query("corpus == 'c4' and params == 1.1e8")
    posterior = fit(m.Primer, runs, target_accept=0.95)
    found = bl.alternatives(posterior, relative_compute=1.0).summary()["p_best"].loc[1.0]
    best = ", ".join(
        f"{name} {share:.0%}" for name, share in found.sort_values(ascending=False).items() if share >= 0.01
    )
    gain = optimum(posterior, "compute_gain", relative_compute=1.0)
    source = "`Primer`, the paper's twelve losses"
    return [
        Answer("architecture", "the compute of its 110M baseline", best, "primer", source),
        Answer("vanilla compute for the same loss, as a factor", "the same", gain, "1.91", source),
    ]


# --- Inference --------------------------------------------------------------------------------------------------------


def coverage() -> list[Answer]:
    table = bl.fetch_monkeys("original")
    size = table[table.model.str.contains("12B")].assign(samples=1.0)
    posterior = fit(m.Coverage, size)
    there = bl.predict(posterior, {"samples": 10_000, "trials": 1}, misfit=False).draws["accuracy"]
    source = "`Coverage`, 128 public counts of 10,000 answers"
    return [
        Answer(
            "samples for 90 % coverage", "Pythia 12B, MATH", optimum(posterior, "samples", target=0.9), "31K", source
        ),
        Answer("coverage", "Pythia 12B, MATH, 10K samples", there, "0.875", source),
    ]


def lifetime() -> list[Answer]:
    table = bl.fetch_monkeys("gsm8k")
    table = table[(table.params >= 1.6e8) & table.tokens.between(2e9, 3e11)].assign(samples=1.0)
    runs = table[table.problem.isin(np.sort(table.problem.unique())[::8])]
    posterior = fit(m.TrainToTestCoverage, runs, target_accept=0.95)
    given = {"total_flops": 1e22, "queries": 1e9, "samples": 16, "sample_tokens": 300}
    found = bl.allocate(posterior, posterior.prior.decisions()["lifetime"], **given).draws
    source, asked = (
        "`TrainToTestCoverage`, 714 public counts",
        "1e22 FLOPs for training and 1e9 queries, 16 samples each",
    )
    return [
        Answer("parameters", asked, found["params"], "-", source),
        Answer("tokens", asked, found["tokens"], "-", source),
    ]


def serving() -> list[Answer]:
    posterior = fit(m.Serving, bl.load_serving())
    menus = {"accelerator": bl.Choices(("A100",)), "group_size": bl.Choices((8,)), "method": bl.Choices(("nanoflow",))}
    demand = {"requests_per_second": 100.0, "prompt_tokens": 1155.0, "generated_tokens": 211.0}
    decision = posterior.prior.decisions()["fleet"].within(**menus)
    return [
        Answer(
            "accelerators", "A100, NanoFlow, 70B, 100 requests/s of 1155 and 211 tokens",
            optimum(posterior, "accelerators", decision, **demand), "-", "`Serving`, the paper's four engines",
        )
    ]  # fmt: skip


def pipeline() -> list[Answer]:
    runs = bl.load_agent_tts().query("temperature == 0.9").reset_index(drop=True)
    runs = runs.assign(subtask="qa", model="Llama-3-3B", params=3e9, upstream=0.6)
    posterior = fit(m.OurPipeline.prior(stages=("qa",), models=("Llama-3-3B",)), runs, target_accept=0.95)
    return [
        Answer(
            "samples to fuse", "Llama-3-3B, 2Wiki", posterior.derived["best_samples[qa]"].rename("samples"), "60",
            "`OurPipeline` (our model), the paper's counts of 50",
        )
    ]  # fmt: skip


def speculative() -> list[Answer]:
    truth = m.Speculative(rate={"one": 0.8}, alike=10.0, methods=("one",), drafts=(1.0,))
    runs = bl.simulate(truth, {"method": ["one"] * 200, "trials": 50.0}, seed=1)
    posterior = fit(m.Speculative.prior({"one": 1.0}), runs)
    found = bl.allocate(posterior, draft_cost=0.05, check_cost=0.0, step_overhead=0.0).draws
    source, given = "`Speculative`, 200 contexts, invented", "a draft at 0.05 of a step"
    return [
        Answer("tokens to draft", given, found["draft_length"], "-", source),
        Answer("speed-up, as a factor", given, found["speedup"], "-", source),
    ]


ANSWERS: dict[str, Callable[[], list[Answer]]] = {
    function.__name__: function
    for function in (
        qat, qat_optimum, precision, post_training, quantized_resnet, vocabulary_size, vocabulary, efficiency_leverage,
        joint_moe, fine_grained_moe, routed_moe, moe_sparsity, reasoning_sparsity, visual_tokens, teacher_student,
        retrieval, depth_width, primer, coverage, lifetime, serving, pipeline, speculative,
    )
}  # fmt: skip
SLOW = ("vocabulary", "lifetime")
"""What takes minutes."""


@functools.cache
def rows(name: str) -> tuple[str, ...]:
    return tuple(answer.row() for answer in ANSWERS[name]())


def printed() -> str:
    """The table as the README has it."""
    return README.read_text().split(BEGIN)[1].split(END)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"rows to make, of {', '.join(ANSWERS)}; default: all")
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    options = parser.parse_args()
    if unknown := set(options.names) - set(ANSWERS):
        parser.error(f"there is no answer {min(unknown)!r}; there are {', '.join(ANSWERS)}.")
    if options.write and options.names:
        parser.error("--write makes the whole table: leave the names out.")
    table = HEAD
    print(HEAD, end="")
    for name in options.names or ANSWERS:
        found = "".join(f"{row}\n" for row in rows(name))
        print(found, end="", flush=True)
        table += found
    if options.write:
        before, after = README.read_text().split(BEGIN)[0], README.read_text().split(END)[1]
        README.write_text(before + BEGIN + table + END + after)


if __name__ == "__main__":
    main()
