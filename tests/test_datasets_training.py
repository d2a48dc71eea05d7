"""Data sets of the training laws: what their cards say, recomputed; and reading what is published."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit
from scipy.stats import spearmanr

import bayeslaw as bl
from bayeslaw.datasets import _curves, _monkeys
from bayeslaw.datasets._store import Remote


def test_overtraining() -> None:
    runs = bl.load_overtraining()
    assert len(runs) == 104
    assert not runs.isna().any(axis=None)
    assert runs.corpus.value_counts().to_dict() == {"redpajama": 35, "refinedweb": 35, "c4": 34}
    assert not runs.duplicated(["corpus", "params", "tokens"]).any()
    assert sorted((runs.tokens / runs.params).unique()) == [5, 10, 20, 40, 80, 160, 320, 640]
    assert (runs.params.min(), runs.params.max(), runs.params.nunique()) == (10569312, 6889410560, 6)
    assert runs.loss.between(runs.loss_low, runs.loss_high).all()
    half = (runs.loss_high - runs.loss_low) / 2
    assert (half.min(), half.max()) == pytest.approx((0.0093, 0.0118), abs=1e-4)
    assert (runs.loss.min(), runs.loss.max()) == pytest.approx((2.382220, 6.123880), abs=1e-6)
    assert (runs.error.min(), runs.error.max()) == pytest.approx((0.450456, 0.820055), abs=1e-6)
    assert (runs.error_46.min(), runs.error_46.max()) == pytest.approx((0.596097, 0.755138), abs=1e-6)
    assert (runs.params > 1e9).sum() == 9
    largest = runs.params == runs.params.max()
    assert set(runs.lr[largest]) == {3e-4}
    assert set(runs.lr[~largest]) == {3e-3}
    assert set(runs.weight_decay[largest]) == {0.33}
    assert set(runs.weight_decay[~largest]) == {0.033}
    silent = runs[runs.lambada_openai == 0]
    assert len(silent) == 5
    assert (silent.params == 10569312).all()
    assert (silent.tokens / silent.params).max() == 10
    # the loss rises in 3 of 83 doublings
    ordered = runs.sort_values(["corpus", "params", "tokens"]).groupby(["corpus", "params"])
    doubled = ordered.tokens.pct_change().sub(1).abs() < 1e-9
    rises = ordered.loss.diff()[doubled]
    assert len(rises) == 83
    assert (rises > 0).sum() == 3
    assert rises.max() == pytest.approx(0.0217, abs=1e-4)


def test_losses_and_errors_that_the_paper_starts_from() -> None:
    """Gadre et al.: true losses, errors of the six fitted runs, and the single tasks at 6.9e9 parameters."""
    runs = bl.load_overtraining()
    runs = runs.assign(ratio=runs.tokens / runs.params).set_index(["corpus", "params", "ratio"]).sort_index()
    assert runs.loss["redpajama", 1439795200, 640] == pytest.approx(2.5021, abs=5e-5)
    for corpus, loss, error in (
        ("c4", 2.3822, 0.4796),
        ("redpajama", 2.4250, 0.4716),
        ("refinedweb", 2.4547, 0.4505),
    ):
        assert runs.loss[corpus, 6889410560, 20] == pytest.approx(loss, abs=5e-5)
        assert runs.error[corpus, 6889410560, 20] == pytest.approx(error, abs=5e-5)
    assert runs.error["redpajama", 1439795200, 640] == pytest.approx(0.4752, abs=5e-5)
    sizes = [10569312, 78914048, 153677376, 411616256, 1439795200]
    fitted = runs.loc[[("redpajama", size, 20) for size in sizes] + [("redpajama", 10569312, 320)]]
    np.testing.assert_allclose(fitted.error, [0.81349, 0.72505, 0.67101, 0.63655, 0.54733, 0.76710], atol=1e-5)
    predicted = runs.loss["redpajama", 6889410560, 20] * 1.007320  # the paper's relative error
    for task, published in (
        ("arc_easy", 5.21),
        ("lambada_openai", 14.39),
        ("openbook_qa", 8.44),
        ("hellaswag_zeroshot", 25.73),
    ):
        link, _ = curve_fit(lambda x, eps, k, g: eps - k * np.exp(-g * x), fitted.loss, 1 - fitted[task], maxfev=10000)
        true = 1 - runs[task]["redpajama", 6889410560, 20]
        found = 100 * abs(link[0] - link[1] * np.exp(-link[2] * predicted) - true) / true
        assert found == pytest.approx(published, abs=0.01)


def test_rank_correlation_of_predicted_errors() -> None:
    """Gadre et al.: 0.88 over the nine models of more than 1e9 parameters, with the coefficients of their fits."""
    runs = bl.load_overtraining()
    large = runs[runs.params > 1e9]
    laws = {
        "c4": (141.28, 189.52, 0.12124, 1.50826, 0.84974, 2.0789, 0.75612),
        "redpajama": (212.24, 366.69, 0.13643, 1.83665, 0.85699, 2.2065, 0.71459),
        "refinedweb": (157.12, 246.21, 0.12720, 1.73446, 0.86528, 2.2148, 0.70705),
    }
    a, b, eta, floor, eps, k, gamma = np.array([laws[corpus] for corpus in large.corpus]).T
    ratio, flops = large.tokens / large.params, 6 * large.params * large.tokens
    loss = floor + (a * ratio**eta + b * ratio**-eta) * flops**-eta
    assert spearmanr(eps - k * np.exp(-gamma * loss), large.error).statistic == pytest.approx(0.88, abs=0.01)


def test_data_constrained() -> None:
    runs = bl.load_data_constrained()
    assert len(runs) == 296
    assert runs.run.is_unique
    assert not runs.isna().any(axis=None)
    assert runs.in_paper_fit.dtype == bool
    assert runs.in_paper_fit.sum() == 182
    np.testing.assert_allclose(runs.tokens / runs.unique_tokens, runs.epochs, rtol=1e-9)
    assert (runs.epochs.min(), runs.epochs.max()) == (1, 9000)
    assert ((runs.epochs == 1).sum(), (runs.epochs[runs.in_paper_fit] == 1).sum()) == (41, 29)
    assert (runs.epochs[runs.in_paper_fit] <= 60).sum() == 129
    assert (runs.params.min(), runs.params.max(), runs.params.nunique()) == (7098752, 8670000000, 20)
    assert (runs.loss.min(), runs.loss.max()) == (2.336741, 11.01838)
    assert runs.loss[runs.in_paper_fit].max() == 8.102005


def test_the_published_objective_on_the_182_runs() -> None:
    """Muennighoff et al.: Huber objective 0.0158259 at the published coefficients, so the table is complete."""
    runs = bl.load_data_constrained()
    runs = runs[runs.in_paper_fit]
    a, b, floor, alpha, r_d, r_n = (
        np.exp(6.255414),
        np.exp(7.3049974),
        np.exp(0.6254804),
        0.3526596,
        15.387756,
        5.309743,
    )
    enough = np.minimum(runs.params, runs.unique_tokens * (a / b) ** (1 / alpha))
    tokens = runs.unique_tokens * (1 - r_d * np.expm1(-(runs.epochs - 1) / r_d))
    params = enough * (1 - r_n * np.expm1(-(runs.params / enough - 1) / r_n))
    error = np.log(floor + a / params**alpha + b / tokens**alpha) - np.log(runs.loss)
    huber = np.where(abs(error) <= 1e-3, error**2 / 2, 1e-3 * (abs(error) - 5e-4))
    assert huber.sum() == pytest.approx(0.0158259353, abs=1e-8)
    assert (error.mean(), error.std(ddof=0)) == pytest.approx((-0.0725, 0.0828), abs=1e-4)


def test_seeds_of_data_constrained() -> None:
    runs = bl.load_data_constrained()
    seeded = runs.run.str.contains("seed")
    assert seeded.sum() == 64
    assert not runs.in_paper_fit[seeded].any()
    setting = ["params", "tokens", "unique_tokens"]
    assert (runs[seeded].groupby(setting).size() == 4).all()
    groups = runs.groupby(setting).loss
    noise = groups.std()[groups.size() == 5]
    assert len(noise) == 16
    small, large = (noise[noise.index.get_level_values("params") == size] for size in (2.81e9, 4.2465e9))
    assert (small.min(), small.max()) == pytest.approx((0.0009, 0.0027), abs=1e-4)
    assert (large.min(), large.max()) == pytest.approx((0.0060, 0.0759), abs=1e-4)
    others = runs[~runs.in_paper_fit & ~seeded]
    assert len(others) == 50
    assert (others.loss > 4).sum() == 22


SCORES = ["mmlu", "arc_c", "hellaswag", "winograd", "truthfulqa", "gsm8k", "xwinograd", "humaneval"]


def test_observational() -> None:
    models = bl.load_observational()
    assert len(models) == 148
    assert models.model.is_unique
    assert models.family.nunique() == 47
    assert models.groupby("family").size().median() == 3
    assert models.model[models.doubtful].to_list() == ["cerebras/btlm-3b-8k-base"]
    assert models.tokens[models.doubtful].to_list() == [6.27e14]
    sound = models[~models.doubtful]
    assert sound.tokens.max() == 1.5e13
    known = models.dropna(subset=["tokens"])
    assert len(known) == 123
    assert (models.tokens.isna() == models.flops.isna()).all()
    np.testing.assert_allclose(6 * known.params * known.tokens, known.flops, rtol=1e-9)
    assert (known.flops <= 8.4e22).sum() == 77
    complete = models.dropna(subset=SCORES)
    assert len(complete) == 124
    assert complete.flops[~complete.doubtful].notna().sum() == 108
    tasks = {
        "parsinlu_qa": 76, "word_unscrambling": 84, "ipa_transliterate": 72, "ipa_transliterate_bleu": 65,
        "arithmetic_3ds": 84, "arithmetic_3da": 74, "arithmetic_2dm": 84, "arithmetic_2da": 74,
    }  # fmt: skip
    assert models[list(tasks)].notna().sum().to_dict() == tasks
    fractions = models[[*SCORES, *(task for task in tasks if task != "ipa_transliterate_bleu")]]
    assert fractions.min().min() == 0
    assert fractions.max().max() == 1
    assert models.ipa_transliterate_bleu.max() == pytest.approx(65.16, abs=0.01)


def test_principal_component_of_the_scores() -> None:
    """Ruan et al.: shares of variance, loadings, and R2 of capability against compute inside families."""
    models = bl.load_observational().dropna(subset=SCORES)
    centred = (models[SCORES] - models[SCORES].mean()).to_numpy()
    _, size, directions = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(100 * (size**2 / (size**2).sum())[:3], [84.3, 10.0, 3.1], atol=0.05)
    first = directions[0] * np.sign(directions[0][0])
    np.testing.assert_allclose(first, [0.437, 0.316, 0.337, 0.224, 0.089, 0.592, 0.214, 0.375], atol=2e-3)
    models = models.assign(capability=centred @ first, decades=np.log10(models.flops)).dropna(subset=["flops"])
    for family, count, r2 in (
        ("Pythia", 8, 0.984), ("OPT", 8, 0.985), ("Qwen1.5", 7, 0.970),
        ("BLOOM", 5, 0.984), ("GPT-Neo/J", 5, 0.942), ("Cerebras-GPT", 6, 0.860),
    ):  # fmt: skip
        one = models[models.family == family]
        assert len(one) == count
        assert one.capability.corr(one.decades) ** 2 == pytest.approx(r2, abs=2e-3)


def test_inference_aware() -> None:
    runs = bl.load_inference_aware()
    assert runs.groupby("params").size().to_dict() == {
        1.51e8: 12, 3.67e8: 10, 7.49e8: 9, 1.26e9: 8, 2.46e9: 7, 6.05e9: 1,
    }  # fmt: skip
    np.testing.assert_array_equal(runs.params * runs.tokens_per_param, runs.tokens)
    counts = [(runs.tokens_per_param <= most).sum() for most in (100, 250, 500, 1000, 10000)]
    assert counts == [34, 39, 43, 45, 47]
    assert runs.tokens_per_param[runs.params > 1.51e8].max() == 1000
    assert (runs.loss.min(), runs.loss.max()) == pytest.approx((2.3702, 3.6832), abs=5e-5)
    assert (runs.groupby("params").loss.diff().dropna() < 0).all()


def test_farseer(fetched: Callable[..., pd.DataFrame], cache: Path) -> None:
    runs = fetched("farseer")
    assert len(runs) == 404
    assert runs.duplicate.sum() == 4
    runs = runs[~runs.duplicate]
    assert not runs.duplicated(["nonembedding_params", "tokens"]).any()
    sizes = runs.groupby("nonembedding_params").size()
    assert (len(sizes), sizes.min(), sizes.max(), runs.tokens.nunique()) == (25, 11, 18, 55)
    ratio = runs.tokens / runs.nonembedding_params
    assert (ratio.min(), ratio.max()) == pytest.approx((0.314, 2569.7), rel=1e-3)
    assert (runs.bits_per_character.min(), runs.bits_per_character.max()) == pytest.approx((0.4620, 0.7094), abs=1e-4)
    assert (runs.loss.min(), runs.loss.max()) == pytest.approx((1.8853, 2.8978), abs=1e-4)
    # the size leaves embeddings out: attention, gated feed-forward layers and norms account for all of it
    layer = 4 * runs.d_model**2 + 3 * runs.d_model * runs.d_ff + 2 * runs.d_model
    np.testing.assert_array_equal(runs.n_layers * layer, runs.nonembedding_params)
    raw = pd.read_csv(cache / "farseer" / "1222_full.csv").loc[runs.index]
    np.testing.assert_allclose(raw.ti * runs.batch_tokens, runs.tokens, rtol=1e-5)
    excess = raw.C / (6 * raw.N * raw.D)
    assert (excess.min(), excess.max()) == pytest.approx((1.10, 1.41), abs=0.005)


def test_monkeys(fetched: Callable[..., pd.DataFrame]) -> None:
    gsm8k, math = fetched("monkeys"), fetched("monkeys", benchmark="math")
    assert list(math.columns) == ["model", "params", "tokens", "problem", "level", "trials", "successes"]
    assert list(gsm8k.columns) == [name for name in math.columns if name != "level"]
    for runs, rows, checkpoints, problems, tokens, silent, used in (
        (gsm8k, 10273, 81, 130, 9, 0.58, 5379),
        (math, 9097, 72, 128, 8, 0.78, 5376),
    ):
        assert len(runs) == rows
        assert not runs.isna().any(axis=None)
        assert not runs.duplicated(["model", "problem"]).any()
        assert (runs.model.nunique(), runs.problem.nunique()) == (checkpoints, problems)
        assert (runs.params.nunique(), runs.tokens.nunique()) == (9, tokens)
        assert runs.successes.le(runs.trials).all()
        assert (runs.successes == 0).mean() == pytest.approx(silent, abs=0.005)
        # what the train-to-test card fits
        assert (runs.params.ge(1.6e8) & runs.tokens.between(2e9, 3e11)).sum() == used
    assert gsm8k.groupby("model").size().value_counts().to_dict() == {128: 78, 129: 1, 130: 1, 30: 1}
    assert math.groupby("model").size().value_counts().to_dict() == {128: 71, 9: 1}
    assert (gsm8k.trials.min(), gsm8k.trials.max(), gsm8k.successes.max()) == (128, 2980608, 1148)
    assert (math.trials.min(), math.trials.max(), math.successes.max()) == (128, 3720320, 1733)
    assert gsm8k.trials[gsm8k.successes == 0].median() == 10112
    assert gsm8k.trials[gsm8k.successes > 0].median() == 2816
    assert sorted(math.level.unique()) == [1, 2, 3, 4, 5]
    largest = math[math.model == "Pythia_12B_300B"]
    assert (largest.successes / largest.trials).mean() == pytest.approx(0.0073, abs=5e-5)
    with pytest.raises(bl.InputError, match="no benchmark 'aime'; there are gsm8k, math, original"):
        bl.fetch_monkeys("aime")


def test_original_monkeys(fetched: Callable[..., pd.DataFrame]) -> None:
    runs = fetched("monkeys", benchmark="original")
    assert list(runs.columns) == ["model", "params", "tokens", "problem", "trials", "successes"]
    assert runs.groupby("model").size().to_dict() == dict.fromkeys(runs.model.unique(), 128)
    assert set(runs.params) == {7e7, 1.6e8, 4.1e8, 1e9, 2.8e9, 6.9e9, 1.2e10}
    assert set(runs.tokens) == {3e11}
    assert set(runs.trials) == {1e4}
    assert (runs.successes.min(), runs.successes.max()) == (0, 3153)
    assert runs.model[0] == "Pythia_12B_300B"  # the name that the other two benchmarks give it


def test_names_of_monkeys_agree_with_the_table_of_models(fetched: Callable[..., pd.DataFrame], cache: Path) -> None:
    found = fetched("monkeys").drop_duplicates("model").set_index("model")
    path = cache / "monkeys_pass_at_k" / "models.csv"
    if not path.is_file():
        pytest.skip("models.csv is not at hand (no ../shared/data)")
    models = pd.read_csv(path).set_index("Model Nickname")
    lacking = found.index.difference(models.index)
    assert len(lacking) == 9
    assert set(found.tokens[lacking]) == {5.12e8}
    found = found.drop(lacking)
    assert (found.params == models.Parameters[found.index]).all()
    assert (found.tokens == models.Tokens[found.index]).all()


def _curves_over_k() -> pd.DataFrame:
    first = pd.DataFrame(
        {
            "Model Nickname": ["Pythia_70M_2B", "Pythia_1.4B_512M"],
            "prompt_idx": [12, 20],
            "n": [100.0, 400.0],
            "c": [5.0, 0.0],
            "Level": ["Level 4", "Level 1"],
            "Inference Compute": [1e9, 2e9],
        }
    )
    shares = first.c / first.n
    tables = [first.assign(k=k, **{"pass@k": 1 - (1 - shares) ** k}) for k in (2, 1, 4)]
    return pd.concat(tables, ignore_index=True)


def test_monkeys_from_what_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the converted table, the parquet file is downloaded and the counts found in it."""
    path = tmp_path / "math_pass_at_k.parquet"
    _curves_over_k().to_parquet(path)
    asked = []
    monkeypatch.setattr(_monkeys, "fetch", lambda remote: asked.append(remote.place) or path)
    monkeypatch.setenv("BAYESLAW_DATA", str(tmp_path))
    found = bl.fetch_monkeys("math")
    assert asked == ["monkeys_pass_at_k/math_pass_at_k.parquet"]
    assert found.to_dict("list") == {
        "model": ["Pythia_70M_2B", "Pythia_1.4B_512M"],
        "params": [7e7, 1.4e9],
        "tokens": [2e9, 5.12e8],
        "problem": [12, 20],
        "level": [4, 1],
        "trials": [100.0, 400.0],
        "successes": [5.0, 0.0],
    }
    names = {"Model Nickname": "Model", "prompt_idx": "Problem Idx", "k": "Scaling Parameter", "pass@k": "Score"}
    original = _curves_over_k().rename(columns=names).drop(columns=["Level", "Inference Compute"])
    original.assign(
        Model=original.Model.map({"Pythia_70M_2B": "Pythia 70M", "Pythia_1.4B_512M": "Pythia 1.4B"})
    ).to_parquet(path)
    found = bl.fetch_monkeys("original")
    assert asked[-1] == "monkeys_pass_at_k/large_language_monkeys_original_pass_at_k.parquet"
    assert found.model.tolist() == ["Pythia_70M_300B", "Pythia_1.4B_300B"]
    assert found[["params", "tokens", "trials", "successes"]].to_numpy().tolist() == [
        [7e7, 3e11, 100.0, 5.0],
        [1.4e9, 3e11, 400.0, 0.0],
    ]
    _curves_over_k().assign(copy=lambda table: table.c).to_parquet(path)
    with pytest.raises(bl.InputError, match=r"no two columns, or several, whose ratio is pass@1; it is not read\."):
        bl.fetch_monkeys("math")
    _curves_over_k().drop(columns="k").to_parquet(path)
    with pytest.raises(bl.InputError, match="has no column k; it is not the table expected"):
        bl.fetch_monkeys("math")

    def without_pyarrow(*args: object) -> None:
        raise ImportError("no pyarrow")

    monkeypatch.setattr(pd, "read_parquet", without_pyarrow)
    with pytest.raises(bl.InputError, match=r"needs pyarrow: pip install 'bayeslaw\[parquet\]'"):
        bl.fetch_monkeys("math")


