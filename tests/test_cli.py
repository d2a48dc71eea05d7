"""The command line, as a person types it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw import cli
from bayeslaw.models import Chinchilla, Overtraining


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


def test_one_plan_with_its_risk_and_limits(capfd: pytest.CaptureFixture[str], saved: str, tmp_path: Path) -> None:
    plot = tmp_path / "regret.png"
    words = ["--flops", "1e24", "--risk", "cvar:0.8", "--at-most", "tokens=1T"]
    code, out, _ = run(capfd, "choose", saved, *words, "--plot", str(plot))
    assert code == 0
    assert "Recommended" in out
    assert "CVaR(level=0.8)" in out
    notes = [line for line in out.splitlines() if line.startswith("note:")]
    assert 0 < len(notes) == len(set(notes))
    assert plot.read_bytes().startswith(b"\x89PNG")
    code, out, _ = run(capfd, "choose", saved, *words, "--json")
    found = json.loads(out)
    wanted = bl.choose(bl.load(saved), flops=1e24, risk=bl.CVaR(0.8), subject_to={"tokens": 1e12})
    assert found["plans"] == [{"flops": 1e24, "params": pytest.approx(wanted.action["params"].item())}]
    assert {"recommended", "plug-in"} <= {row["option"] for row in found["options"]}
    code, out, _ = run(capfd, "choose", saved, "--flops", "1e24", "--at-least", "loss=1.5@0.9", "--misfit")
    assert code == 0
    assert "Misfit(Chinchilla)" in out


def test_pilot_runs_to_buy(capfd: pytest.CaptureFixture[str], saved: str, tmp_path: Path) -> None:
    csv, buy = tmp_path / "candidates.csv", tmp_path / "buy.csv"
    csv.write_text("params,tokens\n1B,20B\n10B,50B\n")
    code, out, _ = run(capfd, "next-runs", saved, str(csv), "--flops", "1e24", "--price", "0", "-o", str(buy))
    assert code == 0
    assert "Expected regret" in out
    assert buy.read_text().startswith("params,tokens,cost,spent,regret")
    code, out, _ = run(capfd, "next-runs", saved, str(csv), "--flops", "1e24", "--price", "1", "--json")
    assert json.loads(out)["stop"]


@pytest.mark.pages
def test_a_report(capfd: pytest.CaptureFixture[str], saved: str, tmp_path: Path) -> None:
    """All that decides what the page says is passed on; tests/test_report.py reads pages."""
    page = tmp_path / "report.html"
    words = ["--flops", "1e24,1e23", "--prob", "0.8", "-o", str(page)]
    code, out, _ = run(capfd, "report", saved, *words)
    assert code == 0
    assert f"page written to {page}" in " ".join(out.split())
    text = page.read_text(encoding="utf-8")
    assert "80 %: " in text
    assert "bayeslaw report fit.nc -o report.html --flops 1e+24,1e+23 --prob 0.8" in text


def test_labels_are_given_like_numbers(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Which corpus, of a law that differs from corpus to corpus."""
    runs = bl.load_chinchilla().assign(corpus=["one", "2"] * 117)
    fit = tmp_path / "fit.nc"
    with pytest.warns(UserWarning, match="not a result yet"):
        bl.fit(bl.Pooled(Chinchilla, runs, by="corpus"), runs, draws=20).save(fit)
    words = ["allocate", str(fit), "--flops", "1e24", "--given", "corpus=one,2", "--json"]
    _, out, _ = run(capfd, *words)
    assert [one["given"]["corpus"] for one in json.loads(out)["scenarios"]] == ["one", "2"]
    code, _, err = run(capfd, *words[:4], "--given", "corpus=three")
    assert code == 2
    assert "'three'" in err
    assert "the law knows one, 2" in err


def test_laws_are_checked_compared_and_tested(capfd: pytest.CaptureFixture[str], saved: str, tmp_path: Path) -> None:
    code, out, _ = run(capfd, "check", saved)
    assert code == 0
    assert "LOO-PIT" in out
    other, csv = tmp_path / "overtraining.nc", tmp_path / "runs.csv"
    runs = bl.load(saved).runs
    runs.to_csv(csv, index=False)
    bl.fit(Overtraining, runs, seed=1).save(other)
    code, out, _ = run(capfd, "compare", saved, str(other), "--json")
    assert code == 0
    assert sum(row["weight"] for row in json.loads(out)["laws"]) == pytest.approx(1.0)
    words = ["backtest", "chinchilla", "--runs", str(csv), "--split", "flops > 1e21", "--draws", "200"]
    code, out, _ = run(capfd, *words, "--json")
    (row,) = json.loads(out)["methods"]
    assert 0 <= row["inside_90"] <= 1
    assert code in (0, 1)  # 800 draws need not be a result; then scripts must notice


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
        (["choose", "FIT", "--flops", "1e24", "--risk", "luck"], "--risk 'luck' is not a measure of risk"),
        (["choose", "FIT", "--flops", "1e24", "--risk", "cvar:2"], "between 0 and 1"),
        (["choose", "FIT", "--flops", "1e24", "--at-most", "loss"], "write NAME=BOUND or NAME=BOUND@PROBABILITY"),
        (["choose", "FIT", "--flops", "1e24", "--at-most", "loss=1.2@0.9"], "no action keeps loss at most 1.2"),
        (["next-runs", "FIT", "none.csv", "--flops", "1e24"], "there is no file 'none.csv'"),
        (["next-runs", "FIT", "none.csv", "--flops", "1e24", "-o", "buy.txt"], "must end in .csv"),
        (["report", "FIT", "-o", "page.pdf"], "must end in .html"),
        (["report", "FIT", "--given", "tokens=1e12"], "'tokens' is not a quantity of this decision"),
        (["report", "FIT", "--given", "params=x"], "'x' is not a number; write 7e9"),
        (["report", "FIT", "--decision", "best"], "there is no decision 'best'"),
        (["compare", "FIT", "FIT"], "is there twice"),
        (["backtest", "chinchilla", "--split", "flops > x"], "flops > x"),
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
