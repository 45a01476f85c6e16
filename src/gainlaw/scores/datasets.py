"""The packaged scores: real published evaluations, ready to load by name."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from gainlaw._io import data_path, sha256_file
from gainlaw.errors import InputError, Problem
from gainlaw.options import require_choice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pandas as pd

    from gainlaw.scores.evaluations.table import Evaluations

__all__ = ["DATASETS", "Dataset", "list_datasets", "load_dataset", "load_dataset_table"]

Prompts = Literal["en", "human-translated", "machine-translated", "all"]
Aggregate = Literal["median", "max", "all"]
MULTILINGUAL_TASKS = ("xnli", "xcopa", "xstory_cloze", "xwinograd")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A packaged table of scores.

    Attributes
    ----------
    name, title : str
        The name to load it by, and what it is.
    file : str
        Its file in ``data/``.
    rows : int
        Rows of the file.
    pairs : bool
        Whether it holds baselines and intermediates to compare.
    licence, citation, origin : str
        Under which terms it is here, whom to cite, and where it was read.
    predictions : str
        The file in ``data/`` with its item-level answers; empty where none are kept.
    """

    name: str
    title: str
    file: str
    rows: int
    pairs: bool
    licence: str
    citation: str
    origin: str
    predictions: str = ""


_XMTF = "Muennighoff et al. 2022, Crosslingual Generalization through Multitask Finetuning, arXiv:2211.01786"
_XMTF_ORIGIN = "github.com/bigscience-workshop/xmtf@5caa1b12005601192092fe8639488e6c36b6d5d6"
DATASETS: Mapping[str, Dataset] = MappingProxyType(
    {
        d.name: d
        for d in (
            Dataset(
                "bloomz",
                "BLOOM before and after multitask training (BLOOMZ), 560M to 176B, zero-shot prompts",
                "bloomz.csv",
                3148,
                True,
                "Apache-2.0",
                _XMTF,
                _XMTF_ORIGIN,
            ),
            Dataset(
                "mt0",
                "mT0, mTk-Instruct, T0 and XGLM on the same prompts; no baseline rows, context only",
                "mt0.csv",
                2156,
                False,
                "Apache-2.0",
                _XMTF,
                _XMTF_ORIGIN,
            ),
            Dataset(
                "harness_baselines",
                "BLOOM, XGLM, LLaMA and MPT baselines with the templates of lm-evaluation-harness",
                "harness_baselines.csv",
                700,
                False,
                "MIT",
                "Gao et al. 2023, A framework for few-shot language model evaluation, "
                "doi:10.5281/zenodo.10256836",
                "github.com/EleutherAI/lm-evaluation-harness, results/ at the commits in SOURCES.md",
            ),
            Dataset(
                "encoder_baselines",
                "Fine-tuned encoders on XNLI by language, and published XTREME averages (with X-STILTs)",
                "encoder_baselines.csv",
                324,
                False,
                "as stated in SOURCES.md",
                "Xue et al. 2021 arXiv:2010.11934; Conneau et al. 2020 arXiv:1911.02116; "
                "Goyal et al. 2021 arXiv:2105.00572; Ouyang et al. 2021 arXiv:2012.15674; "
                "He et al. 2021 arXiv:2111.09543; Phang et al. 2020 arXiv:2005.13013",
                "READMEs at the commits in SOURCES.md",
            ),
            Dataset(
                "ladder",
                "Models pretrained from scratch on a synthetic multilingual world, with controls",
                "ladder.csv",
                1440,
                True,
                "Apache-2.0",
                "gainlaw (CITATION.cff)",
                "`gainlaw run ladder_full --only ...`; the record is data/ladder_run.json",
                "ladder_predictions.parquet",
            ),
            Dataset(
                "flan",
                "T5 and PaLM before and after Flan, 80M to 540B, few-shot prompts: BBH, TyDiQA, MGSM",
                "flan.csv",
                712,
                True,
                "facts of a paper",
                "Chung et al. 2022, Scaling Instruction-Finetuned Language Models, arXiv:2210.11416",
                "Tables 5 and 17 to 21 of the paper",
            ),
            Dataset(
                "open_llm",
                "Base and instruction-tuned models of the Open LLM Leaderboards, 0.5B to 110B: MMLU, BBH, GPQA, MuSR",
                "open_llm.csv",
                3252,
                True,
                "MIT",
                "Maia Polo et al. 2024, Sloth: scaling laws for LLM skills, arXiv:2412.06540",
                "github.com/felipemaiapolo/sloth@6dc6bb3, data/data_v2.csv",
            ),
        )
    }
)
"""The packaged datasets by name."""


def list_datasets() -> pd.DataFrame:
    """Return the packaged datasets, one a row.

    Returns
    -------
    pandas.DataFrame
        Columns ``name, title, rows, pairs, licence, citation, origin``.

    Examples
    --------
    >>> list_datasets()["name"].tolist()
    ['bloomz', 'mt0', 'harness_baselines', 'encoder_baselines', 'ladder', 'flan', 'open_llm']
    """
    import pandas as pd

    columns = ["name", "title", "rows", "pairs", "licence", "citation", "origin"]
    return pd.DataFrame([{c: getattr(d, c) for c in columns} for d in DATASETS.values()])


def load_dataset_table(name: str) -> pd.DataFrame:
    """Return a packaged file as it is, every row and column, unvalidated.

    Parameters
    ----------
    name : str
        A name of `list_datasets`.

    Examples
    --------
    >>> table = load_dataset_table("encoder_baselines")
    >>> int((table["intermediate"] != "none").sum())
    6
    """
    import pandas as pd

    path = data_path(_find(name).file)
    return pd.read_csv(path, keep_default_na=False, na_values={c: [""] for c in _NUMERIC})


