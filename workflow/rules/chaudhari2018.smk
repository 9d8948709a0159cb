# Chaudhari & Soatto 2018: spectra of the diffusion matrix (Figs 1, 2), long trajectories (Fig 3), the double
# well (Fig 4) and the theorems.
FIG3_TABLES = ["spectrum", "autocorrelation", "weights", "gradients"]
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
        data=prepared("chaudhari2018"),
        checkpoints="results/{preset}/chaudhari2018/{run}/seed-{seed}/checkpoints.pt",
    output:
        eigenvalues="results/{preset}/chaudhari2018/{run}/seed-{seed}/{evaluation}/eigenvalues.parquet",
        statistics="results/{preset}/chaudhari2018/{run}/seed-{seed}/{evaluation}/statistics.parquet",
        record="results/{preset}/chaudhari2018/{run}/seed-{seed}/{evaluation}/eigenvalues.json",
    log:
        "logs/{preset}/chaudhari2018/measure_spectra/{run}-{evaluation}-seed-{seed}.log",
    benchmark:
        "results/{preset}/chaudhari2018/{run}/seed-{seed}/{evaluation}/measure_spectra.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        gpu=0,
        mem_mb=8000,
        runtime=120,
    params:
        run=settings("chaudhari2018", None, "seeds"),
        root_seed=SETTINGS.root_seed,
        code=code_digest("measure_spectra.py"),
    script:
        "../scripts/measure_spectra.py"


rule collect_spectra:
    input:
        eigenvalues=of_seeds("chaudhari2018", "{evaluation}/eigenvalues.parquet"),
        statistics=of_seeds("chaudhari2018", "{evaluation}/statistics.parquet"),
    output:
        eigenvalues="results/{preset}/chaudhari2018/{run}/{evaluation}/eigenvalues.parquet",
        statistics="results/{preset}/chaudhari2018/{run}/{evaluation}/statistics.parquet",
        distances="results/{preset}/chaudhari2018/{run}/{evaluation}/distances.parquet",
        quantities="results/{preset}/chaudhari2018/quantities/spectra-{run}-{evaluation}.csv",
        record="results/{preset}/chaudhari2018/{run}/{evaluation}/eigenvalues.json",
        record_statistics="results/{preset}/chaudhari2018/{run}/{evaluation}/statistics.json",
        record_quantities="results/{preset}/chaudhari2018/quantities/spectra-{run}-{evaluation}.json",
    log:
        "logs/{preset}/chaudhari2018/collect_spectra/{run}-{evaluation}.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        name=lambda w: quantity_name(w.run, w.evaluation),
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
        eigenvalues=spectra("eigenvalues.parquet"),
        statistics=spectra("statistics.parquet"),
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
        figure="sgdiffusion.papers.chaudhari2018.figures.spectra:spectrum_figure",
        arguments=lambda w: {
            "published": published_spectrum(w.figure),
            "title": spectrum_title(w),
        },
        code=code_digest(
            "plot.py", "sgdiffusion.papers.chaudhari2018.figures.spectra:spectrum_figure"
        ),
    script:
        "../scripts/plot.py"


