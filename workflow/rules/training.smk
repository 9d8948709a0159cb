# One rule trains every network of every paper: what differs is in config/experiments/.
rule train_network:
    input:
        data=prepared,
    output:
        checkpoints="results/{preset}/{paper}/{run}/seed-{seed}/checkpoints.pt",
        metrics="results/{preset}/{paper}/{run}/seed-{seed}/metrics.csv",
        record="results/{preset}/{paper}/{run}/seed-{seed}/checkpoints.json",
    log:
        "logs/{preset}/{paper}/train_network/{run}-seed-{seed}.log",
    benchmark:
        "results/{preset}/{paper}/{run}/seed-{seed}/benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=4000,
        runtime=600,
    params:
        run=settings(None, None, "seeds"),
        root_seed=SETTINGS.root_seed,
        code=code_digest("train.py"),
    script:
        "../scripts/train.py"
