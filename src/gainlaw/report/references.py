"""What a report cites, and how it is cited."""

from __future__ import annotations

import gainlaw

__all__ = ["REFERENCES", "bibtex"]

#: What the report cites, as (key, text).
REFERENCES: tuple[tuple[str, str], ...] = (
    (
        "phang2020",
        "Phang, Calixto, Htut, Pruksachatkun, Liu, Vania, Kann and Bowman (2020). English Intermediate-Task "
        "Training Improves Zero-Shot Cross-Lingual Transfer Too. AACL-IJCNLP. arXiv:2005.13013.",
    ),
    (
        "muennighoff2022",
        "Muennighoff et al. (2022). Crosslingual Generalization through Multitask Finetuning. "
        "arXiv:2211.01786.",
    ),
    (
        "gelman2006",
        "Gelman (2006). Prior distributions for variance parameters in hierarchical models. Bayesian "
        "Analysis 1(3), 515-534. doi:10.1214/06-BA117A.",
    ),
    (
        "vehtari2021",
        "Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021). Rank-normalization, folding, and "
        "localization: an improved R-hat. Bayesian Analysis 16(2), 667-718. doi:10.1214/20-BA1221.",
    ),
    (
        "vehtari2024",
        "Vehtari, Simpson, Gelman, Yao and Gabry (2024). Pareto smoothed importance sampling. JMLR 25(72). "
        "arXiv:1507.02646.",
    ),
    (
        "kallioinen2024",
        "Kallioinen, Paananen, Bürkner and Vehtari (2024). Detecting and diagnosing prior and likelihood "
        "sensitivity with power-scaling. Statistics and Computing 34, 57. doi:10.1007/s11222-023-10366-5.",
    ),
)


def bibtex() -> str:
    """Return the BibTeX entries of this software and of the work it builds on."""
    return f"""@software{{gainlaw,
  title = {{gainlaw: scaling-law fits of transfer gains}},
  author = {{{{The gainlaw developers}}}},
  year = {{2026}},
  url = {{github.com/gainlaw/gainlaw}},
  version = {{{gainlaw.__version__}}},
  license = {{Apache-2.0}}
}}

@inproceedings{{phang2020english,
  title = {{English Intermediate-Task Training Improves Zero-Shot Cross-Lingual Transfer Too}},
  author = {{Phang, Jason and Calixto, Iacer and Htut, Phu Mon and Pruksachatkun, Yada and
    Liu, Haokun and Vania, Clara and Kann, Katharina and Bowman, Samuel R.}},
  booktitle = {{Proceedings of AACL-IJCNLP}},
  year = {{2020}},
  eprint = {{2005.13013}},
  archiveprefix = {{arXiv}}
}}

@article{{muennighoff2022crosslingual,
  title = {{Crosslingual Generalization through Multitask Finetuning}},
  author = {{Muennighoff, Niklas and others}},
  year = {{2022}},
  eprint = {{2211.01786}},
  archiveprefix = {{arXiv}}
}}"""