rule tabulate_chaudhari2018_spectra:
    input:
        quantity_table=[
            f"results/{{preset}}/chaudhari2018/quantities/spectra-{run}-{evaluation}.csv"
            for run, evaluation in measured_spectra()
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
        table="sgdiffusion.papers.chaudhari2018.spectra:statistics_table",
        arguments={"published": published_spectra()},
        code=code_digest(
            "tabulate.py", "sgdiffusion.papers.chaudhari2018.spectra:statistics_table"
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
        figure="sgdiffusion.papers.chaudhari2018.figures.double_well:fig4",
        code=code_digest("plot.py", "sgdiffusion.papers.chaudhari2018.figures.double_well:fig4"),
    script:
        "../scripts/plot.py"


rule measure_trajectory:
    input:
        data=prepared("chaudhari2018"),
        checkpoints="results/{preset}/chaudhari2018/{run}/seed-{seed}/checkpoints.pt",
        trajectory="results/{preset}/chaudhari2018/{run}/seed-{seed}/trajectory.zarr",
    output:
        **{
            t: f"results/{{preset}}/chaudhari2018/{{run}}/seed-{{seed}}/{t}.parquet"
            for t in FIG3_TABLES
        },
        record="results/{preset}/chaudhari2018/{run}/seed-{seed}/spectrum.json",
    log:
        "logs/{preset}/chaudhari2018/measure_trajectory/{run}-seed-{seed}.log",
    benchmark:
        "results/{preset}/chaudhari2018/{run}/seed-{seed}/measure_trajectory.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        run=settings("chaudhari2018", None, "seeds"),
        root_seed=SETTINGS.root_seed,
        code=code_digest("measure_trajectory.py"),
    script:
        "../scripts/measure_trajectory.py"


rule collect_trajectories:
    input:
        spectrum=of_seeds("chaudhari2018", "spectrum.parquet"),
        autocorrelation=of_seeds("chaudhari2018", "autocorrelation.parquet"),
        weights=of_seeds("chaudhari2018", "weights.parquet"),
        gradients=of_seeds("chaudhari2018", "gradients.parquet"),
    output:
        **{
            t: f"results/{{preset}}/chaudhari2018/{{run}}/fig3/{t}.parquet"
            for t in FIG3_TABLES
        },
        quantities="results/{preset}/chaudhari2018/quantities/trajectory-{run}.csv",
        record="results/{preset}/chaudhari2018/{run}/fig3/spectrum.json",
        record_autocorrelation="results/{preset}/chaudhari2018/{run}/fig3/autocorrelation.json",
        record_gradients="results/{preset}/chaudhari2018/{run}/fig3/gradients.json",
        record_quantities="results/{preset}/chaudhari2018/quantities/trajectory-{run}.json",
    log:
        "logs/{preset}/chaudhari2018/collect_trajectories/{run}.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        run=settings("chaudhari2018", None, "seeds"),
        code=code_digest("collect_trajectories.py"),
    script:
        "../scripts/collect_trajectories.py"


rule measure_variant:
    input:
        data=prepared("chaudhari2018", "tiny-fc"),
    output:
        quantities="results/{preset}/chaudhari2018/tiny-fc-variants/{variant}/quantities.csv",
        record="results/{preset}/chaudhari2018/tiny-fc-variants/{variant}/quantities.json",
    log:
        "logs/{preset}/chaudhari2018/measure_variant/{variant}.log",
    benchmark:
        "results/{preset}/chaudhari2018/tiny-fc-variants/{variant}/benchmark.tsv"
    wildcard_constraints:
        variant="|".join(variants("full", "tiny-fc")),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        run=lambda w: variants(w.preset, "tiny-fc")[w.variant].model_dump(
            mode="json", exclude={"assumptions"}
        ),
        root_seed=SETTINGS.root_seed,
        trainer=TRAINERS["fused"],
        code=code_digest("measure_variant.py", TRAINERS["fused"]),
    script:
        "../scripts/measure_variant.py"


rule tabulate_chaudhari2018_sensitivity:
    input:
        **{
            variant: f"results/{{preset}}/chaudhari2018/tiny-fc-variants/{variant}/quantities.csv"
            for variant in variants("full", "tiny-fc")
        },
    output:
        csv="figures/{preset}/chaudhari2018/table_sensitivity.csv",
        md="figures/{preset}/chaudhari2018/table_sensitivity.md",
        tex="figures/{preset}/chaudhari2018/table_sensitivity.tex",
        record="figures/{preset}/chaudhari2018/table_sensitivity.json",
    log:
        "logs/{preset}/chaudhari2018/tabulate/sensitivity.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        table="sgdiffusion.papers.chaudhari2018.trajectories:sensitivity_table",
        code=code_digest(
            "tabulate.py",
            "sgdiffusion.papers.chaudhari2018.trajectories:sensitivity_table",
        ),
    script:
        "../scripts/tabulate.py"


rule measure_spectra_variants:
    input:
        data=prepared("chaudhari2018", "small-fc"),
    output:
        quantities="results/{preset}/chaudhari2018/quantities/variants-small-fc.csv",
        record="results/{preset}/chaudhari2018/quantities/variants-small-fc.json",
    log:
        "logs/{preset}/chaudhari2018/measure_spectra_variants.log",
    benchmark:
        "results/{preset}/chaudhari2018/small-fc/measure_spectra_variants.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=4000,
        runtime=240,
    params:
        name="small-fc",
        variants=lambda w: {
            name: training.model_dump(mode="json", exclude={"assumptions"})
            for name, training in variants(w.preset, "small-fc").items()
        },
        root_seed=SETTINGS.root_seed,
        trainer=TRAINERS["torch"],
        code=code_digest("measure_spectra_variants.py", TRAINERS["torch"]),
    script:
        "../scripts/measure_spectra_variants.py"


rule tabulate_chaudhari2018_spectra_sensitivity:
    input:
        quantities="results/{preset}/chaudhari2018/quantities/variants-small-fc.csv",
    output:
        csv="figures/{preset}/chaudhari2018/table_spectra_sensitivity.csv",
        md="figures/{preset}/chaudhari2018/table_spectra_sensitivity.md",
        tex="figures/{preset}/chaudhari2018/table_spectra_sensitivity.tex",
        record="figures/{preset}/chaudhari2018/table_spectra_sensitivity.json",
    log:
        "logs/{preset}/chaudhari2018/tabulate/spectra_sensitivity.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        table="sgdiffusion.papers.chaudhari2018.spectra:variants_table",
        arguments={
            "name": "small-fc",
            "published": published("chaudhari2018", "small-fc"),
        },
        code=code_digest(
            "tabulate.py", "sgdiffusion.papers.chaudhari2018.spectra:variants_table"
        ),
    script:
        "../scripts/tabulate.py"


rule plot_chaudhari2018_fig3a:
    input:
        spectrum="results/{preset}/chaudhari2018/tiny-fc/fig3/spectrum.parquet",
    output:
        pdf="figures/{preset}/chaudhari2018/fig3a.pdf",
        png="figures/{preset}/chaudhari2018/fig3a.png",
        record="figures/{preset}/chaudhari2018/fig3a.json",
    log:
        "logs/{preset}/chaudhari2018/plot/fig3a.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        figure="sgdiffusion.papers.chaudhari2018.figures.trajectories:fig3a",
        arguments=lambda w: {
            "title": title(w.preset, "chaudhari2018", "tiny-fc"),
        },
        code=code_digest(
            "plot.py", "sgdiffusion.papers.chaudhari2018.figures.trajectories:fig3a"
        ),
    script:
        "../scripts/plot.py"


rule plot_chaudhari2018_fig3b:
    input:
        autocorrelation="results/{preset}/chaudhari2018/tiny-fc/fig3/autocorrelation.parquet",
    output:
        pdf="figures/{preset}/chaudhari2018/fig3b.pdf",
        png="figures/{preset}/chaudhari2018/fig3b.png",
        record="figures/{preset}/chaudhari2018/fig3b.json",
    log:
        "logs/{preset}/chaudhari2018/plot/fig3b.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        figure="sgdiffusion.papers.chaudhari2018.figures.trajectories:fig3b",
        arguments=lambda w: {
            "title": title(w.preset, "chaudhari2018", "tiny-fc"),
        },
        code=code_digest(
            "plot.py", "sgdiffusion.papers.chaudhari2018.figures.trajectories:fig3b"
        ),
    script:
        "../scripts/plot.py"


rule plot_chaudhari2018_fig3c:
    input:
        gradients="results/{preset}/chaudhari2018/tiny-fc/fig3/gradients.parquet",
    output:
        pdf="figures/{preset}/chaudhari2018/fig3c.pdf",
        png="figures/{preset}/chaudhari2018/fig3c.png",
        record="figures/{preset}/chaudhari2018/fig3c.json",
    log:
        "logs/{preset}/chaudhari2018/plot/fig3c.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        figure="sgdiffusion.papers.chaudhari2018.figures.trajectories:fig3c",
        arguments=lambda w: {
            "title": title(w.preset, "chaudhari2018", "tiny-fc"),
            "burn_in": CONFIG.run(w.preset, "chaudhari2018", "tiny-fc").burn_in,
        },
        code=code_digest(
            "plot.py", "sgdiffusion.papers.chaudhari2018.figures.trajectories:fig3c"
        ),
    script:
        "../scripts/plot.py"


rule measure_theory:
    output:
        descent="results/{preset}/chaudhari2018/theory/descent.parquet",
        anisotropy="results/{preset}/chaudhari2018/theory/anisotropy.parquet",
        displacement="results/{preset}/chaudhari2018/theory/displacement.parquet",
        quantities="results/{preset}/chaudhari2018/quantities/theory.csv",
        record="results/{preset}/chaudhari2018/theory/descent.json",
        record_quantities="results/{preset}/chaudhari2018/quantities/theory.json",
    log:
        "logs/{preset}/chaudhari2018/measure_theory.log",
    benchmark:
        "results/{preset}/chaudhari2018/theory/benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        run=settings("chaudhari2018", "theory"),
        root_seed=SETTINGS.root_seed,
        code=code_digest("measure_theory.py"),
    script:
        "../scripts/measure_theory.py"


rule plot_chaudhari2018_theory:
    input:
        descent="results/{preset}/chaudhari2018/theory/descent.parquet",
        anisotropy="results/{preset}/chaudhari2018/theory/anisotropy.parquet",
        displacement="results/{preset}/chaudhari2018/theory/displacement.parquet",
    output:
        pdf="figures/{preset}/chaudhari2018/theory.pdf",
        png="figures/{preset}/chaudhari2018/theory.png",
        record="figures/{preset}/chaudhari2018/theory.json",
    log:
        "logs/{preset}/chaudhari2018/plot/theory.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        figure="sgdiffusion.papers.chaudhari2018.figures.theorems:theory_figure",
        code=code_digest(
            "plot.py", "sgdiffusion.papers.chaudhari2018.figures.theorems:theory_figure"
        ),
    script:
        "../scripts/plot.py"


rule measure_minibatch:
    input:
        data=prepared("chaudhari2018", "small-fc"),
        checkpoints="results/{preset}/chaudhari2018/small-fc/seed-0/checkpoints.pt",
    output:
        minibatch="results/{preset}/chaudhari2018/minibatch/minibatch.parquet",
        quantities="results/{preset}/chaudhari2018/quantities/minibatch.csv",
        record="results/{preset}/chaudhari2018/minibatch/minibatch.json",
        record_quantities="results/{preset}/chaudhari2018/quantities/minibatch.json",
    log:
        "logs/{preset}/chaudhari2018/measure_minibatch.log",
    benchmark:
        "results/{preset}/chaudhari2018/minibatch/benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        gpu=0,
        mem_mb=4000,
        runtime=60,
    params:
        run=settings("chaudhari2018", "minibatch"),
        network=settings("chaudhari2018", "small-fc", "seeds"),
        root_seed=SETTINGS.root_seed,
        code=code_digest("measure_minibatch.py"),
    script:
        "../scripts/measure_minibatch.py"


rule tabulate_chaudhari2018_minibatch:
    input:
        minibatch="results/{preset}/chaudhari2018/minibatch/minibatch.parquet",
    output:
        csv="figures/{preset}/chaudhari2018/table_minibatch.csv",
        md="figures/{preset}/chaudhari2018/table_minibatch.md",
        tex="figures/{preset}/chaudhari2018/table_minibatch.tex",
        record="figures/{preset}/chaudhari2018/table_minibatch.json",
    log:
        "logs/{preset}/chaudhari2018/tabulate/minibatch.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        table="sgdiffusion.papers.chaudhari2018.spectra:published_minibatch",
        code=code_digest(
            "tabulate.py",
            "sgdiffusion.papers.chaudhari2018.spectra:published_minibatch",
        ),
    script:
        "../scripts/tabulate.py"


rule measure_diversity:
    input:
        **{
            name: f"results/{{preset}}/chaudhari2018/{run}/{evaluation}/statistics.parquet"
            for name, (run, evaluation) in DIVERSITY.items()
            if (run, evaluation) in measured_spectra()
        },
    output:
        quantities="results/{preset}/chaudhari2018/quantities/diversity.csv",
        record_quantities="results/{preset}/chaudhari2018/quantities/diversity.json",
    log:
        "logs/{preset}/chaudhari2018/measure_diversity.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        code=code_digest("measure_diversity.py"),
    script:
        "../scripts/measure_diversity.py"


rule measure_readings:
    output:
        quantities="results/{preset}/chaudhari2018/quantities/readings.csv",
        record_quantities="results/{preset}/chaudhari2018/quantities/readings.json",
    log:
        "logs/{preset}/chaudhari2018/measure_readings.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        published={figure: published_spectrum(figure) for figure in PRINTED_SPECTRA},
        code=code_digest("measure_readings.py"),
    script:
        "../scripts/measure_readings.py"


rule tabulate_chaudhari2018_remarks:
    input:
        **{
            run: f"results/{{preset}}/chaudhari2018/{run}/plain/statistics.parquet"
            for run, _ in measured_spectra()
        },
    output:
        csv="figures/{preset}/chaudhari2018/table_remarks.csv",
        md="figures/{preset}/chaudhari2018/table_remarks.md",
        tex="figures/{preset}/chaudhari2018/table_remarks.tex",
        record="figures/{preset}/chaudhari2018/table_remarks.json",
    log:
        "logs/{preset}/chaudhari2018/tabulate/remarks.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        table="sgdiffusion.papers.chaudhari2018.spectra:published_remarks",
        arguments=lambda w: noise_settings(w.preset),
        code=code_digest(
            "tabulate.py",
            "sgdiffusion.papers.chaudhari2018.spectra:published_remarks",
        ),
    script:
        "../scripts/tabulate.py"
