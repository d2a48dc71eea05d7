"""What training and answering cost, against the figures of five papers.

Each expected figure says where it comes from: *published* in a paper, *recomputed* from published data or code,
*second-hand*, or *ours* (from the formula, by other means than this code where that says more).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw import costs
from bayeslaw._costs import generation_flops, training_flops

QWEN3 = {  # params, (layers, heads, heads of keys and values); head_dim 128
    "0.6B": (0.752e9, (28, 16, 8)), "1.7B": (2.03e9, (28, 16, 8)), "4B": (4.02e9, (36, 32, 8)),
    "8B": (8.19e9, (36, 32, 8)), "14B": (14.77e9, (40, 40, 8)), "32B": (32.76e9, (64, 64, 8)),
}  # fmt: skip
B200 = costs.ACCELERATORS["B200-sparse"]  # as in Kinetics


def request(model: str, generated: Any, prompt: Any = 0, **options: Any) -> tuple[Any, Any]:
    """FLOPs and bytes of a request."""
    params, (layers, heads, kv_heads) = QWEN3[model]
    elements = costs.kv_elements(layers, kv_heads, 128)
    flops = costs.request_flops(params, elements, heads // kv_heads, prompt, generated, **options)
    return flops, costs.request_bytes(elements, prompt, generated, **options)


def equivalent(model: str, generated: Any, prompt: Any = 0, **options: Any) -> Any:
    return costs.equivalent_flops(*request(model, generated, prompt, **options), B200.intensity)


# --- Training against inference (arXiv 2502.06703) --------------------------------------------------------------------


def test_training_and_inference_of_small_and_large_policies() -> None:
    """Published totals, second row of tokens recomputed: Llama-3.2-3B, Llama-3.1-405B, R1-Distill-7B, R1 (all experts)."""
    params, tokens = np.array([3e9, 405e9, 7e9, 671e9]), np.array([9e12, 15e12, 18e12, 14.8e12])
    trained, answered = training_flops(params, tokens), np.array([3.07e17, 4.25e17, 8.15e17, 4.03e18])
    assert trained == pytest.approx([1.62e23, 3.65e25, 7.56e23, 5.96e25], rel=2e-3)
    written = answered / generation_flops(params, 1)
    assert written == pytest.approx([5.12e7, 5.25e5, 5.82e7, 3.00e6], rel=5e-3)
    total = trained + answered
    assert (total[1] / total[0], total[3] / total[2]) == pytest.approx((225, 79), rel=5e-3)
    assert (answered / trained < 2e-6).all()  # "100 to 1000 times less compute" is a saving of training


# --- Kinetics (arXiv 2506.05333) --------------------------------------------------------------------------------------


def test_cache_of_a_token() -> None:
    """Recomputed; and published, 3.5 and 8.0 GiB at 32,768 tokens."""
    each = [costs.kv_bytes(costs.kv_elements(layers, kv, 128)) for _, (layers, _, kv) in QWEN3.values()]
    assert each == [114688, 114688, 147456, 147456, 163840, 262144]
    assert (32768 * each[0] / 2**30, 32768 * each[-1] / 2**30) == (3.5, 8.0)
    # Published: doubling parameters multiplies the cache by 1.18. The slope over the six sizes gives 1.15.
    slope = np.polyfit(np.log([params for params, _ in QWEN3.values()]), np.log(each), 1)[0]
    assert 2**slope == pytest.approx(1.15, abs=5e-3)


def test_attention_over_parameters() -> None:
    """Recomputed: Qwen3-8B without a prompt. With one the card's formula leaves out the reading of the prompt's cache,
    which Eq. 4 counts; without a prompt they are one."""
    lengths = np.array([4096, 8192, 16384, 32768])
    parameters = generation_flops(8.19e9, lengths)
    ratio = (equivalent("8B", lengths) - parameters) / parameters
    assert ratio == pytest.approx([10.44, 20.89, 41.78, 83.55], abs=0.01)


def test_equivalent_flops() -> None:
    """Ours; the length of equal cost recomputed, 8,876 (paper: about 9K). By FLOPs alone it is 19,529, by those of the
    parameters 30,098: the paper's 24K is neither."""
    assert pytest.approx(562.5) == B200.intensity
    total, compute = equivalent("14B", 8192) / 1e12, request("14B", 8192)[0] / 1e12
    assert (total, compute) == pytest.approx((3361.86, 269.48), abs=0.01)

    def length(cost: Any, target: float) -> float:
        grid = np.arange(1, 40_000)
        return float(np.interp(target, cost(grid), grid))

    assert length(lambda lo: equivalent("4B", lo) / 1e12, total) == pytest.approx(8876, abs=5)
    assert length(lambda lo: request("4B", lo)[0] / 1e12, compute) == pytest.approx(19529, abs=5)
    only = length(lambda lo: generation_flops(4.02e9, lo), generation_flops(14.77e9, 8192))
    assert only == pytest.approx(30098, abs=5)
    long = equivalent("8B", 32768)
    assert long / 1e12 == pytest.approx(45384, rel=1e-3)
    assert costs.seconds(long, B200.flops) == pytest.approx(10.09, rel=1e-3)