def test_learning_curves(fetched: Callable[..., pd.DataFrame]) -> None:
    points = fetched("learning_curves")
    assert len(points) == 20282
    assert not points.isna().any(axis=None)
    assert points.train.dtype == bool
    assert points.domain[points.duplicate].value_counts().to_dict() == {"LM": 687}
    copies = points[points.domain == "LM"].groupby(["model", "seen_examples"]).size()
    assert len(copies) == 229
    assert (copies == 4).all()
    kept = points[~points.duplicate]
    assert len(kept) == 19595
    curve = ["domain", "task", "model"]
    assert not kept.duplicated([*curve, "seen_examples"]).any()
    assert kept.drop_duplicates(curve).domain.value_counts().to_dict() == {"IC": 72, "BB": 10, "LM": 5, "NMT": 5}
    assert (kept.domain == "IC").sum() == 18883
    assert (kept.loss.min(), kept.loss.max()) == pytest.approx((0.1066, 0.9990), abs=1e-4)
    lowest = kept.loss[kept.domain == "LM"].min()
    assert lowest == pytest.approx(0.8465, abs=1e-4)
    fitted = kept[kept.train].groupby(curve).seen_examples.max()
    judged = kept[~kept.train].groupby(curve).seen_examples.min()
    assert (fitted < judged).all()


