"""The command line, as a person types it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw import cli


def run(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `bayeslaw words...`."""
    before = sys.argv
    sys.argv = ["bayeslaw", *words]
    try:
        with pytest.raises(SystemExit) as left:
            cli.main()
    finally:
        sys.argv = before
    out, err = capfd.readouterr()
    return int(left.value.code or 0), out, err


@pytest.fixture(scope="module")
def saved(posterior: bl.Posterior, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("cli") / "fit.nc"
    posterior.save(path)
    return str(path)


def test_allocate_on_shipped_data(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "allocate", "chinchilla", "--flops", "5.76e23")
    assert code == 0
    assert "234 runs" in out
    assert "tokens_per_param" in out
    assert "5.76e+23" in out
    assert "decades above the runs" in out


def test_a_file_of_ones_own_and_a_saved_fit(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    csv, fit, plot = tmp_path / "runs.csv", tmp_path / "fit.nc", tmp_path / "plan.png"
    bl.load_chinchilla().rename(columns={"params": "N", "tokens": "D"}).to_csv(csv, index=False)
    code, out, _ = run(capfd, "fit", "chinchilla", str(csv), "--columns", "N=params,D=tokens", "-o", str(fit))
    assert code == 0
    assert f"saved to {fit}" in " ".join(out.split())
    code, out, _ = run(capfd, "allocate", str(fit), "--flops", "1e24,1e25", "--json", "--plot", str(plot))
    assert code == 0
    found = json.loads(out)
    assert [one["given"]["flops"] for one in found["scenarios"]] == [1e24, 1e25]
    assert plot.read_bytes().startswith(b"\x89PNG")
    summary = bl.allocate(bl.load(fit), flops=[1e24, 1e25]).summary(0.9)
    assert found["scenarios"][1]["optimum"]["params"]["median"] == summary.loc[(1e25, "params"), "median"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit.nc", "plan.png", "runs.csv"]


def test_penalised_hyperparameters(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A sweep with a wrong learning rate here and there, and the learning rate to use."""
    csv, fit = tmp_path / "sweep.csv", tmp_path / "fit.nc"
    made = bl.make_chinchilla(120, seed=1)
    off = np.random.default_rng(0).uniform(-1.5, 1.5, len(made))
    made.assign(lr=1e-3 * np.exp(off), loss=made.loss * np.exp(0.02 * off**2)).to_csv(csv, index=False)
    code, out, _ = run(capfd, "fit", "chinchilla", str(csv), "--penalise", "lr", "-o", str(fit))
    assert code == 0, out
    assert "Penalised, UntunedT noise, 120 runs" in out
    words = ["--decision", "hyperparameters", "--given", "params=7B", "--given", "tokens=140B", "--json"]
    code, out, _ = run(capfd, "allocate", str(fit), *words)
    assert code == 0
    best = json.loads(out)["scenarios"][0]["optimum"]["lr"]
    assert best["lower"] < 1.1e-3  # the truth is 1e-3 at all sizes; these are ten-fold beyond most runs
    assert best["upper"] > 0.9e-3
    code, _, err = run(capfd, "fit", "chinchilla", str(csv), "--penalise", "momentum")
    assert code == 2
    assert "'momentum' has no default penalty" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["allocate", "chinchila", "--flops", "1e24"],
            "there is no law or file 'chinchila'.*Did you mean 'chinchilla'",
        ),
        (["allocate", "chinchilla"], "That depends on flops: add --flops"),
        (["allocate", "none.nc", "--flops", "1e24"], "there is no file 'none.nc'"),
        (["allocate", "FIT", "--flops", "1e24,x"], "'x' is not a number; write 7e9"),
        (["allocate", "FIT", "--flops", "10"], "flops = 10 cannot be met"),
        (["allocate", "FIT", "--flops", "1e24", "--given", "x"], "write NAME=VALUES"),
        (["allocate", "FIT", "--flops", "1e24", "--given", "x=1"], "'x' is not a quantity of this decision"),
        (["allocate", "FIT", "--flops", "1e24", "--plot", "x.gif"], "must end in .png or .pdf or .svg"),
        (["allocate", "FIT", "--flops", "1e24", "--plot", "no/x.png"], "there is no folder 'no'"),
        (["allocate", "FIT", "--flops", "1e24", "--prob", "90"], "--prob is the credible mass"),
        (
            ["allocate", "FIT", "--flops", "1e24", "--decision", "best"],
            "there is no decision 'best'; this law has comp",
        ),
        (["allocate", "FIT", "runs.csv", "--flops", "1e24"], "is a saved fit and has its runs inside"),
        (["fit", "chinchilla", "none.csv"], "there is no file 'none.csv'"),
        (["fit", "chinchilla", "-o", "fit.txt"], "must end in .nc"),
        (["fit", "chinchilla", "--columns", "N=params"], "--columns is for your own runs"),
        (["fit", "chinchilla", "x.csv", "--columns", "N"], "write yours=ours pairs"),
        (["data", "penguins"], "there is no data set 'penguins'"),
    ],
)
def test_bad_input_is_one_sentence(
    capfd: pytest.CaptureFixture[str], saved: str, words: list[str], sentence: str
) -> None:
    import re

    code, out, err = run(capfd, *(saved if word == "FIT" else word for word in words))
    assert code == 2
    assert out == ""
    assert err.startswith("bayeslaw: ")
    assert err.count("\n") == 1
    assert re.search(sentence, err)


def test_a_bad_posterior_exits_with_one(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "fit", "chinchilla", "--draws", "20", "--json")
    found = json.loads(out)
    assert code == 1
    assert not found["ok"]
    assert any(one["serious"] for one in found["status"])


def test_remarks_about_the_data_reach_the_terminal(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    csv = tmp_path / "runs.csv"
    runs = bl.load_chinchilla().drop(columns="tokens")
    runs.assign(outlier=[True] + [False] * 233).to_csv(csv, index=False)
    code, out, _ = run(capfd, "allocate", "chinchilla", str(csv), "--flops", "1e21", "--json")
    assert code == 0
    text = " ".join(one["text"] for one in json.loads(out)["status"])
    assert "tokens; it was computed as flops / (6 * params)" in text
    assert "1 rows flagged 'outlier' are in the fit" in text


def test_lists(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "laws")
    assert code == 0
    assert "chinchilla" in out
    assert "compute_optimal" in out
    code, out, _ = run(capfd, "data")
    assert code == 0
    assert "chinchilla_epoch" in out
    code, out, _ = run(capfd, "data", "chinchilla")
    assert code == 0
    assert "Apache" in out


def test_help_does_not_import_jax() -> None:
    script = (
        "import sys; sys.argv = ['bayeslaw', 'allocate', '--help']\n"
        "from bayeslaw.cli import main\n"
        "try: main()\n"
        "except SystemExit: print('jax' in sys.modules, 'numpy' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("False False False")
    assert "5.76e23" in done.stdout