def counted(prompt: int, generated: int, budget: float = np.inf) -> float:
    """Cached tokens read, step by step (half a step on, as the integral has it)."""
    return float(np.minimum(budget, prompt + np.arange(generated) + 0.5).sum())


@pytest.mark.parametrize("budget", [16, 100, 256, 1000, 2000])
@pytest.mark.parametrize(("prompt", "generated"), [(100, 1000), (300, 50)])
def test_reads_by_counting(prompt: int, generated: int, budget: int) -> None:
    """Ours. One of the two functions of the authors' code has + for the last sign; minus is right, here also where the
    answer ends before the budget binds."""
    assert costs.cached_tokens_read(prompt, generated) == counted(prompt, generated)
    assert costs.cached_tokens_read(prompt, generated, budget) == pytest.approx(
        counted(prompt, generated, budget), abs=1
    )


def test_budget_of_the_cache() -> None:
    """Ours: one that holds everything is dense attention; samples then share the prompt, and do not below."""
    flops, read = request("8B", 1000, 500, samples=4)
    for budget in (1500, 1e9, np.inf):
        assert request("8B", 1000, 500, samples=4, kv_budget=budget) == pytest.approx((flops, read))
    elements = costs.kv_elements(36, 8, 128)
    assert read == 2 * 500 * elements * 1000 + 4 * elements * 1000**2
    assert flops == 4 * (2 * 8.19e9 * 1000 + 2 * 4 * 500 * elements * 1000 + 4 * elements * 1000**2)
    sparse, moved = request("8B", 1000, 500, samples=4, kv_budget=256)
    assert moved == 4 * 2 * elements * 256 * 1000
    assert sparse == 4 * (2 * 8.19e9 * 1000 + 2 * 4 * elements * 256 * 1000)


def test_search_of_blocks() -> None:
    """Recomputed: (2 Li + Lo) / block Lo D / 2, times r for FLOPs (keys are half of D elements)."""
    elements, at = costs.kv_elements(36, 8, 128), (2 * 500 + 1000) / 16 * 1000
    assert costs.search_flops(elements, 4, 500, 1000, block=16, samples=3) == 3 * 4 * at * elements / 2
    assert costs.search_bytes(elements, 500, 1000, block=16) == at * elements / 2
    shared = costs.search_bytes(elements, 500, 1000, block=16, samples=3)
    assert shared == (2 * 500 + 3 * 1000) / 16 * 1000 * elements / 2


def test_random_lengths() -> None:
    """Ours: the mean cost of answers of random length, from the means of the length and of its square."""
    lengths = np.random.default_rng(0).lognormal(np.log(3000), 0.5, 1000)
    means = {"generated": lengths.mean(), "generated_squared": (lengths**2).mean(), "samples": 3}
    for budget in (None, 256, 600):  # below the prompt, and above by less than any answer
        each = equivalent("4B", lengths, 200, samples=3, kv_budget=budget)
        assert equivalent("4B", prompt=200, kv_budget=budget, **means) == pytest.approx(each.mean(), rel=1e-12)


# --- Graphs of calls (arXiv 2511.00086, second-hand) ------------------------------------------------------------------

LLAMA3 = {"1B": (1.24e9, 200, 400, 16, 2048), "3B": (3.21e9, 200, 400, 28, 3072), "8B": (8.03e9, 200, 400, 32, 4096)}
UNIT = 1.511632e12


