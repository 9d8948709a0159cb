"""Panels that mark no published number, and why: the paper has none there that the panel could show."""

OURS = "ours: the paper has no such panel"
SHAPE = "the paper states a shape or a direction, no number"
ZERO = "the published value is zero, below every logarithmic axis"
LAW = "the line drawn is the published law"
UNMARKED = {
    "chaudhari2018": {
        "fig3a": {"": SHAPE},
        "fig3b": {"": "the paper states that the curve leaves the 99 % bands, which are drawn"},
        "fig3-motion": {"a": OURS, "b": OURS},
        "fig4a": {"ii": LAW, "iii": LAW},
        "fig4b": {"ii": LAW, "iii": LAW},
        "fig4c": {"ii": LAW, "iii": LAW, "iv": OURS},
        "equilibrium": {"a": OURS, "b": OURS},
        "phi-beta": {"a": OURS},
        "theory": {"a": "Theorem 5 states a descent, no number", "b": OURS},
    },
    "ziyin2025": {
        "fig1": {"a": SHAPE, "b": SHAPE, "c": SHAPE},
        "fig2a": {"a": "both norms have a published ratio alone, which (b) shows"},
        "fig2b": {"a": "both sides have a published ratio alone, which (b) shows"},
        "fig5c": {"a": SHAPE, "b": SHAPE, "c": SHAPE},
        "fig7": {"a": SHAPE, "b": SHAPE},
        "theorem41": {"a": ZERO, "b": ZERO, "c": "the published value is the lower edge"},
        "discrete-depth": {"a": ZERO},
        "real-networks": dict.fromkeys("abcdef", ZERO),
        "checks": {"c": OURS, "d": LAW},
    },
    "hennick2025": {
        "fig2b": {"a": "the paper calls the correlation strong and gives no number", "b": "as (a)"},
        "fig4a": {"*": "the paper's histogram has no number"},
        "correlations": {
            "a": "the paper gives no number of these correlations",
            "b": "as (a)",
            "c": "as (a)",
        },
        "sensitivity": {"a": OURS, "b": OURS},
    },
    "cross": {"cross": {"a": OURS, "b": OURS, "d": OURS}},
}
