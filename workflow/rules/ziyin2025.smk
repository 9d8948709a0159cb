# Ziyin, Li & Ueda 2025: noise balance and stationary distributions. Every measurement is one simulation study with
# settings of its own, so that one rule is written for each line of ZIYIN_STUDIES; likewise for figures and tables.
for run_id, (study, model, tables) in ZIYIN_STUDIES.items():

    rule:
        name:
            "measure_ziyin2025_" + run_id.replace("-", "_")
        output:
            **ziyin_outputs(run_id, tables),
        log:
            f"logs/{{preset}}/ziyin2025/measure/{run_id}.log",
        benchmark:
            f"results/{{preset}}/ziyin2025/{run_id}/benchmark.tsv"
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            study=f"sgdiffusion.studies.{study}",
            model=f"sgdiffusion.papers.ziyin2025.settings:{model}",
            run=settings("ziyin2025", run_id),
            run_id=run_id,
            root_seed=SETTINGS.root_seed,
            code=code_digest("measure_simulation.py", f"sgdiffusion.studies.{study}"),
        script:
            "../scripts/measure_simulation.py"


rule measure_ziyin2025_depths:
    input:
        data=prepared("ziyin2025", "depth-scaling"),
    output:
        **ziyin_outputs("depth-scaling", ["errors"]),
    log:
        "logs/{preset}/ziyin2025/measure/depth-scaling.log",
    benchmark:
        "results/{preset}/ziyin2025/depth-scaling/benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        run=settings("ziyin2025", "depth-scaling"),
        root_seed=SETTINGS.root_seed,
        code=code_digest("measure_depths.py"),
    script:
        "../scripts/measure_depths.py"


for figure, (function, inputs) in ZIYIN_FIGURES.items():

    rule:
        name:
            f"plot_ziyin2025_{figure}"
        input:
            **ziyin_inputs(inputs),
        output:
            pdf=f"figures/{{preset}}/ziyin2025/{figure}.pdf",
            png=f"figures/{{preset}}/ziyin2025/{figure}.png",
            record=f"figures/{{preset}}/ziyin2025/{figure}.json",
        log:
            f"logs/{{preset}}/ziyin2025/plot/{figure}.log",
        conda:
            "../../environment.yml"
        threads: 1
        params:
            figure=f"sgdiffusion.figures.{function}",
            arguments=ziyin_titles(figure),
            code=code_digest("plot.py", f"sgdiffusion.figures.{function}"),
        script:
            "../scripts/plot.py"


for table, (function, inputs) in ZIYIN_TABLES.items():

    rule:
        name:
            f"tabulate_ziyin2025_{table}"
        input:
            **ziyin_inputs(inputs),
        output:
            csv=f"figures/{{preset}}/ziyin2025/{table}.csv",
            md=f"figures/{{preset}}/ziyin2025/{table}.md",
            tex=f"figures/{{preset}}/ziyin2025/{table}.tex",
            record=f"figures/{{preset}}/ziyin2025/{table}.json",
        log:
            f"logs/{{preset}}/ziyin2025/tabulate/{table}.log",
        conda:
            "../../environment.yml"
        threads: 1
        params:
            table=f"sgdiffusion.studies.{function}",
            code=code_digest("tabulate.py", f"sgdiffusion.studies.{function}"),
        script:
            "../scripts/tabulate.py"