def test_coefficients_of_a_node() -> None:
    """Ours."""
    assert costs.node_flops(0, *LLAMA3["1B"]) == pytest.approx(UNIT, rel=1e-6)
    square, linear, constant = costs.node_coefficients(*LLAMA3["1B"])
    assert (square, linear, constant) == pytest.approx((1.048576e10, 1.0234835e12, 1.5116323e12), rel=1e-6)
    assert linear / square == pytest.approx(98, abs=0.5)  # parents from which a fan-in should be split


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("1B", (1, 1.684, 2.3819, 3.8193, 6.8605)),
        ("3B", (2.5893, 4.361, 6.1691, 9.8946, 17.7826)),
        ("8B", (6.4371, 10.7979, 15.2141, 24.2131, 42.8771)),
    ],
)
def test_cost_of_a_node(model: str, expected: tuple[float, ...]) -> None:
    """Ours, in units of the smallest model without parents."""
    found = costs.node_flops(np.array([0, 1, 2, 4, 8]), *LLAMA3[model]) / UNIT
    assert found == pytest.approx(expected, abs=1e-3)


def test_cost_of_a_graph() -> None:
    """Ours."""
    sizes = np.array([1, 2, 4, 8, 16])
    assert costs.fan_flops(sizes, *LLAMA3["1B"]) / UNIT == pytest.approx([2.68, 4.38, 7.82, 14.86, 29.61], abs=0.01)
    assert costs.chain_flops(sizes, *LLAMA3["1B"]) / UNIT == pytest.approx([1, 2.68, 6.05, 12.79, 26.26], abs=0.01)
    # Ours: the widest fan within 18 units of each model.
    widest = [max(w for w in range(1, 40) if costs.fan_flops(w, *model) <= 18 * UNIT) for model in LLAMA3.values()]
    assert widest == [9, 3, 1]


def test_node_is_its_quadratic() -> None:
    """Ours: exactly, on random whole numbers."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        parents, *model = (int(x) for x in rng.integers(1, 1000, 6))
        square, linear, constant = costs.node_coefficients(*model)
        assert costs.node_flops(parents, *model) == square * parents**2 + linear * parents + constant


def test_decoding_sums_tokens() -> None:
    """Ours: 2 M + 4 L D t, token by token, is the decode of a node; a token attends to itself too."""
    positions = 200 + np.arange(1, 401)
    total = costs.token_flops(1.24e9, positions, 16, 2048).sum()
    assert costs.decode_flops(1.24e9, 200, 400, 16, 2048) == pytest.approx(total, rel=1e-12)


# --- Stages of a pipeline (AgentTTS, arXiv 2508.00890) ----------------------------------------------------------------


def test_both_forms_of_a_stage() -> None:
    """Ours: B = b3 [(al b2 / b1)(b1 + S) - 1], al = M / 3e9, b1 = Np / Nd, b2 = Np / 128, b3 = 2."""
    rng = np.random.default_rng(0)
    params, read, written, samples = rng.integers(1, 5000, (4, 100)) * np.array([[1e8], [1], [1], [1]])
    b1, b2 = read / written, read / 128
    units = costs.stage_units(params, read, written, samples)
    assert units == pytest.approx(2 * (params / 3e9 * b2 / b1 * (b1 + samples) - 1), rel=1e-12)
    assert costs.stage_samples(units, params, read, written) == pytest.approx(samples)
    assert costs.STAGE_UNIT_FLOPS == 3.84e11


def test_stages_of_chatdev() -> None:
    """Ours: 1758, 1766, 1766 units of a 3 B model. Published: with 1767.3 units 109, 219 and 438 samples at most."""
    written = np.array([1024, 512, 256])
    assert costs.stage_units(3e9, 1024, written, np.array([109, 219, 438])).tolist() == [1758, 1766, 1766]
    assert np.floor(costs.stage_samples(1767.3, 3e9, 1024, written)).tolist() == [109, 219, 438]


def plans(budget: float, least: int) -> int:
    """Plans of ChatDev's three stages, models of 3 B and 70 B, with at least so many samples each."""
    total = int(budget * 3)  # every stage costs a whole number of thirds of a unit
    ways = np.eye(1, total + 1, dtype=int)[0]
    for written in (1024, 512, 256):
        stage = np.zeros(total + 1, dtype=int)
        for params in (3e9, 70e9):
            thirds = 3 * costs.stage_units(params, 1024, written, np.arange(least, 2000))
            assert thirds == pytest.approx(np.round(thirds))
            stage += np.bincount(np.round(thirds[thirds <= total]).astype(int), minlength=total + 1)
        ways = np.convolve(ways, stage)[: total + 1]
    return int(ways.sum())


