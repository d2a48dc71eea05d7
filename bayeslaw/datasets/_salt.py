"""The splits between teacher and student of SALT."""

import pandas as pd

from bayeslaw.datasets._store import shipped


def load_salt() -> pd.DataFrame:
    """14 ViT-L encoders of SALT (Li et al. 2025, arXiv 2509.24317): training steps split between teacher and student.

    Columns: recipe (one_stage, two_stage, vjepa2), steps (in all), first_stage_steps (of a two-stage teacher),
    teacher_steps, student_steps, flops (as printed), k400, ssv2, in1k, coin (frozen-probe accuracy, 0 to 1), accuracy
    (their mean). Ships with the package: figures printed in the paper. NaN where a recipe has no such steps.
    """
    return shipped("salt", ("steps",))
