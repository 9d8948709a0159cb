# Hennick & De Baerdemacker 2025: an ensemble of moons nets (Figs 1, 3, 4, Table 2) and designed runs on MNIST
# (Fig 2, Table 4, the appendix's correlations).
wildcard_constraints:
    ensemble=r"moons(-\d+)?",


rule train_moons:
    output:
        ensemble=f"{HENNICK}/{{ensemble}}/ensemble.npz",
        record=f"{HENNICK}/{{ensemble}}/ensemble.json",
    log:
        "logs/{preset}/hennick2025/train_moons/{ensemble}.log",
    benchmark:
        f"{HENNICK}/{{ensemble}}/train_moons.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        training=section("moons", "training"),
        root_seed=seed_of_ensemble,
        code=code_digest("train_moons.py"),
    script:
        "../scripts/train_moons.py"


rule measure_moons_coefficients:
    input:
        ensemble=f"{HENNICK}/{{ensemble}}/ensemble.npz",
    output:
        coefficients=f"{HENNICK}/{{ensemble}}/coefficients-{{which}}.parquet",
        record=f"{HENNICK}/{{ensemble}}/coefficients-{{which}}.json",
    log:
        "logs/{preset}/hennick2025/measure_moons_coefficients/{ensemble}-{which}.log",
    benchmark:
        f"{HENNICK}/{{ensemble}}/coefficients-{{which}}.tsv"
    wildcard_constraints:
        which="end|along|sensitivity",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        plan=chains_of,
        changes=section("moons", "sensitivity"),
        nets=section("moons", "sensitivity_nets"),
        root_seed=seed_of_ensemble,
        code=code_digest("measure_moons_coefficients.py"),
    script:
        "../scripts/measure_moons_coefficients.py"


rule measure_moons:
    input:
        ensemble=f"{HENNICK}/{{ensemble}}/ensemble.npz",
        end=f"{HENNICK}/{{ensemble}}/coefficients-end.parquet",
        along=f"{HENNICK}/{{ensemble}}/coefficients-along.parquet",
        varied=f"{HENNICK}/{{ensemble}}/coefficients-sensitivity.parquet",
    output:
        **of_tables("{ensemble}", MOONS_TABLES),
        quantities=f"{HENNICK}/{{ensemble}}/walks.csv",
        record_quantities=f"{HENNICK}/{{ensemble}}/walks.json",
    log:
        "logs/{preset}/hennick2025/measure_moons/{ensemble}.log",
    benchmark:
        f"{HENNICK}/{{ensemble}}/measure_moons.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        run=settings("hennick2025", "moons"),
        root_seed=seed_of_ensemble,
        code=code_digest("measure_moons.py"),
    script:
        "../scripts/measure_moons.py"


rule measure_posterior:
    input:
        ensemble=f"{HENNICK}/{{ensemble}}/ensemble.npz",
        nets=f"{HENNICK}/{{ensemble}}/nets.parquet",
    output:
        posterior=f"{HENNICK}/{{ensemble}}/posterior.npz",
        record=f"{HENNICK}/{{ensemble}}/posterior.json",
    log:
        "logs/{preset}/hennick2025/measure_posterior/{ensemble}.log",
    benchmark:
        f"{HENNICK}/{{ensemble}}/measure_posterior.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        plan=section("moons", "posterior"),
        root_seed=seed_of_ensemble,
        code=code_digest("measure_posterior.py"),
    script:
        "../scripts/measure_posterior.py"


rule measure_laws:
    input:
        ensemble=f"{HENNICK}/{{ensemble}}/ensemble.npz",
        nets=f"{HENNICK}/{{ensemble}}/nets.parquet",
        posterior=f"{HENNICK}/{{ensemble}}/posterior.npz",
    output:
        **of_tables("{ensemble}", LAW_TABLES),
        quantities=f"{HENNICK}/{{ensemble}}/clusters.csv",
        record_quantities=f"{HENNICK}/{{ensemble}}/clusters.json",
    log:
        "logs/{preset}/hennick2025/measure_laws/{ensemble}.log",
    benchmark:
        f"{HENNICK}/{{ensemble}}/measure_laws.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        plan=section("moons", "laws"),
        root_seed=seed_of_ensemble,
        code=code_digest("measure_laws.py"),
    script:
        "../scripts/measure_laws.py"


rule collect_moons:
    input:
        walks=of_ensembles("walks.csv"),
        laws=of_ensembles("clusters.csv"),
    output:
        walks=f"{HENNICK}/quantities/moons.csv",
        record_walks=f"{HENNICK}/quantities/moons.json",
        laws=f"{HENNICK}/quantities/laws.csv",
        record_laws=f"{HENNICK}/quantities/laws.json",
        sets=f"{HENNICK}/moons/sets.parquet",
        record_sets=f"{HENNICK}/moons/sets.json",
    log:
        "logs/{preset}/hennick2025/collect_moons.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_digest("collect_moons.py"),
    script:
        "../scripts/collect_moons.py"


