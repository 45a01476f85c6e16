"""The fit directory: written whole or not at all, read back without surprises."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gainlaw._directory import new_directory
from gainlaw._io import sha256_file, write_bytes_atomic, write_frame_atomic, write_text_atomic
from gainlaw._listing import FIT, listed_files
from gainlaw.errors import InputError, Problem
from gainlaw.fitting.checks.diagnostics import Diagnostics
from gainlaw.fitting.provenance import RECORD_VERSION, describe_model, plain, seal
from gainlaw.fitting.record import FitRecord
from gainlaw.notes import Note
from gainlaw.scores.gains.table import covariance_path

__all__ = ["FILES", "load_fit", "read_record", "save_fit", "write_fit"]

FILES = ("fit.json", "posterior.nc", "estimates.csv", "diagnostics.json", "gains.csv")
"""What every fit directory holds; ``evaluations.csv`` and ``scale_*`` may be there too."""


def save_fit(fit: FitRecord, path: Path, *, overwrite: bool = False) -> Path:
    """Write a fit to a directory, whole or not at all.

    Parameters
    ----------
    fit : Fit
        The fit.
    path : Path
        The directory.
    overwrite : bool
        Replace a fit that is there. Files in the directory that do not belong to it stay.

    Raises
    ------
    InputError
        If the directory cannot be written, or holds anything but a fit that may be replaced.
    """
    with new_directory(path, FIT, overwrite=overwrite) as folder:
        write_fit(fit, folder)
    return path


def write_fit(fit: FitRecord, folder: Path) -> None:
    """Write the files of a fit into an empty directory.

    Parameters
    ----------
    fit : Fit
        The fit.
    folder : Path
        The directory, as `gainlaw._directory.new_directory` gives it.
    """
    write_bytes_atomic(folder / "posterior.nc", _tree_bytes(fit))
    write_frame_atomic(fit.estimates, folder / "estimates.csv")
    fit.gains.write(folder / "gains.csv")
    if fit.gains.evaluations is not None:
        fit.gains.evaluations.write(folder / "evaluations.csv")
    write_text_atomic(folder / "diagnostics.json", _json(fit.diagnostics.to_dict()))
    files = {each.name: sha256_file(each) for each in sorted(folder.iterdir())}
    write_text_atomic(folder / "fit.json", _json(seal({**fit.record, "files": files})))


def load_fit(path: str | Path) -> FitRecord:
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
        If files are missing, changed since they were written, or of another version.

    Examples
    --------
    >>> import gainlaw as gl
    >>> gl.load_fit("fits/main").summary("overall")  # doctest: +SKIP
    """
    path = Path(path)
    while True:  # a directory that was replaced while it was read is read again
        before = _identity(path)
        try:
            fit = _load(path)
        except (InputError, OSError):
            if _identity(path) == before:
                raise
        else:
            if _identity(path) == before:
                return fit


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _load(path: Path) -> FitRecord:
    from gainlaw.laws.record import read_law
    from gainlaw.model.spec.problem import build_problem, specify
    from gainlaw.model.spec.tree import read_relations
    from gainlaw.scores.gains.cells.reading import read_gains

    record = read_record(path)
    gains = read_gains(path / "gains.csv", unit="points", params_unit="1")
    evaluations = None
    if "evaluations.csv" in record["files"]:
        from gainlaw.scores.evaluations.table import read_evaluations

        evaluations = read_evaluations(path / "evaluations.csv", params_unit="1")
    data = record["data"]
    notes = tuple(Note.from_dict(note) for note in data.get("notes", ()))
    gains = replace(
        gains,
        source=data["source"],
        sha256=data["sha256"],
        evaluations=evaluations,
        notes=notes,
        lines=None,
    )
    model, used = record["model"], record["arguments"]["resolved"]
    try:
        spec = specify(
            gains,
            read_law(model["law_record"]),
            terms=used["terms"],
            exclude=used["exclude"],
            covariates=used["covariates"],
            priors=model["priors"],
            tree=read_relations(used.get("tree", False)),
            baselines=used.get("baselines", "free"),
        )
        problem, differs = build_problem(gains, spec), _differences(describe_model(spec), model)
    except InputError as error:
        differs = error.problems[0].message
    if differs:
        what = f"{path} was fitted by version {record['gainlaw_version']}, whose model of these gains was another one"
        raise InputError(Problem(f"{what}: {differs}", hint="fit again"))
    estimates = pd.read_csv(
        path / "estimates.csv", keep_default_na=False, na_values={c: [""] for c in _NUMERIC}
    )
    return FitRecord(
        problem=problem,
        gains=gains,
        draws=_read_tree(path / "posterior.nc"),
        estimates=estimates,
        diagnostics=Diagnostics.from_dict(json.loads((path / "diagnostics.json").read_text("utf-8"))),
        record={key: value for key, value in record.items() if key != "files"},
        path=path,
    )


def _differences(here: dict[str, Any], there: dict[str, Any]) -> str:
    """Return what a model that is made anew has and its record has not, where draws would be read wrongly."""
    keys = ("terms", "residual", "covariates", "likelihood")
    found = [key for key in keys if json.loads(json.dumps(here[key])) != there[key]]
    return ", ".join(found)