def test_number_of_plans_of_chatdev() -> None:
    """Published 1,854,841. Counting no samples as a plan gives 1,854,836 at 1767.3 and 1,855,468 at 1767.34 units: the
    difference of 5 is unexplained. Real plans, with a sample in each stage, are fewer (ours)."""
    assert (plans(1767.3, 0), plans(1767.34, 0)) == (1_854_836, 1_855_468)
    assert plans(1767.3, 1) < 1_854_836


# --- Serving (NanoFlow, arXiv 2408.12757) -----------------------------------------------------------------------------

A100 = costs.ACCELERATORS["A100"]


def test_throughput_bound() -> None:
    """Ours, tokens/s of one accelerator. Published: 1857 for 280 TFLOP/s, but that gives 2000; 1857 is of 260."""
    assert costs.throughput_bound(280e12, 70e9) == 2000
    assert costs.throughput_bound(260e12, 70e9) == pytest.approx(1857.1, abs=0.1)
    assert costs.throughput_bound(A100.flops, 70e9) == pytest.approx(2228.6, abs=0.1)
    others = [costs.throughput_bound(costs.ACCELERATORS[name].flops, 70e9) for name in ("H100", "B200", "Ada6000")]
    assert others == pytest.approx([7064, 16071, 1300], abs=1)


def test_intensities() -> None:
    """Ours."""
    found = [costs.ACCELERATORS[name].intensity for name in ("A100", "H100", "H200", "B200")]
    assert found == pytest.approx([156, 295, 206, 281], abs=1)


def test_times_of_a_step() -> None:
    """Table 2: a batch of 2048 tokens of LLaMA-2-70B on 8 A100. Published: 114.17, 45.09 and 31.33 ms.

    Recomputed from the GEMM work and 8 x 312 TFLOP/s: 112.33 ms, 1.6 % less than printed; 640 GB at 16 TB/s take 40.0
    ms, and the printed time is that of 721 GB; 31.32 ms on the network with half of the printed bandwidth.
    """
    work = np.array([27487.8, 21990.2, 153931.6, 76965.8]) * 1e9
    assert work.sum() == pytest.approx(280_375.4e9, abs=0.1e9)
    assert generation_flops(68.451e9, 2048) == pytest.approx(work.sum(), rel=1e-5)
    computing = costs.compute_seconds(2048, 68.451e9, 8 * A100.flops)
    memory = costs.memory_seconds(8 * A100.memory_bytes, 8 * A100.memory_bandwidth)
    network = costs.network_seconds(8, 2048, 8192, 80, 8 * A100.one_way_bandwidth)
    assert 1e3 * np.array([computing, memory, network]) == pytest.approx([112.33, 40.0, 31.32], abs=0.01)
    assert 1e3 * costs.network_seconds(8, 2048, 8192, 80, 8 * A100.network_bandwidth) == pytest.approx(15.66, abs=0.01)
    assert pytest.approx(721, abs=1) == 45.09e-3 * 16e12 / 1e9
    assert memory / computing == pytest.approx(0.356, abs=1e-3)  # ours
    assert pytest.approx(0.395, abs=1e-3) == 45.09 / 114.17  # ours, of the printed times
    both = costs.step_throughput(2048, computing, memory, network)
    assert both / 8 == pytest.approx(costs.throughput_bound(A100.flops, 68.451e9))  # compute binds
    apart = costs.step_throughput(2048, computing, memory, network, overlapped=False)
    assert both / apart == pytest.approx(1 + (40.0 + 31.32) / 112.33, rel=1e-3)


