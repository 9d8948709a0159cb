# What a run shows as a whole: the list of items, the composite, the gallery, the report; a target for every preset.
rule list_items:
    output:
        json="figures/{preset}/items.json",
    log:
        "logs/{preset}/list_items.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("list_items"),
        runtime=10,
    params:
        listing=lambda w: items(w.preset),
        code=code_digest("list_items.py"),
    script:
        "../scripts/list_items.py"


rule compose_figures:
    input:
        **{
            paper: [f"figures/{{preset}}/{paper}/{name}.png" for name in names]
            for paper, names in COMPOSITE.items()
        },
    output:
        pdf="figures/{preset}/composite.pdf",
        png="figures/{preset}/composite.png",
        records="figures/{preset}/composite.json",
    log:
        "logs/{preset}/compose_figures.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("compose_figures"),
        runtime=10,
    params:
        names=[TEXTS[paper].paper.short for paper in COMPOSITE],
        code=code_digest("compose.py"),
    script:
        "../scripts/compose.py"


rule build_gallery:
    input:
        figures=lambda w: [
            f"figures/{w.preset}/{p}/{f}.svg" for p in REGISTRIES for f in FIGURES[p]
        ],
        tables=lambda w: [
            f"figures/{w.preset}/{p}/{t}.csv" for p in REGISTRIES for t in TABLES[p]
        ],
        verdicts="figures/{preset}/verdicts.csv",
        curves=lambda w: [
            file.format(preset=w.preset)
            for p in CONFIG.papers()
            for file in curves(p).values()
        ],
        findings="figures/{preset}/findings.csv",
        assumptions="figures/{preset}/assumptions.csv",
        numbers="figures/{preset}/numbers.json",
        listing="figures/{preset}/items.json",
    output:
        html="figures/{preset}/index.html",
        records="figures/{preset}/index.json",
    log:
        "logs/{preset}/build_gallery.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("build_gallery"),
        runtime=10,
    params:
        texts=texts_digest(),
        captions=config_digest(load_captions(Path("config"))),
        claims=config_digest(*(c for p in CONFIG.papers() for c in CLAIMS[p])),
        description=lambda w: CONFIG.preset(w.preset).description,
        command=lambda w: "snakemake --cores all {target}",
        templates=content_digest((ROOT / "src/sgdiffusion/gallery/templates").iterdir()),
        code=code_digest("build_gallery.py"),
    script:
        "../scripts/build_gallery.py"


# One article; what it says of a paper comes from that paper's folder, so that it asks for what the gallery asks for.
rule typeset_report:
    input:
        figures=lambda w: [
            f"figures/{w.preset}/{p}/{f}.pdf" for p in REGISTRIES for f in FIGURES[p]
        ],
        tables=lambda w: [
            f"figures/{w.preset}/{p}/{t}.csv" for p in REGISTRIES for t in TABLES[p]
        ],
        verdicts="figures/{preset}/verdicts.csv",
        curves=lambda w: [
            file.format(preset=w.preset)
            for p in CONFIG.papers()
            for file in curves(p).values()
        ],
        findings="figures/{preset}/findings.csv",
        assumptions="figures/{preset}/assumptions.csv",
        numbers="figures/{preset}/numbers.json",
        listing="figures/{preset}/items.json",
    output:
        pdf="figures/{preset}/report.pdf",
        records="figures/{preset}/report.json",
    log:
        "logs/{preset}/typeset_report.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("typeset_report"),
        runtime=10,
    params:
        papers=CONFIG.papers(),
        words=config_digest(REPORT, load_captions(Path("config"))),
        texts=texts_digest(),
        claims=config_digest(*(c for p in CONFIG.papers() for c in CLAIMS[p])),
        description=lambda w: CONFIG.preset(w.preset).description,
        template=content_digest((ROOT / "src/sgdiffusion/report/template").iterdir()),
        code=code_digest("typeset_report.py"),
    script:
        "../scripts/typeset_report.py"


for preset in CONFIG.presets():

    rule:
        name:
            preset
        input:
            targets(preset),
