"""The one table of column names: what each is called, its unit, its meaning and the values it may take.

Data, scenarios, decisions and plots all read it. A law may use columns that are not here (they are
checked for being finite numbers, no more); a law for everyone should add its columns to the table.
"""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeslaw._errors import InputError


@dataclass(frozen=True)
class Column:
    """One entry of the notation table.

    `low` and `high` bound what is possible (a value outside is an error, and an open bound excludes
    its end); `usual` bounds what is plausible (values wholly outside are pointed out, not refused).
    """

    name: str
    unit: str
    meaning: str
    symbols: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    open: bool = False
    usual: tuple[float, float] = (-math.inf, math.inf)
    advice: str = ""

    def allows(self, value: Any) -> Any:
        """Elementwise: may the column hold this value? Works on NumPy and JAX arrays alike."""
        inside = (value > self.low) if self.open else (value >= self.low)
        return inside & (value <= self.high)

    @property
    def domain(self) -> str:
        """The allowed values in words, such as `greater than 0` or `between 0 and 1`."""
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"between {self.low:g} and {self.high:g}"
        if math.isfinite(self.low):
            return f"{'greater than' if self.open else 'at least'} {self.low:g}"
        return "a finite number"


def _count(name: str, unit: str, meaning: str, *symbols: str, **kwargs: Any) -> Column:
    return Column(name, unit, meaning, symbols, low=1.0, **kwargs)


_BILLIONS = "They look like billions entered as units: write 7e9 or '7B', not 7."

