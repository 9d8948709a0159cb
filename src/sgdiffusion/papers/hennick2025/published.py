"""What Hennick & De Baerdemacker (2025) print, where tables, figures and verdicts show or use it."""

from collections.abc import Mapping

XI = 0.5  # the minimum of Fig. 3
TABLE2: Mapping[str, float] = {"kl": 0.009, "wasserstein": 0.002, "jensen_shannon": 0.003}
TABLE4: Mapping[tuple[str, str], tuple[str, str]] = {  # mean and standard deviation over runs, as printed
    ("sgd", "d_s"): ("7.8165", "10.2494"),
    ("sgd", "final λ"): ("12.5270", "11.8393"),
    ("sgd", "test accuracy"): ("94.0592", ""),
    ("adam", "d_s"): ("0.4061", "0.9068"),
    ("adam", "final λ"): ("3.0957", "5.7533"),
    ("adam", "test accuracy"): ("90.4297", ""),
}