def test_double_descent(fetched: Callable[..., pd.DataFrame]) -> None:
    points = fetched("double_descent")
    assert len(points) == 1097
    assert list(points.columns) == ["task", "x_label", "y_label", "x", "y"]
    assert not points.isna().any(axis=None)
    assert points.task.nunique() == 40
    gpt = points.task.str.startswith("nanogpt-")
    assert (points[gpt].task.nunique(), gpt.sum()) == (24, 168)
    assert set(points.x[gpt]) == {6, 12, 24, 48, 96, 192, 384}
    ranges = points.groupby("y_label").y.agg(["min", "max"])
    np.testing.assert_allclose(ranges.loc["Test Error"], [0.2623, 0.9237], atol=1e-4)
    np.testing.assert_allclose(ranges.loc["Test Loss"], [3.7597, 22.1315], atol=1e-4)
    twice = points[points.duplicated()]
    assert twice.task.to_list() == ["df18k", "df18k"]
    assert points.task.str.startswith("cifar10-mcnn-p20-sgd").groupby(points.task).first().sum() == 5
    # the names of the two measures of nanoGPT cannot both be right
    least, final = (points[points.task.str.contains(f"-{name}-")].y for name in ("min", "final"))
    assert (least.to_numpy() > final.to_numpy()).all()
    assert least.min() == pytest.approx(7.0904, abs=1e-4)
    assert final.max() == pytest.approx(6.9240, abs=1e-4)


