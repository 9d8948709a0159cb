# Verdicts, and a target by name for every figure, table, paper and preset.
rule judge_claims:
    input:
        quantities=lambda w: [
            f"results/{w.preset}/{w.paper}/quantities/{q}.csv"
            for q in QUANTITIES[w.paper]
        ],
    output:
        csv="figures/{preset}/{paper}/verdicts.csv",
        md="figures/{preset}/{paper}/verdicts.md",
        tex="figures/{preset}/{paper}/verdicts.tex",
        record="figures/{preset}/{paper}/verdicts.json",
    log:
        "logs/{preset}/{paper}/judge_claims.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        claims=lambda w: [c.model_dump(mode="json") for c in CLAIMS[w.paper]],
        substituted=lambda w: sorted(CONFIG.preset(w.preset).substitute),
        code=code_digest("judge.py"),
    script:
        "../scripts/judge.py"


rule tabulate_verdicts:
    input:
        **{p: f"figures/{{preset}}/{p}/verdicts.csv" for p in CONFIG.papers()},
    output:
        csv="figures/{preset}/verdicts.csv",
        md="figures/{preset}/verdicts.md",
        tex="figures/{preset}/verdicts.tex",
        record="figures/{preset}/verdicts.json",
    log:
        "logs/{preset}/tabulate_verdicts.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        table="sgdiffusion.verdicts:join_verdicts",
        code=code_digest("tabulate.py", "sgdiffusion.verdicts:join_verdicts"),
    script:
        "../scripts/tabulate.py"


for paper in CONFIG.papers():
    for name, ending in [(f, "pdf") for f in FIGURES[paper]] + [
        (t, "csv") for t in TABLES[paper]
    ]:

        rule:
            name:
                f"{paper}_{name}"
            input:
                f"figures/{SETTINGS.preset}/{paper}/{name}.{ending}",

    rule:
        name:
            paper
        input:
            targets(SETTINGS.preset, paper),


for preset in CONFIG.presets():

    rule:
        name:
            preset
        input:
            targets(preset),