COLUMNS: Mapping[str, Column] = {
    column.name: column
    for column in (
        _count("params", "parameters", "model size, embeddings included", "N", "n_params", "parameters",
               "model_size", usual=(1e3, 1e17), advice=_BILLIONS),
        _count("active_params", "parameters", "parameters used per token", "N_act", usual=(1e3, 1e17),
               advice=_BILLIONS),
        _count("nonembedding_params", "parameters", "parameters without embeddings", "N_ne", usual=(1e3, 1e17),
               advice=_BILLIONS),
        _count("tokens", "tokens", "tokens seen in training", "D", "n_tokens", "training_tokens", usual=(1e4, 1e19),
               advice=_BILLIONS),
        _count("average_params", "parameters", "parameters left, averaged over a training that prunes", "N_bar",
               usual=(1e3, 1e17), advice=_BILLIONS),
        _count("final_params", "parameters", "parameters left at the end of a training that prunes", "N_f",
               usual=(1e3, 1e17), advice=_BILLIONS),
        _count("unique_tokens", "tokens", "distinct tokens available", "U", usual=(1e4, 1e19), advice=_BILLIONS),
        Column("epochs", "", "tokens / unique_tokens: passes over the data", ("passes",), low=0.0, open=True,
               usual=(1e-3, 1e5)),
        Column("effective_tokens", "tokens", "tokens that another recipe would need", ("D_eff",), low=0.0),
        Column("data_efficiency", "", "effective_tokens / unique_tokens", low=0.0),
        Column("data_value", "nats/token", "fall of the loss per unit of ln unique_tokens, at the same plan", low=0.0),
        Column("overfitting", "fraction", "loss above that with endless data, as a share of it", low=0.0, open=True),
        _count("steps", "steps", "optimiser steps", "S", "iterations", usual=(10.0, 1e9)),
        _count("flops", "FLOPs", "training compute", "C", "compute", "training_flop", usual=(1e9, 1e36),
               advice="Compute is counted in FLOPs, not petaflop/s-days (1 PF-day = 8.64e19 FLOPs)."),
        _count("total_flops", "FLOPs", "compute of training and inference together", usual=(1e9, 1e36)),
        Column("loss", "nats/token", "final loss on held-out data", ("L", "val_loss", "final_loss"), low=0.0, open=True,
               usual=(0.01, 30.0), advice="Losses are expected in nats per token (bits per token times 0.693)."),
        Column("nats_per_byte", "nats/byte", "loss per byte of text", low=0.0, open=True, usual=(0.01, 10.0)),
        Column("bits_per_character", "bits/character", "loss per character of text", ("bpc",), low=0.0, open=True,
               usual=(0.01, 10.0)),
        Column("error", "fraction", "share of wrong answers", ("err",), low=0.0, high=1.0),
        Column("accuracy", "fraction", "share of right answers", ("acc",), low=0.0, high=1.0),
        Column("lr", "", "peak learning rate", ("eta", "learning_rate", "peak_lr", "max_lr"), low=0.0, open=True,
               usual=(1e-6, 1.0)),
        _count("batch_tokens", "tokens", "tokens per optimiser step", "B", "batch_size", "bs", usual=(8192, 1e9),
               advice="They look like sequences: multiply by the tokens per sequence (such as 2048)."),
        _count("warmup_tokens", "tokens", "tokens of learning-rate warm-up", "warmup", usual=(1e5, 1e13)),
        Column("weight_decay", "", "decoupled weight decay", ("wd", "lambda"), low=0.0, open=True, usual=(1e-5, 10.0)),
        Column("timescale", "", "batch_tokens / (lr weight_decay tokens): AdamW's memory as a share of the run",
               ("tau",), low=0.0, open=True, usual=(1e-4, 100.0)),
        _count("d_model", "", "width of the residual stream", "h", "width", "hidden_size"),
        _count("d_ff", "", "width of the feed-forward layers", "ffn", "ffn_size", "intermediate_size"),
        _count("n_layers", "layers", "depth", "depth", "num_layers"),
        _count("n_heads", "heads", "attention heads per layer", "num_heads"),
        Column("ff_ratio", "", "d_ff / d_model", (), low=0.0, open=True, usual=(0.1, 100.0)),
        Column("kv_size", "", "floor(d_model / n_heads)", ("d_head", "head_size"), low=0.0, open=True,
               usual=(1.0, 4096.0)),
        Column("aspect_ratio", "", "d_model / n_layers", (), low=0.0, open=True, usual=(1.0, 4096.0)),
        Column("bits", "bits", "bits per weight", ("P",), low=0.0, open=True, usual=(0.5, 64.0)),
        Column("qat_fraction", "fraction", "share of the tokens trained quantisation-aware; 0: never quantised", ("f",),
               low=0.0, high=1.0),
        _count("qat_tokens", "tokens", "tokens of quantisation-aware training", "D_qat"),
        _count("fp_tokens", "tokens", "tokens of training in full precision before", "D_fp"),
        Column("tokens_per_byte", "tokens/byte", "training tokens per byte of weights", (), low=0.0, open=True),
        Column("memory_bytes", "bytes", "memory for the weights", ("M",), low=0.0, open=True),
        Column("quantisation_loss", "nats/token", "loss less that of the same run in full precision"),
        Column("tolerance", "", "what a plan may cost over its reference", low=0.0),
        Column("bits_weights", "bits", "bits per weight in training", ("P_w",), low=0.0, open=True, usual=(0.5, 64.0)),
        Column("bits_activations", "bits", "bits per activation in training", ("P_a",), low=0.0, open=True,
               usual=(0.5, 64.0)),
        Column("bits_kv", "bits", "bits per entry of keys and values in training", ("P_kv",), low=0.0, open=True,
               usual=(0.5, 64.0)),
        Column("bits_post", "bits", "bits per weight after quantisation of a trained model", ("P_post",), low=0.0,
               open=True, usual=(0.5, 64.0)),
        Column("bit_operations", "", "per input: multiplications times the bits of both factors", low=0.0, open=True),
        Column("multiplications", "", "multiplications per input", low=0.0, open=True),
        Column("memory_bits", "bits", "weights times their bits", low=0.0, open=True),
        Column("format", "", "number format of weights and activations, by name"),
        _count("vocab_size", "entries", "vocabulary entries", "V"),
        _count("vocab_params", "parameters", "parameters of the output layer: vocab_size d_model", "N_v"),
        _count("characters", "characters", "characters of text seen in training", "H"),
        Column("normalised_loss", "nats/token", "loss less that of the frequencies of tokens alone", ("L_u", "Lossu"),
               usual=(-20.0, 5.0), advice="It is negative where a model does better than the frequencies of tokens."),
        _count("experts", "experts", "experts per layer", "n_experts"),
        Column("leverage", "", "compute of the dense model over that of the mixture of experts, at equal loss", ("EL",),
               low=0.0, open=True, usual=(0.5, 50.0)),
        Column("least_saving", "fraction", "share of compute that twice the parameters must save", low=0.0, high=0.99,
               open=True),
        Column("router", "", "routing of tokens to experts, by name", ("router_type",)),
        _count("dense_params", "parameters", "size of the dense model of equal loss", "N_eff"),
        _count("params_limit", "parameters", "most parameters in all, as memory allows", usual=(1e3, 1e17),
               advice=_BILLIONS),
        Column("memory_bytes", "bytes", "memory for weights and cache", low=0.0, open=True, usual=(1e6, 1e16),
               advice="Bytes, not GB: 80 GB is 80e9."),
        Column("context_tokens", "tokens", "tokens in the cache of keys and values", low=0.0),
        Column("activation_ratio", "fraction", "share of experts or parameters used per token", (), low=0.0, high=1.0),
        Column("granularity", "", "how finely the experts are split", ("G",), low=0.0, open=True),
        _count("samples", "samples", "samples drawn per problem", "k"),
        Column("successes", "", "right answers counted", ("c",), low=0.0),
        Column("capability", "", "a model's score on a common scale of benchmarks"),
        _count("ensemble_size", "models", "models whose predictions are averaged", "K", "members"),
        _count("total_params", "parameters", "parameters of all experts, or of all models of an ensemble",
               usual=(1e3, 1e17),
               advice=_BILLIONS),
        Column("inference_tokens", "tokens", "tokens processed over the model's life", ("T", "demand"), low=0.0),
        Column("target", "", "the response to reach", ("goal",)),
        _count("prompt_tokens", "tokens", "tokens read over the model's life, as prompts"),
        _count("generated_tokens", "tokens", "tokens written over the model's life"),
        Column("training_price", "dollars/FLOP", "of training hardware at its peak: hourly price / (3600 peak FLOP/s)",
               low=0.0, open=True, usual=(1e-21, 1e-15), advice="Divide the hourly price by 3600 and the peak FLOP/s."),
        Column("inference_price", "dollars/FLOP", "of serving hardware at its peak: hourly price / (3600 peak FLOP/s)",
               low=0.0, open=True, usual=(1e-21, 1e-15), advice="Divide the hourly price by 3600 and the peak FLOP/s."),
        Column("training_utilisation", "fraction", "share of the peak that training attains", ("MFU",), low=0.0,
               high=1.0, open=True),
        Column("prompt_utilisation", "fraction", "share of the peak that reading prompts attains", low=0.0, high=1.0,
               open=True),
        Column("generation_utilisation", "fraction", "share of the peak that generation attains", low=0.0, high=1.0,
               open=True),
        Column("training_dollars", "dollars", "cost of training", low=0.0),
        Column("total_dollars", "dollars", "cost of training and serving together", low=0.0),
        _count("reference_params", "parameters", "size of the compute-optimal model to equal", "N_c", usual=(1e3, 1e17),
               advice=_BILLIONS),
        Column("relative_params", "", "params as a share of the compute-optimal size for that response", ("k_N",),
               low=0.0, open=True),
        Column("relative_cost", "", "cost as a share of that of the compute-optimal model of that response", low=0.0),
        Column("overhead", "", "training compute beyond the compute-optimal, as a share of that", low=0.0,
               usual=(0.0, 100.0)),
        Column("sparsity", "fraction", "share of weights pruned at the end, or that a token does not use",
               ("s",), low=0.0, high=1.0),
        Column("prune_start_compute", "fraction", "share of the compute before pruning starts", low=0.0, high=1.0),
        Column("prune_end_compute", "fraction", "share of the compute before pruning ends", low=0.0, high=1.0),
        _count("train_flops", "FLOPs", "compute of training, where inference has a budget of its own", "C_train",
               usual=(1e9, 1e36)),
        _count("inference_flops", "FLOPs", "compute of answering one question", "C_inf", usual=(1e3, 1e24)),
        _count("sample_tokens", "tokens", "tokens written per sample"),
        _count("single_sample_params", "parameters", "best size for a single sample, same training budget"),
        Column("coverage_loss", "nats", "minus the log of pass@k, averaged over questions", low=0.0, open=True),
        Column("regret", "", "response lost by the plan that it is compared with", low=0.0),
        Column("model", "", "model, by name"),
        Column("curve", "", "training run that checkpoints belong to, by name"),
        Column("corpus", "", "training or evaluation text, by name", ("dataset",)),
        Column("family", "", "model family, by name", ("model_family",)),
        Column("domain", "", "kind of data, by name"),
        Column("recipe", "", "training recipe, by name"),
        Column("task", "", "benchmark, by name"),
        Column("method", "", "strategy at inference, by name", ("strategy",)),
        Column("documents", "", "documents in the prompt of one iteration", low=0.0),
        Column("shots", "", "demonstrations in the prompt of one iteration", low=0.0),
        Column("iterations", "", "rounds at inference: of retrieving and writing, or of refining", low=0.0),
        Column("document_value", "", "standardised score of the first document less that of none"),
        Column("shot_value", "", "standardised score of the first demonstration less that of none"),
        _count("document_tokens", "tokens", "mean length of a document"),
        _count("shot_tokens", "tokens", "mean length of a demonstration"),
        _count("context_limit", "tokens", "most tokens read over all iterations", "L_max"),
        Column("input_tokens", "tokens", "read over all iterations", low=0.0),
        Column("document_share", "fraction", "share of the input tokens that are documents", low=0.0, high=1.0),
        Column("attempts", "", "answers to a problem after the first", low=0.0),
        Column("problem_cost", "", "of answering one problem, in the unit of the method's costs", low=0.0, open=True),
        Column("answer_cost", "", "of one right answer: problem_cost / accuracy", low=0.0, open=True),
        Column("answer_value", "", "of one right answer, in the unit of problem_cost", low=0.0, open=True),
        Column("acceptance", "fraction", "share of drafted tokens that the target model accepts", ("alpha",), low=0.0,
               high=1.0),
        Column("draft_length", "tokens", "drafted per step of the target model; 0: none", ("g", "gamma"), low=0.0),
        _count("drafts", "", "candidates per drafted token"),
        Column("draft_cost", "steps", "of drafting a token, a step of the target model being 1", ("c",), low=0.0),
        Column("check_cost", "steps", "of checking one more token, a step of the target model being 1", low=0.0),
        Column("step_overhead", "steps", "of speculation per step, besides drafting and checking", low=0.0),
        Column("tokens_per_step", "tokens", "written per step of the target model", ("E",), low=0.0),
        Column("speedup", "", "tokens per time over those of plain decoding", low=0.0),
        Column("kind", "", "what is counted in a row, by name"),
        Column("verifications", "verdicts", "verdicts of a verifier on each sample; 0: majority vote", ("V",), low=0.0),
        Column("sample_budget", "samples", "compute per problem, in samples", ("C",), low=0.0, open=True),
        Column("spent", "samples", "of sample_budget", low=0.0),
        Column("verdict_cost", "samples", "cost of a verdict, samples being 1", ("lam", "lamb"), low=0.0, open=True),
        Column("accuracy_gain", "fraction", "accuracy above that of the plan that it is compared with"),
        _count("trials", "", "answers drawn", "n"),
        _count("visual_tokens", "tokens", "tokens of an image that the language model reads"),
        Column("query_tokens", "tokens", "tokens of text read with an image", low=0.0),
        _count("teacher_steps", "steps", "steps of a teacher that is frozen afterwards", usual=(10.0, 1e9)),
        _count("student_steps", "steps", "steps of the student of a frozen teacher", usual=(10.0, 1e9)),
        Column("teacher_share", "fraction", "share of the budget that trains the teacher", low=0.0, high=1.0),
        Column("datastore_tokens", "tokens", "tokens indexed to retrieve from", ("D_ds",), low=0.0),
        Column("datastore_share", "fraction", "datastore_tokens as a share of the largest datastore to be had", low=0.0,
               high=1.0),
        Column("indexing_share", "fraction", "share of the budget that indexes a datastore", low=0.0, high=1.0),
        _count("experts_per_token", "experts", "experts per layer used for a token"),
        Column("score", "", "how well a model does at a task, in any unit; more is better"),
        Column("architecture", "", "architecture, by name: dense or mixture, Transformer or Primer"),
        Column("relative_compute", "", "training compute as a multiple of that of a reference run", low=0.0, open=True),
        Column("compute_gain", "", "compute that the baseline needs for the same response, over its own", low=0.0,
               open=True),
        Column("search_compute", "", "one-off compute of finding an architecture, in the unit of relative_compute",
               low=0.0),
        Column("saved_compute", "", "compute saved against the baseline for the same response, search paid"),
        Column("tokens_per_param", "tokens/parameter", "training tokens per parameter", ("ratio",), low=0.0, open=True),
    )
}  # fmt: skip