def test_double_descent_from_what_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the converted tables, a pickle and two arrays are downloaded, read and laid out."""
    widths = np.arange(14, dtype=float).reshape(2, 7)
    curve = ("a", "Model Size", "Test Error", [1, 2], np.array([0.5, 0.25]))

    def fetch(remote: Remote) -> Path:
        path = tmp_path / Path(remote.place).name
        if path.suffix == ".pkl":
            path.write_bytes(pickle.dumps([curve]))
        else:
            np.save(path, widths + 100 * path.name.startswith("final"))
        return path

    monkeypatch.setattr(_curves, "fetch", fetch)
    monkeypatch.setenv("BAYESLAW_DATA", str(tmp_path))
    points = bl.fetch_double_descent()
    assert points[:2].to_numpy().tolist() == [[*curve[:3], 1.0, 0.5], [*curve[:3], 2.0, 0.25]]
    gpt = points[2:]
    assert gpt.task.drop_duplicates().to_list() == [f"nanogpt-{one}-{k}" for one in ("min", "final") for k in (0, 1)]
    assert gpt.x.to_list() == 4 * [6, 12, 24, 48, 96, 192, 384]
    assert gpt.y.to_list() == [*range(14), *range(100, 114)]
    np.save(tmp_path / "evil.npy", np.array([{}]), allow_pickle=True)
    monkeypatch.setattr(
        _curves, "fetch", lambda remote: tmp_path / ("dd_data.pkl" if "pkl" in remote.place else "evil.npy")
    )
    with pytest.raises(ValueError, match="allow_pickle=False"):
        bl.fetch_double_descent()
