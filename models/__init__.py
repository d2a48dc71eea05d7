"""The laws, one file per paper. Import them as `bayeslaw.models`."""

if __name__ != "bayeslaw.models":
    raise ImportError(f"import this package as bayeslaw.models, not as {__name__!r}")

from bayeslaw.models.autoregressive import Autoregressive, AutoregressiveCompute
from bayeslaw.models.autoregressive_size import AutoregressiveSize
from bayeslaw.models.broken import Broken
from bayeslaw.models.chinchilla import Chinchilla
from bayeslaw.models.coverage import Coverage
from bayeslaw.models.coverage_by_size import CoverageBySize
from bayeslaw.models.coverage_curve import CoverageCurve
from bayeslaw.models.data_constrained import DataConstrained
from bayeslaw.models.downstream import Downstream
from bayeslaw.models.efficiency_leverage import EfficiencyLeverage
from bayeslaw.models.emergence import Emergence
from bayeslaw.models.ensemble import Ensemble
from bayeslaw.models.farseer import Farseer
from bayeslaw.models.fine_grained_moe import FineGrainedMoE
from bayeslaw.models.inference_aware import InferenceAware
from bayeslaw.models.inference_error import InferenceError
from bayeslaw.models.inference_size import InferenceSize
from bayeslaw.models.infinite_compute import InfiniteCompute
from bayeslaw.models.joint_moe import JointMoE
from bayeslaw.models.kaplan import Kaplan
from bayeslaw.models.kaplan_steps import KaplanSteps
from bayeslaw.models.minicpm import MiniCPM
from bayeslaw.models.mist import MIST
from bayeslaw.models.moe_sparsity import MoESparsity
from bayeslaw.models.observational import Observational
from bayeslaw.models.our_depth_width import OurDepthWidth
from bayeslaw.models.our_graph import OurGraph
from bayeslaw.models.our_kinetics import OurKinetics
from bayeslaw.models.our_methods import OurMethods
from bayeslaw.models.our_pipeline import OurPipeline
from bayeslaw.models.our_reasoning_sparsity import OurReasoningSparsity
from bayeslaw.models.our_recall_sparsity import OurRecallSparsity
from bayeslaw.models.our_refinement import OurRefinement
from bayeslaw.models.our_retrieval import OurRetrieval
from bayeslaw.models.our_revisions import OurRevisions
from bayeslaw.models.our_reward_aware import OurRewardAware
from bayeslaw.models.our_teacher_student import OurTeacherStudent
from bayeslaw.models.our_test_time_compute import OurTestTimeCompute
from bayeslaw.models.our_thinking_cap import OurThinkingCap
from bayeslaw.models.our_token_efficiency import OurTokenEfficiency
from bayeslaw.models.our_verification import OurVerification
from bayeslaw.models.overtraining import Overtraining
from bayeslaw.models.post_training import PostTraining
from bayeslaw.models.precision import Precision
from bayeslaw.models.primer import Primer
from bayeslaw.models.prm_line import PRMLine
from bayeslaw.models.qat import QAT
from bayeslaw.models.qat_optimum import QATOptimum
from bayeslaw.models.quantized_resnet import QuantizedResNet
from bayeslaw.models.rag import RAG
from bayeslaw.models.revisiting import M4
from bayeslaw.models.routed_moe import RoutedMoE
from bayeslaw.models.serving import Serving
from bayeslaw.models.sparse_pretraining import SparsePretraining
from bayeslaw.models.speculative import Speculative
from bayeslaw.models.train_to_test import TrainToTest
from bayeslaw.models.train_to_test_coverage import TrainToTestCoverage
from bayeslaw.models.visual_tokens import VisualTokens
from bayeslaw.models.vocabulary import Vocabulary
from bayeslaw.models.vocabulary_size import VocabularySize

LAWS = (
    Chinchilla,
    MIST,
    Downstream,
    Overtraining,
    DataConstrained,
    InferenceAware,
    Farseer,
    SparsePretraining,
    Broken,
    M4,
    Kaplan,
    KaplanSteps,
    MiniCPM,
    Autoregressive,
    AutoregressiveCompute,
    AutoregressiveSize,
    Observational,
    Emergence,
    InfiniteCompute,
    Ensemble,
    TrainToTest,
    TrainToTestCoverage,
    Coverage,
    CoverageBySize,
    CoverageCurve,
    OurTestTimeCompute,
    OurRevisions,
    OurRewardAware,
    PRMLine,
    OurThinkingCap,
    InferenceSize,
    InferenceError,
    EfficiencyLeverage,
    JointMoE,
    FineGrainedMoE,
    RoutedMoE,
    MoESparsity,
    VisualTokens,
    OurTeacherStudent,
    OurRetrieval,
    OurReasoningSparsity,
    OurRecallSparsity,
    OurDepthWidth,
    OurVerification,
    RAG,
    OurMethods,
    OurTokenEfficiency,
    OurRefinement,
    Speculative,
    Primer,
    QAT,
    QATOptimum,
    Vocabulary,
    VocabularySize,
    Precision,
    PostTraining,
    QuantizedResNet,
    Serving,
    OurKinetics,
    OurGraph,
    OurPipeline,
)
"""Every law of the package; the contract tests walk it, and the command line lists it."""

__all__ = ["LAWS", *(law.__name__ for law in LAWS)]  # pyright: ignore[reportUnsupportedDunderAll]