# What follows from other columns, and the sentence that says how.
DERIVED: Mapping[str, tuple[tuple[str, ...], Callable[..., Any], str]] = {
    "flops": (("params", "tokens"), lambda params, tokens: 6 * params * tokens, "6 * params * tokens"),
    "tokens": (("params", "flops"), lambda params, flops: flops / (6 * params), "flops / (6 * params)"),
    "tokens_per_param": (("params", "tokens"), lambda params, tokens: tokens / params, "tokens / params"),
    "tokens_per_byte": (
        ("params", "tokens", "bits"),
        lambda params, tokens, bits: 8 * tokens / (params * bits),
        "8 * tokens / (params * bits)",
    ),
    "vocab_params": (
        ("vocab_size", "d_model"),
        lambda vocab_size, d_model: vocab_size * d_model,
        "vocab_size * d_model",
    ),
    "bits_weights": (("bits",), lambda bits: bits, "bits"),
    "bits_activations": (("bits",), lambda bits: bits, "bits"),
    "bits_kv": (("bits",), lambda bits: bits, "bits"),
    "epochs": (("tokens", "unique_tokens"), lambda tokens, unique: tokens / unique, "tokens / unique_tokens"),
    "acceptance": (("successes", "trials"), lambda successes, trials: successes / trials, "successes / trials"),
    "accuracy": (("successes", "trials"), lambda successes, trials: successes / trials, "successes / trials"),
    "timescale": (
        ("batch_tokens", "lr", "weight_decay", "tokens"),
        lambda batch_tokens, lr, weight_decay, tokens: batch_tokens / (lr * weight_decay * tokens),
        "batch_tokens / (lr * weight_decay * tokens)",
    ),
    "ff_ratio": (("d_ff", "d_model"), lambda d_ff, d_model: d_ff / d_model, "d_ff / d_model"),
    "kv_size": (("d_model", "n_heads"), lambda d_model, n_heads: d_model // n_heads, "floor(d_model / n_heads)"),
    "aspect_ratio": (("d_model", "n_layers"), lambda d_model, n_layers: d_model / n_layers, "d_model / n_layers"),
}

# Where a power law of a column is centred when its author does not say: a typical training run.
REFERENCE: Mapping[str, float] = {
    "params": 1e9, "active_params": 1e9, "nonembedding_params": 1e9, "tokens": 2e10, "unique_tokens": 2e10,
    "flops": 1e20, "batch_tokens": 2.0**19, "d_model": 1024.0,
}  # fmt: skip


def derive(name: str, columns: Mapping[str, Any]) -> Any | None:
    """The column `name` from `columns` when they hold it or it follows from them, else None."""
    if name in columns:
        return columns[name]
    if name in DERIVED:
        needs, formula, _ = DERIVED[name]
        if all(need in columns for need in needs):
            return formula(*(columns[need] for need in needs))
    return None


def codes(labels: Sequence[str], values: Any) -> np.ndarray:
    """The position of each value among the labels, in the shape of `values`. Raises `InputError`."""
    flat = [label_of(value) for value in np.asarray(values, dtype=object).ravel().tolist()]
    for label in flat:
        if label not in labels:
            raise InputError(f"{label!r} is not one of {', '.join(labels)}.")
    return np.reshape([float(labels.index(label)) for label in flat], np.shape(values))


def label_of(label: Any) -> str:
    """A label as text, the same for 3, 3.0 and "3"."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label).strip()


_SUFFIXES = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_NUMBER = re.compile(
    r"([+-]?(?:\d{1,3}(?:,\d{3})+|\d+(?:_\d+)*|(?=\.\d))(?:\.\d*)?(?:e[+-]?\d+)?)\s*([kmbt]?)", re.IGNORECASE
)


def parse_number(text: Any) -> float:
    """A number as people write it: `70B`, `1.4T`, `5.76e23`, `1_000`, `12,000`, or a number already.

    The suffixes K, M, B, T stand for 1e3, 1e6, 1e9, 1e12. Raises ValueError for anything else.
    """
    if isinstance(text, str):
        match = _NUMBER.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a number; write 7e9, 70B, 1.4T or 5.76e23")
        digits, suffix = match.groups()
        return float(re.sub("[_,]", "", digits)) * _SUFFIXES.get(suffix.lower(), 1.0)
    if isinstance(text, bool):
        raise ValueError(f"{text!r} is not a number")
    try:
        return float(text)
    except (TypeError, ValueError):
        raise ValueError(f"{text!r} is not a number") from None


def format_number(value: float, name: str = "") -> str:
    """A number as people read it: counts as `71.2B`, everything else with four significant digits."""
    if not math.isfinite(value):
        return str(value)
    column = COLUMNS.get(name)
    if column is not None and column.unit in {"parameters", "tokens", "entries"} and value >= 1e3:
        exponent = min(int(math.log10(value)) // 3, 4)
        scaled = float(f"{value / 1000**exponent:.3g}")
        if scaled >= 1000 and exponent < 4:
            exponent, scaled = exponent + 1, scaled / 1000
        return f"{scaled:g}{['', 'K', 'M', 'B', 'T'][exponent]}"
    return f"{value:.4g}"


def nearest(name: str, available: Iterable[str]) -> str | None:
    """The available name a person most likely meant by `name`, or None."""
    by_lower = {str(one).lower(): str(one) for one in available}
    column = COLUMNS.get(name)
    for symbol in column.symbols if column else ():
        if symbol.lower() in by_lower:
            return by_lower[symbol.lower()]
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.5)
    return by_lower[close[0]] if close else None


def rename(columns: Mapping[str, str] | None, available: Iterable[str]) -> dict[str, str]:
    """Check a user's mapping {their name: ours} against the names their table has."""
    names = [str(name) for name in available]
    mapping = dict(columns or {})
    for theirs in mapping:
        if theirs not in names:
            guess = nearest(theirs, names)
            hint = f" Did you mean {guess!r}?" if guess else ""
            raise InputError(f"columns maps {theirs!r}, but the table has {', '.join(names)}.{hint}")
    ours = list(mapping.values()) + [name for name in names if name not in mapping]
    for name in ours:
        if ours.count(name) > 1:
            raise InputError(
                f"after applying columns={mapping} two columns would be called {name!r}; rename or drop one of them."
            )
    return mapping
