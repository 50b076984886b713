"""What a run folder holds beside the script: settings frozen when the job is rendered; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sunk.toolkit.parameters import JobParameters
from sunk.toolkit.parameters.many import ArraySweepParameters, DataPreparationParameters
from sunk.toolkit.parameters.training import DeepSpeedParameters

DEEPSPEED_FILE = "deepspeed.json"
SETTINGS_FILE = "settings.json"
INPUTS_FILE = "inputs.json"


def run_files(parameters: JobParameters) -> Mapping[str, str]:
    """Return the files by name."""
    if isinstance(parameters, ArraySweepParameters):
        return {SETTINGS_FILE: _json(parameters.elements)}
    if isinstance(parameters, DataPreparationParameters):
        return {INPUTS_FILE: _json(parameters.inputs)}
    if isinstance(parameters, DeepSpeedParameters):
        return {DEEPSPEED_FILE: _json(_deepspeed(parameters))}
    return {}


def _json(content: Any) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _deepspeed(parameters: DeepSpeedParameters) -> dict[str, Any]:
    zero: dict[str, Any] = {"stage": parameters.zero_stage}
    if parameters.secondary_group > 1:
        zero["zero_hpz_partition_size"] = parameters.secondary_group
    unit = parameters.micro_batch * parameters.world
    return {
        "train_batch_size": parameters.step_batch,
        "train_micro_batch_size_per_gpu": parameters.micro_batch,
        "gradient_accumulation_steps": parameters.step_batch // unit,
        "bf16": {"enabled": parameters.gpus_per_node > 0},
        "zero_optimization": zero,
    }