_NUMERIC = ("params", "score", "stderr", "n_examples", "n_classes", "chance", "shots")


def load_dataset(
    name: str = "bloomz",
    *,
    prompts: Prompts | Sequence[str] = "en",
    metric: Aggregate = "median",
    tasks: str | Sequence[str] | None = None,
    intermediates: str | Sequence[str] | None = None,
    all_rows: bool = False,
) -> Evaluations:
    """Load packaged scores.

    Parameters
    ----------
    name : str, default "bloomz"
        A name of `list_datasets`.
    prompts : {"en", "human-translated", "machine-translated", "all"} or list, default "en"
        For ``bloomz`` and ``mt0``: the language of the prompt templates. Rows are compared within one kind of
        prompt only.
    metric : {"median", "max", "all"}, default "median"
        For ``bloomz`` and ``mt0``: the median or the maximum over five prompt templates.
    tasks : str or list of str, optional
        Keep these tasks. By default ``bloomz`` and ``mt0`` keep the four multilingual ones (XNLI 15
        languages, XCOPA 11, XStoryCloze 10, XWinograd 6); ``"all"`` keeps the eight English-only ones too.
    intermediates : str or list of str, optional
        Keep these intermediates (``xP3``, ``P3``, ``xP3mt``) and the baselines; all by default.
    all_rows : bool, default False
        Keep every row of the file that is a valid evaluation, whatever the options above say.

    Returns
    -------
    Evaluations
        With ``source`` set to the name. Rows have the extra column ``seen_in_pretraining`` (1 or 0: whether
        ROOTS, BLOOM's corpus, lists the language) where the models are BLOOM; those of ``flan`` and ``open_llm``
        have ``benchmark``, ``shots`` and ``english_only`` (yes, no or unknown: the training). Rows without a
        number of parameters or a number of examples (averages printed in READMEs) are no evaluations; see
        `load_dataset_table` for them.

    Raises
    ------
    InputError
        If the name or an option is not among those allowed.

    Examples
    --------
    >>> import gainlaw as gl
    >>> evals = gl.load_dataset("bloomz")
    >>> evals.frame.groupby("task")["language"].nunique().to_dict()
    {'xcopa': 11, 'xnli': 15, 'xstory_cloze': 10, 'xwinograd': 6}
    """
    from dataclasses import replace

    import numpy as np

    from gainlaw.scores.evaluations.cells.declare import Declared
    from gainlaw.scores.evaluations.table import evaluations_from_raw
    from gainlaw.scores.languages import load_languages
    from gainlaw.scores.reading.frames import raw_from_frame

    dataset = _find(name)
    table = load_dataset_table(name)
    table["row"] = np.arange(len(table)) + 2
    usable = table["params"].notna() & table["n_examples"].notna()
    table = table[usable].reset_index(drop=True)
    keep = np.ones(len(table), bool)
    if not all_rows:
        if dataset.file in {"bloomz.csv", "mt0.csv"}:
            keep &= table["prompt"].isin(_prompts(prompts)).to_numpy()
            require_choice(metric, Aggregate, "metric")
            if metric != "all":
                keep &= table["metric"].eq(f"accuracy_{metric}_of_5_prompts").to_numpy()
            tasks = MULTILINGUAL_TASKS if tasks is None else tasks
        keep &= _among(table, "task", tasks)
        keep &= _among(table, "intermediate", intermediates) | table["intermediate"].eq("none").to_numpy()
    table = table[keep].reset_index(drop=True)
    if dataset.name == "bloomz":
        languages = load_languages().set_index("language")
        table["seen_in_pretraining"] = table["language"].map((languages["roots_bytes"] > 0).astype(int))
    lines = table["row"].to_numpy()
    items = _predictions(dataset, table)
    # rows are named by their line in the packaged file
    raw = replace(
        raw_from_frame(table.drop(columns="row"), dataset.name),
        lines=lines,
        sha256=sha256_file(data_path(dataset.file)),
    )
    return evaluations_from_raw(raw, items, require_pairs=False, declared=Declared(params_unit="1"))


def _find(name: str) -> Dataset:
    if name not in DATASETS:
        hint = f"there are: {', '.join(DATASETS)}; a file is read with read_evaluations"
        raise InputError(Problem(f"no packaged dataset is called {name!r}", hint=hint))
    return DATASETS[name]


def _predictions(dataset: Dataset, table: pd.DataFrame) -> pd.DataFrame | None:
    """Return the item-level answers of the rows kept, if the dataset has some."""
    import pandas as pd

    if not dataset.predictions:
        return None
    items = pd.read_parquet(data_path(dataset.predictions))
    names = ["model", "intermediate", "task", "language"]
    items[names] = items[names].astype("str")
    kept = pd.MultiIndex.from_frame(items[names]).isin(pd.MultiIndex.from_frame(table[names].astype("str")))
    return items[kept]


def _prompts(prompts: str | Sequence[str]) -> list[str]:
    names = [prompts] if isinstance(prompts, str) else list(prompts)
    for item in names:
        require_choice(item, Prompts, "prompts")
    return ["en", "human-translated", "machine-translated"] if "all" in names else names


def _among(table: pd.DataFrame, column: str, wanted: str | Sequence[str] | None) -> np.ndarray:
    import numpy as np

    if wanted is None or wanted == "all":
        return np.ones(len(table), bool)
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    known = sorted(table[column].unique())
    for item in names:
        if item not in known:
            raise InputError(Problem(f"no row has {item!r}", column, hint=f"there are: {', '.join(known)}"))
    return table[column].isin(names).to_numpy(bool)
