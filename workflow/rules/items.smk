# One rule plots and one tabulates: what differs between figures is in the registries, papers/<paper>/items.py.
rule plot:
    input:
        unpack(item_inputs("figure")),
    output:
        pdf="figures/{preset}/{paper}/{figure}.pdf",
        png="figures/{preset}/{paper}/{figure}.png",
        svg="figures/{preset}/{paper}/{figure}.svg",
        records="figures/{preset}/{paper}/{figure}.json",
    log:
        "logs/{preset}/{paper}/plot/{figure}.log",
    wildcard_constraints:
        figure="[^/]+",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("plot"),
        runtime=10,
    params:
        function=item_entry("figure", "figures."),
        arguments=item_arguments("figure"),
        code=lambda w: code_digest("plot.py", item_entry("figure", "figures.")(w)),
    script:
        "../scripts/plot.py"


rule tabulate:
    input:
        unpack(item_inputs("table")),
    output:
        csv="figures/{preset}/{paper}/{table}.csv",
        md="figures/{preset}/{paper}/{table}.md",
        tex="figures/{preset}/{paper}/{table}.tex",
        records="figures/{preset}/{paper}/{table}.json",
    log:
        "logs/{preset}/{paper}/tabulate/{table}.log",
    wildcard_constraints:
        table="(?!verdicts|readings)[^/]+",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("tabulate"),
        runtime=10,
    params:
        function=item_entry("table"),
        arguments=item_arguments("table"),
        code=lambda w: code_digest("make_table.py", item_entry("table")(w)),
    script:
        "../scripts/make_table.py"


# A target by name for every figure and table, at the preset of the configuration.
for paper, registry in REGISTRIES.items():
    for name, ending in [(f, "pdf") for f in FIGURES[paper]] + [
        (t, "csv") for t in [*TABLES[paper], *registry.optional]
    ]:

        rule:
            name:
                f"{paper}_{name.replace('-', '_')}"
            input:
                f"figures/{SETTINGS.preset}/{paper}/{name}.{ending}",

    rule:
        name:
            paper
        input:
            targets(SETTINGS.preset, paper),
