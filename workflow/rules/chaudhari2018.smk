# Chaudhari & Soatto 2018: spectra of the diffusion matrix (Figs 1, 2), the double well (Fig 4).
SPECTRA = {"fig1a": "small-lenet", "fig1b": "small-fc"}
FIG4_TABLES = [
    "field",
    "potential",
    "histogram",
    "marginals",
    "points",
    "orbits",
    "returns",
]


rule measure_spectra:
    input:
        data=lambda w: CONFIG.prepared(
            w.preset, CONFIG.run(w.preset, "chaudhari2018", w.run)
        ),
        checkpoints="results/{preset}/chaudhari2018/{run}/seed-{seed}/checkpoints.pt",
    output:
        eigenvalues="results/{preset}/chaudhari2018/{run}/seed-{seed}/eigenvalues.parquet",
        statistics="results/{preset}/chaudhari2018/{run}/seed-{seed}/statistics.parquet",
        record="results/{preset}/chaudhari2018/{run}/seed-{seed}/eigenvalues.json",
    log:
        "logs/{preset}/chaudhari2018/measure_spectra/{run}-seed-{seed}.log",
    benchmark:
        "results/{preset}/chaudhari2018/{run}/seed-{seed}/measure_spectra.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        gpu=0,
        mem_mb=8000,
        runtime=120,
    params:
        run=settings("chaudhari2018", None, "seeds"),
        code=code_digest("measure_spectra.py"),
    script:
        "../scripts/measure_spectra.py"


rule collect_spectra:
    input:
        eigenvalues=of_seeds("chaudhari2018", "eigenvalues.parquet"),
        statistics=of_seeds("chaudhari2018", "statistics.parquet"),
    output:
        eigenvalues="results/{preset}/chaudhari2018/{run}/eigenvalues.parquet",
        statistics="results/{preset}/chaudhari2018/{run}/statistics.parquet",
        distances="results/{preset}/chaudhari2018/{run}/distances.parquet",
        quantities="results/{preset}/chaudhari2018/quantities/spectra-{run}.csv",
        record="results/{preset}/chaudhari2018/{run}/eigenvalues.json",
        record_quantities="results/{preset}/chaudhari2018/quantities/spectra-{run}.json",
    log:
        "logs/{preset}/chaudhari2018/collect_spectra/{run}.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        code=code_digest("collect_spectra.py"),
    script:
        "../scripts/collect_spectra.py"


rule measure_errors:
    input:
        checkpoints=of_seeds("chaudhari2018", "checkpoints.pt"),
        metrics=of_seeds("chaudhari2018", "metrics.csv"),
    output:
        errors="results/{preset}/chaudhari2018/{run}/errors.csv",
        quantities="results/{preset}/chaudhari2018/quantities/errors-{run}.csv",
        record="results/{preset}/chaudhari2018/{run}/errors.json",
        record_quantities="results/{preset}/chaudhari2018/quantities/errors-{run}.json",
    log:
        "logs/{preset}/chaudhari2018/measure_errors/{run}.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        code=code_digest("measure_errors.py"),
    script:
        "../scripts/measure_errors.py"


rule plot_chaudhari2018_spectrum:
    input:
        eigenvalues=lambda w: f"results/{w.preset}/chaudhari2018/{SPECTRA[w.figure]}/eigenvalues.parquet",
        statistics=lambda w: f"results/{w.preset}/chaudhari2018/{SPECTRA[w.figure]}/statistics.parquet",
    output:
        pdf="figures/{preset}/chaudhari2018/{figure}.pdf",
        png="figures/{preset}/chaudhari2018/{figure}.png",
        record="figures/{preset}/chaudhari2018/{figure}.json",
    log:
        "logs/{preset}/chaudhari2018/plot/{figure}.log",
    wildcard_constraints:
        figure="|".join(SPECTRA),
    conda:
        "../../environment.yml"
    threads: 1
    params:
        figure="sgdiffusion.figures.chaudhari2018_spectra:spectrum_figure",
        arguments=lambda w: {
            "published": published("chaudhari2018", SPECTRA[w.figure]),
            "title": title(w.preset, "chaudhari2018", SPECTRA[w.figure]),
        },
        code=code_digest(
            "plot.py", "sgdiffusion.figures.chaudhari2018_spectra:spectrum_figure"
        ),
    script:
        "../scripts/plot.py"


rule tabulate_chaudhari2018_spectra:
    input:
        quantity_table=[
            f"results/{{preset}}/chaudhari2018/quantities/spectra-{run}.csv"
            for run in SPECTRA.values()
        ],
    output:
        csv="figures/{preset}/chaudhari2018/table_spectra.csv",
        md="figures/{preset}/chaudhari2018/table_spectra.md",
        tex="figures/{preset}/chaudhari2018/table_spectra.tex",
        record="figures/{preset}/chaudhari2018/table_spectra.json",
    log:
        "logs/{preset}/chaudhari2018/tabulate/spectra.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        table="sgdiffusion.studies.chaudhari2018_spectra:statistics_table",
        arguments={"published": published("chaudhari2018")},
        code=code_digest(
            "tabulate.py", "sgdiffusion.studies.chaudhari2018_spectra:statistics_table"
        ),
    script:
        "../scripts/tabulate.py"


rule measure_double_well:
    output:
        **{
            t: f"results/{{preset}}/chaudhari2018/double-well/{{figure}}/{t}.parquet"
            for t in FIG4_TABLES
        },
        quantities="results/{preset}/chaudhari2018/quantities/{figure}.csv",
        record="results/{preset}/chaudhari2018/double-well/{figure}/field.json",
        record_quantities="results/{preset}/chaudhari2018/quantities/{figure}.json",
    log:
        "logs/{preset}/chaudhari2018/measure_double_well/{figure}.log",
    benchmark:
        "results/{preset}/chaudhari2018/double-well/{figure}/benchmark.tsv"
    wildcard_constraints:
        figure="fig4[abc]",
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        run=settings("chaudhari2018", "double-well"),
        root_seed=SETTINGS.root_seed,
        code=code_digest("measure_double_well.py"),
    script:
        "../scripts/measure_double_well.py"


rule plot_chaudhari2018_fig4:
    input:
        **{
            t: f"results/{{preset}}/chaudhari2018/double-well/{{figure}}/{t}.parquet"
            for t in FIG4_TABLES
        },
    output:
        pdf="figures/{preset}/chaudhari2018/{figure}.pdf",
        png="figures/{preset}/chaudhari2018/{figure}.png",
        record="figures/{preset}/chaudhari2018/{figure}.json",
    log:
        "logs/{preset}/chaudhari2018/plot/{figure}.log",
    wildcard_constraints:
        figure="fig4[abc]",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        figure="sgdiffusion.figures.chaudhari2018_fig4:fig4",
        code=code_digest("plot.py", "sgdiffusion.figures.chaudhari2018_fig4:fig4"),
    script:
        "../scripts/plot.py"
