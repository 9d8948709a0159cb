# Cross-examination: each paper's measurement on the other papers' networks.
CROSS = "results/{preset}/cross"
CROSS_NETWORKS = ["tiny-fc", "small-lenet"]
CROSS_BALANCES = ["tiny-fc", "small-fc", "small-lenet", "small-allcnn"]
CROSS_TABLES = {
    "curves": f"{CROSS}/curves.parquet",
    "coefficients": [f"{CROSS}/{network}.parquet" for network in CROSS_NETWORKS],
    "nets": [
        f"{CROSS}/{name}.parquet"
        for name in ("nets", "mlps", *(f"balance-{run}" for run in CROSS_BALANCES))
    ],
}


rule measure_cross_walks:
    input:
        trajectories=of_seeds("chaudhari2018", "trajectory.zarr", "tiny-fc"),
    output:
        curves=f"{CROSS}/curves.parquet",
        record=f"{CROSS}/curves.json",
    log:
        "logs/{preset}/cross/measure_cross_walks.log",
    benchmark:
        f"{CROSS}/curves.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        run=settings("chaudhari2018", "tiny-fc", "seeds"),
        root_seed=SETTINGS.root_seed,
        code=code_digest("measure_cross_walks.py"),
    script:
        "../scripts/measure_cross_walks.py"


rule measure_cross_coefficients:
    input:
        data=prepared("chaudhari2018"),
        checkpoints=of_seeds("chaudhari2018", "checkpoints.pt"),
        trajectories=trajectories_of_run,
    output:
        coefficients=f"{CROSS}/{{run}}.parquet",
        record=f"{CROSS}/{{run}}.json",
    log:
        "logs/{preset}/cross/measure_cross_coefficients/{run}.log",
    benchmark:
        f"{CROSS}/{{run}}.tsv"
    wildcard_constraints:
        run="|".join(CROSS_NETWORKS),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        run=settings("chaudhari2018", None, "seeds"),
        plan=section("mlps-sgd", "coefficients"),
        root_seed=SETTINGS.root_seed,
        code=code_digest("measure_cross_coefficients.py"),
    script:
        "../scripts/measure_cross_coefficients.py"


rule measure_cross_nets:
    input:
        ensemble="results/{preset}/hennick2025/moons/ensemble.npz",
    output:
        nets=f"{CROSS}/nets.parquet",
        record=f"{CROSS}/nets.json",
    log:
        "logs/{preset}/cross/measure_cross_nets.log",
    benchmark:
        f"{CROSS}/nets.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        two_layer=two_layer_case,
        root_seed=SETTINGS.root_seed,
        code=code_digest("measure_cross_nets.py"),
    script:
        "../scripts/measure_cross_nets.py"


# The narrowest and deepest nets of the design: about as many weights as small-lenet, and three pairs of layers.
rule measure_cross_mlps:
    input:
        data=prepared("hennick2025", "mlps-sgd"),
        trained=narrow_and_deep,
    output:
        nets=f"{CROSS}/mlps.parquet",
        record=f"{CROSS}/mlps.json",
    log:
        "logs/{preset}/cross/measure_cross_mlps.log",
    benchmark:
        f"{CROSS}/mlps.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        data=section("mlps-sgd", "data"),
        network="mnist-mlp",
        root_seed=SETTINGS.root_seed,
        code=code_digest("measure_cross_mlps.py"),
    script:
        "../scripts/measure_cross_mlps.py"


rule measure_cross_balance:
    input:
        data=prepared("chaudhari2018"),
        checkpoints=of_seeds("chaudhari2018", "checkpoints.pt"),
    output:
        nets=f"{CROSS}/balance-{{run}}.parquet",
        record=f"{CROSS}/balance-{{run}}.json",
    log:
        "logs/{preset}/cross/measure_cross_balance/{run}.log",
    benchmark:
        f"{CROSS}/balance-{{run}}.tsv"
    wildcard_constraints:
        run="|".join(CROSS_BALANCES),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        run=settings("chaudhari2018", None, "seeds"),
        root_seed=SETTINGS.root_seed,
        code=code_digest("measure_cross_balance.py"),
    script:
        "../scripts/measure_cross_balance.py"


rule plot_cross:
    input:
        **CROSS_TABLES,
    output:
        pdf="figures/{preset}/cross/cross.pdf",
        png="figures/{preset}/cross/cross.png",
        record="figures/{preset}/cross/cross.json",
    log:
        "logs/{preset}/cross/plot.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        figure="sgdiffusion.papers.cross.figures:cross_figure",
        code=code_digest("plot.py", "sgdiffusion.papers.cross.figures:cross_figure"),
    script:
        "../scripts/plot.py"


rule tabulate_cross:
    input:
        **CROSS_TABLES,
    output:
        csv="figures/{preset}/cross/table_cross.csv",
        md="figures/{preset}/cross/table_cross.md",
        tex="figures/{preset}/cross/table_cross.tex",
        record="figures/{preset}/cross/table_cross.json",
    log:
        "logs/{preset}/cross/tabulate.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        table="sgdiffusion.papers.cross.examinations:cross_table",
        code=code_digest("tabulate.py", "sgdiffusion.papers.cross.examinations:cross_table"),
    script:
        "../scripts/tabulate.py"


rule cross:
    input:
        f"figures/{SETTINGS.preset}/cross/cross.pdf",
        f"figures/{SETTINGS.preset}/cross/table_cross.csv",