# LLaMA-3-8B on one A100, Mixtral and LLaMA-2-70B on eight: active and all parameters, accelerators, cache of a token.
# 14.2e9 is ours: with Mixtral's 12.9e9 the ratios come out a tenth above the printed ones.
SERVED = {
    "8B": (8.03e9, 8.03e9, 1, 131_072), "Mixtral": (14.2e9, 46.7e9, 8, 131_072), "70B": (70e9, 70e9, 8, 327_680),
}  # fmt: skip
LENGTHS = np.array([(102, 222), (1155, 211), (246, 322), (512, 512), (1024, 512), (512, 1024)])


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("8B", (0.23, 0.31, 0.37, 0.61, 0.68, 1.09)),
        ("Mixtral", (0.12, 0.17, 0.20, 0.32, 0.36, 0.58)),
        ("70B", (0.07, 0.09, 0.11, 0.18, 0.20, 0.32)),
    ],
)
def test_memory_against_compute(model: str, expected: tuple[float, ...]) -> None:
    """Published without its batches (Fig. 3; lengths of LMSYS, Splitwise, ShareGPT from its Table 4): with the largest
    batch that the memory holds all of it comes out."""
    active, total, count, cache = SERVED[model]
    batch = costs.largest_batch(count * 80e9 - 2 * total, cache, *LENGTHS.T)
    ratio = costs.memory_seconds(80e9, 2e12) / costs.compute_seconds(batch, active, count * A100.flops)
    assert ratio == pytest.approx(expected, abs=0.006)


def test_price_of_a_million_tokens() -> None:
    """Ours: LLaMA-2-70B on an A100 at 1.50 dollars an hour and 0.685 of the bound."""
    rate = 0.685 * costs.throughput_bound(A100.flops, 70e9)
    assert costs.dollars_per_million_tokens(rate, 1.5) == pytest.approx(0.2729, rel=1e-3)
    hours = costs.accelerator_hours(costs.seconds(generation_flops(70e9, 1e6), 8 * A100.flops, 0.685), 8)
    assert costs.dollars(hours, 1.5) == pytest.approx(0.2729, rel=1e-3)
    assert costs.requests_per_second(3000.0, 1000, 500) == 2


# --- As a library -----------------------------------------------------------------------------------------------------


def test_a_distribution_where_a_number_goes() -> None:
    """Draws of a utilisation and of a length give as many prices."""
    rng = np.random.default_rng(0)
    share, written = rng.beta(3, 4, 500), rng.lognormal(7, 0.5, 500)
    flops = costs.request_flops(8.19e9, costs.kv_elements(36, 8, 128), 4, 100, written)
    price = costs.dollars(costs.accelerator_hours(costs.seconds(flops, A100.flops, share)), 1.5)
    assert price.shape == (500,)
    assert isinstance(price, np.ndarray)
    assert price.dtype == float


def test_jax_and_numpy_agree() -> None:
    with jax.enable_x64(True):
        for budget in (None, 256.0):
            of = jnp.array([100.0, 5000.0])
            traced = jax.jit(lambda lo, b=budget: costs.request_bytes(1000.0, 200.0, lo, 4.0, b))(of)
            assert np.asarray(traced) == pytest.approx(costs.request_bytes(1000.0, 200.0, np.asarray(of), 4.0, budget))


def test_public() -> None:
    assert bl.costs is costs
    assert "costs" in dir(bl)
    with pytest.raises(TypeError):
        costs.ACCELERATORS["H100"] = A100  # type: ignore[index]


# --- Bills as columns of a plan ---------------------------------------------------------------------------------------


def test_bills_are_the_formulas_in_turn() -> None:
    """Ours: 1e24 FLOPs on H100s at 40 % of 989 TFLOP/s."""
    flops, hours = 1e24, costs.accelerator_hours(costs.seconds(1e24, 989e12, 0.4))
    assert costs.hours_on("H100")(flops, 0.4) == pytest.approx(hours)
    assert costs.dollars_on("H100")(flops, 0.4, 2.5) == pytest.approx(costs.dollars(hours, 2.5))
    assert costs.days_on(costs.ACCELERATORS["H100"])(flops, 0.4, 1024) == pytest.approx(hours / 1024 / 24)
    assert costs.weight_bytes(70e9) == 140e9
    assert costs.serving_bytes(70e9, 1e5, 327_680, bits=4) == 35e9 + 327_680 * 1e5
    with pytest.raises(bl.InputError, match=r"'h100' is not one of .*Did you mean 'H100'"):
        costs.hours_on("h100")
