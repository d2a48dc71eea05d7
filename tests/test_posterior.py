"""`Posterior`: summaries, statuses, ArviZ groups, and a file that carries everything."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import arviz as az
import numpy as np
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw._codec import decode, encode
from bayeslaw._joint import as_joint
from bayeslaw._tree import float64
from bayeslaw.models import Chinchilla


def test_summary_agrees_with_arviz(posterior: bl.Posterior) -> None:
    ours = posterior.summary(prob=0.9)
    theirs = az.summary(posterior.tree, round_to="none", ci_prob=0.9, ci_kind="eti")
    for name in posterior.draws:
        assert ours["mean"][name] == pytest.approx(theirs["mean"][name], rel=1e-9)
        assert ours["sd"][name] == pytest.approx(theirs["sd"][name], rel=1e-3)
        assert ours["r_hat"][name] == pytest.approx(theirs["r_hat"][name], rel=1e-9)
        assert ours["ess_bulk"][name] == pytest.approx(theirs["ess_bulk"][name], rel=1e-9)


def test_derived_quantities(posterior: bl.Posterior) -> None:
    law = posterior.law
    np.testing.assert_allclose(posterior.derived["A"], law.a * 1e9**law.alpha, rtol=1e-12)
    np.testing.assert_allclose(posterior.derived["optimal_params_exponent"], law.beta / (law.alpha + law.beta))
    assert list(posterior.summary().index[-3:]) == ["A", "B", "optimal_params_exponent"]
    assert law.alpha.shape == posterior.shape == (4, 1000)
    assert posterior.noise.scale.shape == (4, 1000)


def test_groups_for_arviz(posterior: bl.Posterior) -> None:
    full = posterior.with_groups()
    assert {"log_likelihood", "posterior_predictive", "prior", "prior_predictive"} <= set(full.tree.children)
    assert "prior" not in posterior.tree.children
    loo = az.loo(full.tree)
    assert loo.elpd == pytest.approx(float(full.tree["log_likelihood"]["loss"].mean(("chain", "draw")).sum()), abs=20)
    # Prior predictive of the card: L(1e9, 2e10) lies in 1.69 to 5.2 nats (90 %); here the runs nearest to it.
    runs = posterior.runs
    near = int((np.log(runs.params / 1e9) ** 2 + np.log(runs.tokens / 2e10) ** 2).argmin())
    low, high = np.quantile(full.tree["prior_predictive"]["loss"][0, :, near], [0.05, 0.95])
    assert 1.4 < low < 2.0
    assert 4.0 < high < 6.5
    with pytest.raises(bl.InputError, match="unknown group 'posteriors'"):
        posterior.with_groups("posteriors")


def test_a_good_posterior_has_no_remark(posterior: bl.Posterior) -> None:
    assert posterior.status == ()
    assert posterior.ok


def test_too_few_draws_are_a_problem() -> None:
    with pytest.warns(UserWarning, match="not a result yet"):
        short = bl.fit(Chinchilla, bl.load_chinchilla(), chains=2, draws=40, warmup=200)
    assert not short.ok
    assert any("ESS" in one.text and "raise draws" in one.text for one in short.status)
    assert "NOT OK" in repr(short)
    # and everything made from it says so
    assert any(one.serious for one in bl.allocate(short, flops=1e21).status)
    assert any(one.serious for one in bl.predict(short, {"params": 1e9, "tokens": 1e10}).status)


def test_prior_dominated_parameters_are_named() -> None:
    runs = bl.load_chinchilla().iloc[::20].assign(params=1e9)
    fitted = bl.fit(Chinchilla, runs, target_accept=0.99)
    text = "\n".join(map(str, fitted.status))
    assert "alpha" in text.split("the data hardly narrow")[1]
    assert "cannot inform E, a, alpha separately" in text


def test_round_trip(posterior: bl.Posterior, tmp_path: Path) -> None:
    path = tmp_path / "fit.nc"
    posterior.save(path)
    again = bl.load(path)
    for name, values in posterior.draws.items():
        np.testing.assert_array_equal(again.draws[name], values)
    assert [encode(again.prior), encode(again.noise_prior)] == [encode(posterior.prior), encode(posterior.noise_prior)]
    assert again.runs.equals(posterior.runs)
    assert again.status == posterior.status
    assert again.tree["observed_data"]["loss"].attrs["units"] == "nats/token"
    for key in ("seed", "warmup", "target_accept", "bayeslaw_version", "numpyro_version", "jax_version"):
        assert again.tree.attrs[key] == posterior.tree.attrs[key]
    one, two = (bl.allocate(p, flops=1e22).draws for p in (posterior, again))
    xr.testing.assert_identical(one, two)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("noise", [bl.StudentT, bl.LogNormal, bl.Normal, bl.OneSided])
@float64
def test_every_noise_survives_being_stored(noise: type[bl.AbstractNoise]) -> None:
    stored = json.loads(json.dumps(encode(as_joint(Chinchilla, noise).noise)))
    assert encode(decode(stored)) == stored


def test_files_that_are_not_fits(posterior: bl.Posterior, tmp_path: Path) -> None:
    with pytest.raises(bl.InputError, match="there is no file"):
        bl.load(tmp_path / "none.nc")
    (tmp_path / "text.nc").write_text("hello")
    with pytest.raises(bl.InputError, match="is not a fit saved by bayeslaw"):
        bl.load(tmp_path / "text.nc")
    xr.Dataset({"x": 1}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(bl.InputError, match="is not a fit saved by bayeslaw"):
        bl.load(tmp_path / "other.nc")
    posterior.save(tmp_path / "fit.nc")
    whole = (tmp_path / "fit.nc").read_bytes()
    (tmp_path / "half.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(bl.InputError, match="is not a fit saved by bayeslaw"):
        bl.load(tmp_path / "half.nc")


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ({"bayeslaw_format": 99, "bayeslaw_version": "9.0"}, "written by bayeslaw 9.0 in format 99; .*Upgrade"),
        ({"law": json.dumps({"module": "os.system", "fields": {}})}, "the fit is of os.system, which is not defined"),
        ({"noise": json.dumps({"distribution": "__import__", "arguments": {}})}, "is not a distribution that NumPyro"),
        ({"law": "{not json"}, "is not a fit saved by bayeslaw"),
        ({"law": json.dumps({"module": "bayeslaw.models.chinchilla.Chinchilla"})}, "is damaged: its law or noise"),
        ({"noise": json.dumps({"distribution": "Normal", "arguments": {"x": 1}})}, "is damaged: its law or noise"),
    ],
)
def test_newer_or_hostile_files(
    posterior: bl.Posterior, tmp_path: Path, attrs: dict[str, object], message: str
) -> None:
    posterior.save(tmp_path / "fit.nc")
    tree = xr.open_datatree(tmp_path / "fit.nc", engine="h5netcdf").load()
    tree.attrs |= attrs
    del tree.attrs["sha256"]  # whoever changes a file can leave it out
    tree.to_netcdf(tmp_path / "changed.nc", engine="h5netcdf")
    tree.close()
    with pytest.raises(bl.InputError, match=message):
        bl.load(tmp_path / "changed.nc")


def test_a_flipped_bit_is_found(posterior: bl.Posterior, tmp_path: Path) -> None:
    posterior.save(tmp_path / "fit.nc")
    content = bytearray((tmp_path / "fit.nc").read_bytes())
    content[content.index(posterior.draws["E"].tobytes()) + 7] ^= 1
    (tmp_path / "fit.nc").write_bytes(content)
    with pytest.raises(bl.InputError, match="is damaged: it does not hold what was written"):
        bl.load(tmp_path / "fit.nc")


@pytest.mark.parametrize("name", ["format_1.nc", "format_1_without_checksum.nc"])
def test_files_of_earlier_versions_are_read(name: str, record_property: Callable[[str, object], None]) -> None:
    """As they were written; these files stay, whatever becomes of the format."""
    found = bl.load(Path(__file__).parent / "golden" / name)
    assert found.prior.categories() == {"corpus": ("web", "code", "new")}
    assert found.shape == (2, 40)
    assert found.draws["base.alpha"].mean() == pytest.approx(0.3136943316867581, rel=1e-12)
    predicted = bl.predict(found, {"params": "7B", "tokens": "1T", "corpus": "web"}, misfit=False).summary()
    assert predicted["lower"].iloc[0] == pytest.approx(2.067582, rel=1e-6)  # printed digits
    record_property("kind", "Golden files, of each released form of the format")
    record_property("results", 1)


def test_a_file_has_the_rights_of_any_other(posterior: bl.Posterior, tmp_path: Path) -> None:
    posterior.save(tmp_path / "fit.nc")
    (tmp_path / "plain").touch()
    assert (tmp_path / "fit.nc").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_nothing_is_left_when_saving_fails(
    posterior: bl.Posterior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "fit.nc"
    target.write_text("the old file")

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        posterior.save(target)
    assert [path.name for path in tmp_path.iterdir()] == ["fit.nc"]
    assert target.read_text() == "the old file"
    with pytest.raises(bl.InputError, match="no folder"):
        posterior.save(tmp_path / "nowhere" / "fit.nc")


def test_notebook_view(posterior: bl.Posterior) -> None:
    html = posterior._repr_html_()
    assert "loss = E + a (params / 1e9)^-alpha" in html
    assert "alpha" in html
    assert "234 runs" in html
    assert "No remarks." in html