_NUMERIC = (
    "params", "mean", "sd", "median", "ci_low", "ci_high", "ci_prob", "p_positive", "p_negative", "rhat", "ess_bulk",
    "ess_tail", "prior_share",
)  # fmt: skip


def read_record(path: Path) -> dict[str, Any]:
    """Return the record of a fit directory, once every file in it is what the record says.

    Parameters
    ----------
    path : Path
        The directory.

    Raises
    ------
    InputError
        If files are missing, changed since they were written, or of another version.
    """
    hint = "give the directory that `gainlaw fit -o` made"
    if not path.is_dir():
        raise InputError(Problem(f"{path} is not a directory", hint=hint))
    missing = [name for name in FILES if not (path / name).exists()]
    if missing:
        raise InputError(Problem(f"{path} is not a fit directory: no {', '.join(missing)}", hint=hint))
    files = listed_files(path, "fit.json")
    record = json.loads((path / "fit.json").read_text("utf-8"))
    version, written = record.get("record_version"), record.get("gainlaw_version")
    if version != RECORD_VERSION:
        newer = isinstance(version, int) and version > RECORD_VERSION
        raise InputError(
            Problem(
                f"{path} was written by {'a newer' if newer else 'an older'} version ({written})",
                hint="update gainlaw" if newer else "fit again",
            )
        )
    if record.get("sha256") != seal(record)["sha256"]:
        raise InputError(Problem(f"{path / 'fit.json'} was changed after the fit", hint="fit again"))
    unlisted = [name for name in FILES if name not in files and name != "fit.json"]
    odd = [name for name in files if (path / name).exists() and not (path / name).is_file()]
    problems = [Problem(f"fit.json does not list {name}", hint="fit again") for name in unlisted]
    problems += [Problem(f"{path / name} is no regular file") for name in odd]
    side = covariance_path("gains.csv").name
    if (path / side).exists() and side not in files:
        problems.append(Problem(f"{path / side} came later than the fit", hint="remove it"))
    if not problems:
        problems = [
            Problem(f"{path / name} was changed after the fit", hint="fit again")
            for name, digest in files.items()
            if not (path / name).exists() or sha256_file(path / name) != digest
        ]
    if problems:
        raise InputError(problems, source=str(path))
    return record


def _tree_bytes(fit: FitRecord) -> memoryview:
    """Return the draws as NetCDF, float32 where 7 digits are plenty (everything but the posterior).

    Draws hardly compress: a tenth of the space is not worth the time of every later reading. The file is made in
    memory: the library that writes it does not survive a full disk.
    """
    encoding: dict[str, dict[str, Any]] = {}
    for group in ("prior", "log_likelihood", "log_prior", "posterior_predictive"):
        encoding[f"/{group}"] = {
            str(name): {"dtype": "float32"}
            for name, variable in fit.draws[group].data_vars.items()
            if variable.dtype.kind == "f"
        }
    data: memoryview = fit.draws.to_netcdf(None, engine="h5netcdf", encoding=encoding)
    return data


def _read_tree(path: Path) -> Any:
    """Return the draws as `_tree_bytes` wrote them, by the library below xarray's, which takes a tenth of the time."""
    import h5py
    import xarray as xr

    try:
        with h5py.File(path, "r") as file:
            _check_sizes(file, path.stat().st_size)
            return xr.DataTree.from_dict({name: _read_group(group) for name, group in file.items()})
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise InputError(Problem(f"{path} cannot be read: {error}", hint="fit again")) from None


def _read_group(group: Any) -> Any:
    """Return a group of a NetCDF file."""
    import h5py
    import xarray as xr

    variables = {}
    for name, item in group.items():
        if _is_bare(item):
            continue
        named = item.attrs.get("DIMENSION_LIST")
        dims = [group[each[0]].name.rsplit("/", 1)[1] for each in named] if named is not None else [name]
        values = item.asstr()[()].astype(str) if h5py.check_string_dtype(item.dtype) else item[()]
        # NetCDF has no truth values: they are numbers with a mark.
        variables[name] = (dims, values.astype(bool) if item.attrs.get("dtype") == "bool" else values)
    attributes = {name: np.asarray(value).item() for name, value in group.attrs.items()}
    return xr.Dataset(variables, attrs=attributes)


def _is_bare(item: Any) -> bool:
    """Return whether an item is a dimension without coordinates, which is kept as an array without values."""
    return b"not a netCDF variable" in bytes(item.attrs.get("NAME", b""))


def _check_sizes(file: Any, size: int) -> None:
    """Raise a ValueError if a file declares more numbers than it holds, before anything makes room for them."""
    import h5py

    declared = 0

    def count(name: str, item: object) -> None:
        nonlocal declared
        if isinstance(item, h5py.Dataset) and not _is_bare(item):
            declared += item.size * item.dtype.itemsize

    file.visititems(count)
    if declared > size:
        raise ValueError(f"it declares {declared:,} bytes of numbers and holds {size:,}")


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False, default=plain, allow_nan=False) + "\n"
