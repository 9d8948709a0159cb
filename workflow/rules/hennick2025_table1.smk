# Hennick & De Baerdemacker 2025, Table 1: optional. Nothing of `all`, of a preset or of the verdicts depends on
# these rules; asking for hennick2025_table1 (or a part of it) is asking for the downloads of data/optional.csv.
import csv

with (ROOT / "data" / "optional.csv").open(encoding="utf-8", newline="") as listed:
    OPTIONAL = [row["item"] for row in csv.DictReader(listed)]
TABLE1 = f"{HENNICK}/table1"
TABLE1_PARTS = {
    "table1": ["table1-vision", "table1-language", "table1-cifar"],
    "table1-vision": ["table1-vision"],
    "table1-cifar": ["table1-cifar"],
    "table1-language": ["table1-language"],
}
TINY_IMAGENET = "sgdiffusion.data.tiny_imagenet:tiny_imagenet"
ADAPTER = ROOT / "workflow" / "scripts" / "_larger.py"
PUBLISHED_TABLE1 = "sgdiffusion.papers.hennick2025.table1:table1"


wildcard_constraints:
    model="[a-z0-9_-]+",


rule fetch_optional:
    input:
        sources=ancient("data/optional.csv"),
    output:
        manifest="data/raw/{item}/manifest.json",
    log:
        "logs/data/fetch_optional/{item}.log",
    wildcard_constraints:
        item="|".join(OPTIONAL),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=240,
    script:
        "../scripts/fetch_optional.py"


rule prepare_tiny_imagenet:
    input:
        manifest="data/raw/{set}/manifest.json",
    output:
        arrays="data/prepared/{set}/{preparation}.npz",
        record="data/prepared/{set}/{preparation}.json",
    log:
        "logs/data/prepare_tiny_imagenet/{set}-{preparation}.log",
    wildcard_constraints:
        set="tiny-imagenet",
        preparation="full",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        arrays=TINY_IMAGENET,
        transform=lambda w: TRANSFORMS[w.preparation],
        real=True,
        code=lambda w: code_digest(
            "prepare.py", TINY_IMAGENET, TRANSFORMS[w.preparation]
        ),
    script:
        "../scripts/prepare.py"


rule prepare_text:
    input:
        text=text_of_run,
        model="data/raw/{model}/manifest.json",
    output:
        blocks=f"{TABLE1}/{{run}}/{{model}}/blocks.npz",
        record=f"{TABLE1}/{{run}}/{{model}}/blocks.json",
    log:
        "logs/{preset}/hennick2025/prepare_text/{run}-{model}.log",
    wildcard_constraints:
        run="table1-language",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        sizes=table1_sizes,
        code=code_digest("prepare_text.py"),
    script:
        "../scripts/prepare_text.py"


rule train_larger:
    input:
        unpack(examples_of_model),
    output:
        trained=f"{TABLE1}/{{run}}/{{model}}/trained.pt",
        displacement=f"{TABLE1}/{{run}}/{{model}}/displacement.parquet",
        record=f"{TABLE1}/{{run}}/{{model}}/trained.json",
        record_displacement=f"{TABLE1}/{{run}}/{{model}}/displacement.json",
    log:
        "logs/{preset}/hennick2025/train_larger/{run}-{model}.log",
    benchmark:
        f"{TABLE1}/{{run}}/{{model}}/trained.tsv"
    wildcard_constraints:
        run="|".join(TABLE1_PARTS["table1"]),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=24000,
        runtime=600,
    params:
        training=section(None, "training"),
        sizes=table1_sizes,
        root_seed=SETTINGS.root_seed,
        code=code_digest("train_larger.py", ADAPTER),
    script:
        "../scripts/train_larger.py"


rule measure_larger:
    input:
        unpack(examples_of_model),
        trained=f"{TABLE1}/{{run}}/{{model}}/trained.pt",
        displacement=f"{TABLE1}/{{run}}/{{model}}/displacement.parquet",
    output:
        row=f"{TABLE1}/{{run}}/{{model}}/row.parquet",
        coefficients=f"{TABLE1}/{{run}}/{{model}}/coefficients.parquet",
        record=f"{TABLE1}/{{run}}/{{model}}/row.json",
        record_coefficients=f"{TABLE1}/{{run}}/{{model}}/coefficients.json",
    log:
        "logs/{preset}/hennick2025/measure_larger/{run}-{model}.log",
    benchmark:
        f"{TABLE1}/{{run}}/{{model}}/row.tsv"
    wildcard_constraints:
        run="|".join(TABLE1_PARTS["table1"]),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=24000,
        runtime=600,
    params:
        training=section(None, "training"),
        plan=section(None, "coefficients"),
        window=section(None, "window"),
        sizes=table1_sizes,
        root_seed=SETTINGS.root_seed,
        code=code_digest("measure_larger.py", ADAPTER),
    script:
        "../scripts/measure_larger.py"


# One table of quantities per part, so that a part that was asked for alone is judged.
rule collect_table1:
    input:
        rows=lambda w: rows_of_runs(w.preset, [w.run]),
    output:
        quantities=f"{TABLE1}/{{run}}/quantities.csv",
        record=f"{TABLE1}/{{run}}/quantities.json",
    log:
        "logs/{preset}/hennick2025/collect_table1/{run}.log",
    wildcard_constraints:
        run="|".join(TABLE1_PARTS["table1"]),
    conda:
        "../../environment.yml"
    threads: 1
    params:
        code=code_digest("collect_table1.py"),
    script:
        "../scripts/collect_table1.py"


rule tabulate_table1:
    input:
        rows=lambda w: rows_of_runs(w.preset, TABLE1_PARTS[w.table]),
    output:
        csv="figures/{preset}/hennick2025/{table}.csv",
        md="figures/{preset}/hennick2025/{table}.md",
        tex="figures/{preset}/hennick2025/{table}.tex",
        record="figures/{preset}/hennick2025/{table}.json",
    log:
        "logs/{preset}/hennick2025/tabulate/{table}.log",
    wildcard_constraints:
        table="|".join(TABLE1_PARTS),
    conda:
        "../../environment.yml"
    threads: 1
    params:
        table=PUBLISHED_TABLE1,
        code=code_digest("tabulate.py", PUBLISHED_TABLE1),
    script:
        "../scripts/tabulate.py"


for name, runs in TABLE1_PARTS.items():

    rule:
        name:
            f"hennick2025_{name.replace('-', '_')}"
        input:
            f"figures/{SETTINGS.preset}/hennick2025/{name}.csv",
            [
                f"results/{SETTINGS.preset}/hennick2025/table1/{run}/quantities.csv"
                for run in runs
            ],
