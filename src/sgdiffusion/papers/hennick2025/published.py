"""What Hennick & De Baerdemacker (2025) print, where tables, figures and verdicts show or use it."""

from collections.abc import Mapping

XI = 0.5  # the minimum of Fig. 3
TABLE1: Mapping[str, tuple[str, str, str, str]] = {  # λ̄, d_s, α, r²
    "tinystories-1m": ("32", "21.422", "0.33", "0.98"),
    "tinyllama-15m": ("76.1", "48.3", "0.32", "0.98"),
    "tinystories-33m": ("39.3", "38.7", "0.49", "0.98"),
    "resnet18": ("72.05", "0.57", "0.004", "≈1"),
    "resnet34": ("73.5", "0.62", "0.004", "≈1"),
    "vgg16": ("159.7", "0.14", "0.001", "≈1"),
}
TABLE2: Mapping[str, float] = {"kl": 0.009, "wasserstein": 0.002, "jensen_shannon": 0.003}
TABLE4: Mapping[tuple[str, str], tuple[str, str]] = {  # mean and standard deviation over runs, as printed
    ("sgd", "d_s"): ("7.8165", "10.2494"),
    ("sgd", "final λ"): ("12.5270", "11.8393"),
    ("sgd", "test accuracy"): ("94.0592", ""),
    ("adam", "d_s"): ("0.4061", "0.9068"),
    ("adam", "final λ"): ("3.0957", "5.7533"),
    ("adam", "test accuracy"): ("90.4297", ""),
}
