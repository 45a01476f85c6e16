"""The fit directory: written whole or not at all, read back without surprises."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gainlaw._io import sha256_file, write_frame_atomic, write_text_atomic
from gainlaw.errors import InputError, Problem
from gainlaw.fitting.diagnostics import Diagnostics
from gainlaw.fitting.record import RECORD_VERSION
from gainlaw.notes import Note

if TYPE_CHECKING:
    from gainlaw.fitting.core import Fit

__all__ = ["FILES", "load_fit", "save_fit"]

FILES = ("fit.json", "posterior.nc", "estimates.csv", "diagnostics.json", "gains.csv")
"""What every fit directory holds; ``evaluations.csv`` and ``scale_*`` may be there too."""


def save_fit(fit: Fit, path: Path, *, overwrite: bool = False) -> Path:
    """Write a fit to a directory.

    The files are written beside the target and moved there in one step.

    Parameters
    ----------
    fit : Fit
        The fit.
    path : Path
        The directory.
    overwrite : bool
        Replace a fit directory that is there.

    Raises
    ------
    InputError
        If `path` exists and is not an empty directory (or a fit directory that may be replaced).
    """
    check_target(path, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        _write_tree(fit, temporary / "posterior.nc")
        write_frame_atomic(fit.estimates, temporary / "estimates.csv")
        fit.gains.write(temporary / "gains.csv")
        if fit.gains.evaluations is not None:
            fit.gains.evaluations.write(temporary / "evaluations.csv")
        assert fit.diagnostics is not None
        write_text_atomic(temporary / "diagnostics.json", _json(fit.diagnostics.to_dict()))
        files = {each.name: sha256_file(each) for each in sorted(temporary.iterdir()) if each.is_file()}
        write_text_atomic(temporary / "fit.json", _json({**fit.record, "files": files}))
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return path


def check_target(path: Path, *, overwrite: bool = False) -> None:
    """Raise an `InputError` if a fit cannot be written to `path`; call it before any work."""
    if not path.exists():
        return
    if not path.is_dir():
        raise InputError(Problem(f"{path} is a file", hint="name a directory for the fit"))
    if not any(path.iterdir()):
        return
    if not (path / "fit.json").exists():
        raise InputError(
            Problem(f"{path} is not empty and not a fit directory", hint="name another directory")
        )
    if not overwrite:
        raise InputError(
            Problem(f"{path} holds a fit already", hint="name another directory, or ask to overwrite")
        )


def load_fit(path: str | Path) -> Fit:
    """Read a fit directory.

    Parameters
    ----------
    path : path
        The directory.

    Returns
    -------
    Fit

    Raises
    ------
    InputError
        If files are missing, changed since they were written, or of a newer version.

    Examples
    --------
    >>> import gainlaw as gl
    >>> gl.load_fit("fits/main").summary("overall")  # doctest: +SKIP
    """
    from gainlaw.fitting.core import Fit
    from gainlaw.gains import read_gains
    from gainlaw.hierarchy.problem import specify
    from gainlaw.laws import law

    path = Path(path)
    record = _read_record(path)
    gains = read_gains(path / "gains.csv", unit="points", params_unit="1")
    from dataclasses import replace

    evaluations = None
    if (path / "evaluations.csv").exists():
        from gainlaw.evaluations import read_evaluations

        evaluations = read_evaluations(path / "evaluations.csv", params_unit="1")
    data = record["data"]
    notes = tuple(Note.from_dict(note) for note in data.get("notes", ()))
    gains = replace(gains, source=data["source"], sha256=data["sha256"], evaluations=evaluations, notes=notes)
    model, used = record["model"], record["arguments"]["resolved"]
    spec = specify(
        gains,
        law(model["law"]),
        terms=used["terms"],
        exclude=used["exclude"],
        covariates=used["covariates"],
        priors=model["priors"],
        tree=used.get("tree", False),
        baselines=used.get("baselines", "free"),
    )
    estimates = pd.read_csv(
        path / "estimates.csv", keep_default_na=False, na_values={c: [""] for c in _NUMERIC}
    )
    return Fit(
        spec=spec,
        gains=gains,
        posterior=_read_tree(path / "posterior.nc"),
        estimates=estimates,
        diagnostics=Diagnostics.from_dict(json.loads((path / "diagnostics.json").read_text("utf-8"))),
        record={key: value for key, value in record.items() if key != "files"},
        path=path,
    )


_NUMERIC = (
    "params", "mean", "sd", "median", "ci_low", "ci_high", "ci_prob", "p_positive", "p_negative", "rhat", "ess_bulk",
    "ess_tail", "prior_share",
)  # fmt: skip


def _read_record(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise InputError(
            Problem(f"{path} is not a directory", hint="give the directory that `gainlaw fit -o` made")
        )
    missing = [name for name in FILES if not (path / name).exists()]
    if missing:
        raise InputError(
            Problem(
                f"{path} is not a fit directory: no {', '.join(missing)}",
                hint="make one with `gainlaw fit -o`",
            )
        )
    try:
        record = json.loads((path / "fit.json").read_text("utf-8"))
        version = int(record["record_version"])
        files = dict(record["files"])
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise InputError(Problem(f"{path / 'fit.json'} cannot be read: {error}", hint="fit again")) from None
    if version > RECORD_VERSION:
        raise InputError(
            Problem(
                f"{path} was written by a newer version ({record.get('gainlaw_version')})",
                hint="update gainlaw",
            )
        )
    changed = [
        name
        for name, digest in files.items()
        if not (path / name).exists() or sha256_file(path / name) != digest
    ]
    if changed:
        raise InputError(
            [Problem(f"{path / name} was changed after the fit", hint="fit again") for name in changed],
            source=str(path),
        )
    return record


def _write_tree(fit: Fit, path: Path) -> None:
    """Write the draws as NetCDF, float32 where 7 digits are plenty (everything but the posterior).

    Draws hardly compress: a tenth of the space is not worth the time of every later reading.
    """
    encoding: dict[str, dict[str, Any]] = {}
    for group in ("prior", "log_likelihood", "posterior_predictive"):
        encoding[f"/{group}"] = {
            str(name): {"dtype": "float32"}
            for name, variable in fit.posterior[group].data_vars.items()
            if variable.dtype.kind == "f"
        }
    fit.posterior.to_netcdf(path, engine="h5netcdf", encoding=encoding)


def _read_tree(path: Path) -> Any:
    import xarray as xr

    try:
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            return tree.load()
    except (OSError, ValueError) as error:
        raise InputError(Problem(f"{path} cannot be read: {error}", hint="fit again")) from None


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False, default=_plain, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} does not belong in a record")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
