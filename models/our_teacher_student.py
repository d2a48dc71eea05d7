"""Our model of a frozen teacher and its student: how to split training steps or compute between the two."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, Range
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, Normal
from bayeslaw._tree import Scalar, evaluate, power

T0, S0 = 4e4, 1.2e5  # the reference: 40k steps of the teacher, 120k of the student
# Tokens per step that encoder, predictor and teacher read: the paper's 154.1e9, 1541.4e9 and 770.7e9 in 160k steps.
ENCODER_TOKENS, PREDICTOR_TOKENS, TEACHER_TOKENS = 963_125, 9_633_750, 4_816_875
VIT_L, VIT_H, VIT_G_SMALL, VIT_G, PREDICTOR = 303e6, 632e6, 1012e6, 1843e6, 22e6  # parameters


class OurTeacherStudent(AbstractLaw):
    """accuracy = level + a [1 - (teacher_steps / 40k)^-p] + b [1 - (student_steps / 120k)^-q]

    Our model, on the measurements of SALT (Li et al. 2025, arXiv 2509.24317), which prints a table and no law: a
    teacher learns to reconstruct pixels, is frozen, and a student learns to predict its features. Accuracy is the mean
    of four frozen-probe benchmarks, as a fraction.

    - `level`: accuracy at the reference, 40k steps of the teacher and 120k of the student.
    - `a`: what an endless teacher adds to that; `p`: how fast further teacher steps lose their worth.
    - `b`: what endless training of the student adds; `q`: how fast its steps lose their worth.

    There is no corner: either side's first steps are worth more than anything. Nine single-stage rows say where the
    split is, not what endless training would reach (least squares sends b to infinity and q to 0). The paper counts
    steps; a student step costs twice a teacher's, so that compute buys a longer teacher. It has no term for teachers
    trained in two stages, which do better than any single stage, nor for a larger teacher.
    Prior, 90 %: level 0.69 to 0.85, a 0.1 to 2.6 points, p 0.44 to 2.3, b 0.4 to 10 points, q 0.22 to 1.1; scatter
    0.02 to 0.5 points (figures are rounded to 0.1).
    """

    response: ClassVar = "accuracy"

    level: Scalar
    a: Scalar
    p: Scalar
    b: Scalar
    q: Scalar

    def mean(self, teacher_steps: Array, student_steps: Array) -> Array:  # type: ignore[override]
        teacher = self.a * (1 - power(teacher_steps / T0, -self.p))
        return self.level + teacher + self.b * (1 - power(student_steps / S0, -self.q))

    def noise(self) -> AbstractNoise:
        return Normal(scale=dist.LogNormal(log(0.001), 1.0))

    def derived(self) -> Mapping[str, Scalar]:
        """Accuracy with endless training of both."""
        return {"limit": self.level + self.a + self.b}

    @classmethod
    def prior(cls) -> "OurTeacherStudent":
        return cls(
            level=dist.Normal(0.77, 0.05),
            a=dist.LogNormal(log(0.005), 1.0),
            p=dist.LogNormal(log(1.0), 0.5),
            b=dist.LogNormal(log(0.02), 1.0),
            q=dist.LogNormal(log(0.5), 0.5),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"split_steps": split_steps, "split_compute": split_compute}


def step_flops(
    teacher: float = VIT_L,
    student: float = VIT_L,
    predictor: float = PREDICTOR,
    tokens: tuple[float, float, float] = (ENCODER_TOKENS, PREDICTOR_TOKENS, TEACHER_TOKENS),
) -> tuple[float, float]:
    """FLOPs of a step of the teacher, and of one of the student, which runs the teacher forward; sizes in parameters,
    `tokens` those that encoder, predictor and teacher read in a step."""
    encoder, predicted, read = tokens
    predicting = predictor * predicted
    return 6 * (teacher * encoder + predicting), 6 * (student * encoder + predicting) + 2 * teacher * read


def split(teacher: float = VIT_L, student: float = VIT_L, students: int = 1) -> Decision:
    """The decision at a training budget for other sizes, and for a teacher whose cost `students` students share."""
    teacher_step, student_step = step_flops(teacher, student)

    def derive(teacher_share: Any, flops: Any) -> dict[str, Any]:
        return {
            "teacher_steps": teacher_share * flops * students / teacher_step,
            "student_steps": (1 - teacher_share) * flops / student_step,
        }

    return Decision(
        question="How many steps of the teacher, and how many of the student, at a training budget per student?",
        choose={"teacher_share": Range(1e-3, 0.999)},
        given=("flops",),
        derive=derive,
        report=("teacher_steps", "student_steps", "teacher_share"),
        objective=lambda law, plan: -evaluate(law, plan),
    )


split_compute = split()
split_steps = Decision(
    question="Of a number of steps in all, how many for the teacher?",
    choose={"teacher_share": Range(1e-3, 0.999)},
    given=("steps",),
    derive=lambda teacher_share, steps: {
        "teacher_steps": teacher_share * steps,
        "student_steps": (1 - teacher_share) * steps,
    },
    report=("teacher_steps", "student_steps", "teacher_share"),
    objective=lambda law, plan: -evaluate(law, plan),
)
