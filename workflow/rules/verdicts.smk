# Verdicts, specification curves, assumptions, findings, numbers.


rule judge_claims:
    input:
        quantities=lambda w: quantity_files(w.paper)(w),
        readings=lambda w: reading_files(w.paper)(w),
    output:
        readings="figures/{preset}/{paper}/readings.csv",
        csv="figures/{preset}/{paper}/verdicts.csv",
        md="figures/{preset}/{paper}/verdicts.md",
        tex="figures/{preset}/{paper}/verdicts.tex",
        records="figures/{preset}/{paper}/verdicts.json",
    log:
        "logs/{preset}/{paper}/judge_claims.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("judge_claims"),
        runtime=10,
    params:
        claims=lambda w: [c.model_dump(mode="json") for c in CLAIMS[w.paper]],
        left_out=lambda w: {
            c.id: reason
            for c in CLAIMS[w.paper]
            if (reason := LEFT_OUT.reason(f"{w.paper}/claims/{c.id}"))
        },
        substituted=lambda w: sorted(CONFIG.preset(w.preset).substitute),
        optional=optional_quantities,
        code=code_digest("judge.py"),
    script:
        "../scripts/judge.py"


# The specification curves of a paper: of each claim whose numbers depend on what the paper leaves open.
for paper in [p for p in CONFIG.papers() if curves(p)]:

    rule:
        name:
            f"specify_{paper}"
        input:
            readings=f"figures/{{preset}}/{paper}/readings.csv",
            verdicts=f"figures/{{preset}}/{paper}/verdicts.csv",
        output:
            **curves(paper),
            pdfs=[f.replace(".png", ".pdf") for f in curves(paper).values()],
            records=[f.replace(".png", ".json") for f in curves(paper).values()],
        log:
            f"logs/{{preset}}/{paper}/specify.log",
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=memory(f"specify_{paper}"),
            runtime=10,
        params:
            claims=[c.model_dump(mode="json") for c in CLAIMS[paper] if c.choices],
            bases={n: c.base for n, c in CONFIG.choices(paper).items()},
            code=code_digest("specify.py"),
        script:
            "../scripts/specify.py"


rule tabulate_verdicts:
    input:
        **{p: f"figures/{{preset}}/{p}/verdicts.csv" for p in CONFIG.papers()},
    output:
        csv="figures/{preset}/verdicts.csv",
        md="figures/{preset}/verdicts.md",
        tex="figures/{preset}/verdicts.tex",
        records="figures/{preset}/verdicts.json",
    log:
        "logs/{preset}/tabulate_verdicts.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("tabulate_verdicts"),
        runtime=10,
    params:
        function="sgdiffusion.verdicts:join_verdicts",
        arguments={},
        code=code_digest("make_table.py", "sgdiffusion.verdicts:join_verdicts"),
    script:
        "../scripts/make_table.py"


# The words and choices are read from config/ by the scripts; here stand their digests, which make outputs stale.
rule tabulate_assumptions:
    input:
        **{paper: quantity_files(paper) for paper in CONFIG.papers()},
        **{
            f"{paper}_readings": f"figures/{{preset}}/{paper}/readings.csv"
            for paper in CONFIG.papers()
        },
    output:
        csv="figures/{preset}/assumptions.csv",
        md="figures/{preset}/assumptions.md",
        tex="figures/{preset}/assumptions.tex",
        records="figures/{preset}/assumptions.json",
    log:
        "logs/{preset}/tabulate_assumptions.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("tabulate_assumptions"),
        runtime=10,
    params:
        papers=CONFIG.papers(),
        choices=lambda w: config_digest(CONFIG.assumptions(w.preset)),
        code=code_digest("tabulate_assumptions.py"),
    script:
        "../scripts/tabulate_assumptions.py"


rule tabulate_findings:
    input:
        **{paper: quantity_files(paper) for paper in CONFIG.papers()},
    output:
        csv="figures/{preset}/findings.csv",
        md="figures/{preset}/findings.md",
        tex="figures/{preset}/findings.tex",
        records="figures/{preset}/findings.json",
    log:
        "logs/{preset}/tabulate_findings.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("tabulate_findings"),
        runtime=10,
    params:
        texts=texts_digest(),
        code=code_digest("tabulate_findings.py"),
    script:
        "../scripts/tabulate_findings.py"


rule collect_numbers:
    input:
        **{paper: quantity_files(paper) for paper in CONFIG.papers()},
    output:
        json="figures/{preset}/numbers.json",
        tex="figures/{preset}/numbers.tex",
    log:
        "logs/{preset}/collect_numbers.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("collect_numbers"),
        runtime=10,
    params:
        runs=lambda w: {
            f"{paper}/{run}": settings.model_dump(mode="json")
            for paper in CONFIG.papers()
            for run, settings in CONFIG.runs(w.preset, paper).items()
        },
        code=code_digest("collect_numbers.py"),
    script:
        "../scripts/collect_numbers.py"
