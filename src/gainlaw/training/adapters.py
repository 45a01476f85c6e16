"""Low-rank adapters (Hu et al. 2021, arXiv 2106.09685), put in by peft and merged at the end."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

__all__ = ["add_adapters"]


def add_adapters(
    model: PreTrainedModel,
    rank: int,
    alpha: float,
    dropout: float,
    modules: Sequence[str] | None = None,
) -> Any:
    """Put adapters into the layers of a model, in place, and freeze the rest.

    Parameters
    ----------
    model : PreTrainedModel
        Its layers are changed in place; it can go on being called itself.
    rank, alpha, dropout
        Of the adapters.
    modules : sequence of str, optional
        The layers that get one; by default what peft takes for the architecture (queries and values of most),
        and all linear layers for one that it does not know.

    Returns
    -------
    peft.PeftModel
        Whose ``merge_and_unload()`` gives the plain model back, adapters merged.
    """
    from peft import LoraConfig, get_peft_model
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as KNOWN
    from transformers.pytorch_utils import Conv1D

    known = KNOWN.get(model.config.model_type, "all-linear")
    named = list(modules or ([known] if isinstance(known, str) else known))
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]
        lora_dropout=dropout,
        target_modules="all-linear" if named == ["all-linear"] else named,
        # GPT-2 stores its linear layers the other way round.
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )
    with warnings.catch_warnings():
        # peft asks for a property that transformers has renamed.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`", category=FutureWarning)
        return get_peft_model(model, config)
