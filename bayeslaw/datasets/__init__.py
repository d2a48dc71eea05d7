"""Public data, by verb: `load_*` ships with the package, `fetch_*` downloads once, `make_*` simulates.

Every data set has a card (`card("chinchilla")`): what a row is, units, source, licence, known defects.
Downloads go to the user's cache folder, or to the folder named by the environment variable `BAYESLAW_DATA`,
are checked against a SHA-256 and used from there afterwards, without network. Suspicious rows are
flagged in a column (`outlier`, `diverged`, `doubtful`, `duplicate`, `missing`), never dropped.
"""

from importlib.resources import files

from bayeslaw._errors import InputError
from bayeslaw.datasets._agent_tts import load_agent_tts
from bayeslaw.datasets._chinchilla import fetch_chinchilla_epoch, load_chinchilla, make_chinchilla
from bayeslaw.datasets._curves import fetch_double_descent, fetch_learning_curves
from bayeslaw.datasets._data_constrained import load_data_constrained
from bayeslaw.datasets._farseer import fetch_farseer
from bayeslaw.datasets._gemstones import fetch_gemstones
from bayeslaw.datasets._inference_aware import load_inference_aware
from bayeslaw.datasets._misfitting import fetch_misfitting
from bayeslaw.datasets._monkeys import fetch_monkeys
from bayeslaw.datasets._observational import load_observational
from bayeslaw.datasets._overtraining import load_overtraining
from bayeslaw.datasets._porian import fetch_porian
from bayeslaw.datasets._primer import load_primer
from bayeslaw.datasets._retrieval import load_retrieval
from bayeslaw.datasets._reward_aware import load_reward_aware
from bayeslaw.datasets._routed_lms import load_routed_lms
from bayeslaw.datasets._salt import load_salt
from bayeslaw.datasets._serving import load_serving
from bayeslaw.datasets._steplaw import fetch_steplaw_dense, fetch_steplaw_moe, load_steplaw_heldout
from bayeslaw.datasets._visual_tokens import fetch_visual_tokens_ocr, load_visual_tokens
from bayeslaw.datasets._vocabulary import fetch_vocabulary

__all__ = [
    "DATASETS",
    "card",
    "fetch_chinchilla_epoch",
    "fetch_double_descent",
    "fetch_farseer",
    "fetch_gemstones",
    "fetch_learning_curves",
    "fetch_misfitting",
    "fetch_monkeys",
    "fetch_porian",
    "fetch_steplaw_dense",
    "fetch_steplaw_moe",
    "fetch_vocabulary",
    "load_chinchilla",
    "load_data_constrained",
    "load_inference_aware",
    "load_observational",
    "load_overtraining",
    "load_reward_aware",
    "load_routed_lms",
    "load_steplaw_heldout",
    "fetch_visual_tokens_ocr",
    "load_visual_tokens",
    "load_salt",
    "load_retrieval",
    "load_primer",
    "load_agent_tts",
    "load_serving",
    "make_chinchilla",
]

DATASETS = {
    "chinchilla": "load_chinchilla",
    "chinchilla_epoch": "fetch_chinchilla_epoch",
    "chinchilla_simulated": "make_chinchilla",
    "data_constrained": "load_data_constrained",
    "double_descent": "fetch_double_descent",
    "farseer": "fetch_farseer",
    "gemstones": "fetch_gemstones",
    "inference_aware": "load_inference_aware",
    "learning_curves": "fetch_learning_curves",
    "misfitting": "fetch_misfitting",
    "monkeys": "fetch_monkeys",
    "observational": "load_observational",
    "overtraining": "load_overtraining",
    "porian": "fetch_porian",
    "reward_aware": "load_reward_aware",
    "routed_lms": "load_routed_lms",
    "steplaw_dense": "fetch_steplaw_dense",
    "steplaw_heldout": "load_steplaw_heldout",
    "steplaw_moe": "fetch_steplaw_moe",
    "visual_tokens_ocr": "fetch_visual_tokens_ocr",
    "visual_tokens": "load_visual_tokens",
    "salt": "load_salt",
    "retrieval": "load_retrieval",
    "primer": "load_primer",
    "agent_tts": "load_agent_tts",
    "serving": "load_serving",
    "vocabulary": "fetch_vocabulary",
}
"""Data set by name, and the function that gives it."""


def card(name: str) -> str:
    """The card of a data set, as Markdown. Raises `InputError` for an unknown name."""
    path = files("bayeslaw") / "_data" / f"{name}.md"
    if name not in DATASETS or not path.is_file():
        raise InputError(f"there is no data set {name!r}; there are {', '.join(DATASETS)}.")
    return path.read_text(encoding="utf-8")
