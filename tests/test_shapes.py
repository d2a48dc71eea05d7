"""`bl.shapes`: parameters of published models, and the shapes that there are."""

from typing import Any

import numpy as np
import pytest

import bayeslaw as bl

GPT: dict[str, Any] = {"gated": False, "tied": True, "biases": True}
# The parameters of the published weights, as their model pages on Hugging Face count them (Gemma's also in the header of
# its GGUF file), and the shapes of their configurations: layers, width, heads, width of feed-forward layers, vocabulary.
EXACT = {
    "Llama-2-7B": ((32, 4096, 32, 11008, 32000), {}, 6_738_415_616),
    "Llama-2-13B": ((40, 5120, 40, 13824, 32000), {}, 13_015_864_320),
    "Llama-2-70B": ((80, 8192, 64, 28672, 32000), {"kv_heads": 8}, 68_976_648_192),
    "Llama-3-8B": ((32, 4096, 32, 14336, 128256), {"kv_heads": 8}, 8_030_261_248),
    "Llama-3.1-405B": ((126, 16384, 128, 53248, 128256), {"kv_heads": 8}, 405_853_388_800),
    "Llama-3.2-1B": ((16, 2048, 32, 8192, 128256), {"kv_heads": 8, "tied": True}, 1_235_814_400),
    "Gemma-7B": ((28, 3072, 16, 24576, 256000), {"head_dim": 256, "tied": True}, 8_537_680_896),
    "GPT-2": ((12, 768, 12, 3072, 50257), {**GPT, "positions": 1024}, 124_439_808),
    "GPT-2 XL": ((48, 1600, 25, 6400, 50257), {**GPT, "positions": 1024}, 1_557_611_200),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_published_models_have_exactly_as_many_parameters(name: str) -> None:
    shape, options, published = EXACT[name]
    found = bl.shapes.count(*shape, **options)
    assert found["params"] == published
    ends = shape[4] * shape[1] * (1 if options.get("tied") else 2) + options.get("positions", 0) * shape[1]
    assert found["nonembedding_params"] == published - ends


def test_papers_round_their_sizes() -> None:
    """GPT-3 is "175.0B" (Brown et al. 2020, Table 2.1); Chinchilla "70B", of 80 layers of width 8192 (Hoffmann et al. 2022,
    Table 4), whose relative positions take one more matrix of that width a layer, which `count` leaves out."""
    gpt3 = bl.shapes.count(96, 12288, 96, 4 * 12288, 50257, positions=2048, **GPT)["params"]
    assert gpt3 == pytest.approx(175e9, rel=0.003)
    chinchilla = bl.shapes.count(80, 8192, 64, 4 * 8192, 32000, gated=False, tied=True)["params"]
    assert chinchilla + 80 * 8192**2 == pytest.approx(70e9, rel=0.002)


def test_a_mixture_counts_all_experts_and_those_of_a_token() -> None:
    """Mixtral 8x7B: 46,702,792,704 parameters by its weights, of which 12.9B are active (Jiang et al. 2024, section 1)."""
    found = bl.shapes.count(32, 4096, 32, 14336, 32000, kv_heads=8, experts=8, experts_per_token=2)
    assert found["total_params"] == 46_702_792_704
    assert found["active_params"] == pytest.approx(12.9e9, rel=0.002)
    assert "params" not in found


def test_a_table_holds_the_published_shapes() -> None:
    table = bl.shapes.transformers(("6B", "14B"))
    for name in ("Llama-2-7B", "Llama-2-13B"):
        (layers, width, heads, d_ff, entries), _, params = EXACT[name]
        row = table.query(f"n_layers == {layers} and d_model == {width}").iloc[0]
        assert tuple(row[["n_heads", "kv_heads", "d_ff", "vocab_size", "params"]]) == (
            heads,
            heads,
            d_ff,
            entries,
            params,
        )
    (layers, width, *_), _, params = EXACT["Llama-2-70B"]
    shared = bl.shapes.transformers(("60B", "80B"), kv_heads=8, ff_ratio=3.5)
    assert shared.query(f"n_layers == {layers} and d_model == {width}")["params"].item() == params
    assert (shared["n_heads"] % 8 == 0).all()


def test_every_shape_of_a_table_is_one_that_was_asked_for() -> None:
    table = bl.shapes.transformers(
        (1e9, 2e10), aspect=(80, 120), width_multiple=512, layer_multiple=4, vocab_size=50304
    )
    assert table["params"].is_monotonic_increasing
    assert table["params"].between(1e9, 2e10).all()
    assert (table["d_model"] / table["n_layers"]).between(80, 120).all()
    assert (table["d_model"] % 512 == 0).all()
    assert (table["n_layers"] % 4 == 0).all()
    assert (table["d_ff"] >= table["d_model"] * 8 / 3 - 1e-6).all()
    assert (table["d_ff"] < table["d_model"] * 8 / 3 + 256).all()
    # All of them: by trying every pair.
    pairs = [
        bl.shapes.count(n, d, d // 128, -(-8 * d // 768) * 256, 50304)["params"]
        for d in range(512, 8193, 512)
        for n in range(4, 101, 4)
        if 80 <= d / n <= 120
    ]
    assert len(table) == np.sum((np.array(pairs) >= 1e9) & (np.array(pairs) <= 2e10))
    mixed = bl.shapes.transformers((1e10, 1e11), experts=8, experts_per_token=2)
    assert mixed["total_params"].between(1e10, 1e11).all()
    assert (mixed["active_params"] < mixed["total_params"]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"params": (1e9, 1e8)}, r'params is the least and the most of it, such as \("30B", "130B"\)'),
        ({"params": 1e9}, "params is the least and the most"),
        ({"aspect": (0, 100)}, "aspect is the least and the most"),
        ({"head_dim": 0}, "head_dim is a whole number"),
        ({"layer_multiple": 1.5}, "layer_multiple is a whole number"),
        ({"ff_ratio": -1.0}, "ff_ratio is d_ff / d_model"),
        (
            {"params": (1e9, 1.001e9), "width_multiple": 4096},
            "no shape has 1B to 1B parameters with d_model a multiple of",
        ),
        ({"params": (1e9, 1e15), "width_multiple": 1, "head_dim": 1}, "pairs of a width and a depth"),
    ],
)
def test_what_cannot_be_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(bl.InputError, match=message):
        bl.shapes.transformers(**options)