# A part is one architecture of the design with all its batch sizes and rates: jobs that can be interrupted and
# run side by side.
rule train_mlps:
    input:
        data=prepared("hennick2025"),
    output:
        trained=f"{HENNICK}/{{run}}/part-{{part}}/trained.npz",
        record=f"{HENNICK}/{{run}}/part-{{part}}/trained.json",
    log:
        "logs/{preset}/hennick2025/train_mlps/{run}-part-{part}.log",
    benchmark:
        f"{HENNICK}/{{run}}/part-{{part}}/train_mlps.tsv"
    wildcard_constraints:
        run="|".join(MLPS.values()),
        part=r"\d+",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=120,
    params:
        optimiser=section(None, "optimiser"),
        data=section(None, "data"),
        design=section(None, "design"),
        training=section(None, "training"),
        root_seed=SETTINGS.root_seed,
        code=code_digest("train_mlps.py"),
    script:
        "../scripts/train_mlps.py"


rule measure_mlps:
    input:
        data=prepared("hennick2025"),
        trained=f"{HENNICK}/{{run}}/part-{{part}}/trained.npz",
    output:
        **{
            t: f"{HENNICK}/{{run}}/part-{{part}}/{t}.parquet"
            for t in ("coefficients", "evaluations", "varied")
        },
        record=f"{HENNICK}/{{run}}/part-{{part}}/coefficients.json",
    log:
        "logs/{preset}/hennick2025/measure_mlps/{run}-part-{part}.log",
    benchmark:
        f"{HENNICK}/{{run}}/part-{{part}}/measure_mlps.tsv"
    wildcard_constraints:
        run="|".join(MLPS.values()),
        part=r"\d+",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=120,
    params:
        data=section(None, "data"),
        plan=section(None, "coefficients"),
        changes=section(None, "sensitivity"),
        every=section(None, "sensitivity_every"),
        root_seed=SETTINGS.root_seed,
        code=code_digest("measure_mlps.py"),
    script:
        "../scripts/measure_mlps.py"


rule collect_mlps:
    input:
        **{
            f"{name}_{optimiser}": parts_of(optimiser, file)
            for optimiser in MLPS
            for name, file in {
                "trained": "trained.npz",
                "coefficients": "coefficients.parquet",
                "evaluations": "evaluations.parquet",
                "varied": "varied.parquet",
            }.items()
        },
    output:
        **of_tables("mlps", MLP_TABLES),
        quantities=f"{HENNICK}/quantities/mlps.csv",
        record_quantities=f"{HENNICK}/quantities/mlps.json",
    log:
        "logs/{preset}/hennick2025/collect_mlps.log",
    benchmark:
        f"{HENNICK}/mlps/collect_mlps.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        runs=lambda w: {run: section(run)(w) for run in MLPS.values()},
        root_seed=SETTINGS.root_seed,
        code=code_digest("collect_mlps.py"),
    script:
        "../scripts/collect_mlps.py"


rule plot_hennick2025:
    input:
        unpack(hennick_tables(HENNICK_FIGURES, "figure")),
    output:
        pdf="figures/{preset}/hennick2025/{figure}.pdf",
        png="figures/{preset}/hennick2025/{figure}.png",
        record="figures/{preset}/hennick2025/{figure}.json",
    log:
        "logs/{preset}/hennick2025/plot/{figure}.log",
    wildcard_constraints:
        figure="|".join(HENNICK_FIGURES),
    conda:
        "../../environment.yml"
    threads: 1
    params:
        figure=hennick_figure,
        code=lambda w: code_digest("plot.py", hennick_figure(w)),
    script:
        "../scripts/plot.py"


rule tabulate_hennick2025:
    input:
        unpack(hennick_tables(HENNICK_TABLES, "table")),
    output:
        csv="figures/{preset}/hennick2025/{table}.csv",
        md="figures/{preset}/hennick2025/{table}.md",
        tex="figures/{preset}/hennick2025/{table}.tex",
        record="figures/{preset}/hennick2025/{table}.json",
    log:
        "logs/{preset}/hennick2025/tabulate/{table}.log",
    wildcard_constraints:
        table="|".join(HENNICK_TABLES),
    conda:
        "../../environment.yml"
    threads: 1
    params:
        table=lambda w: HENNICK_TABLES[w.table][0],
        code=lambda w: code_digest("tabulate.py", HENNICK_TABLES[w.table][0]),
    script:
        "../scripts/tabulate.py"
