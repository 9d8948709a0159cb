# Two rules train every network of every paper, the second keeping the whole history of the weights; what
# differs between runs is in config/experiments/.
ruleorder: train_trajectory > train_network


rule train_network:
    input:
        data=prepared(),
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
        trainer=trainer,
        code=lambda w: code_digest("train.py", trainer(w)),
    script:
        "../scripts/train.py"


rule train_trajectory:
    input:
        data=prepared(),
    output:
        checkpoints="results/{preset}/{paper}/{run}/seed-{seed}/checkpoints.pt",
        metrics="results/{preset}/{paper}/{run}/seed-{seed}/metrics.csv",
        trajectory=directory(
            "results/{preset}/{paper}/{run}/seed-{seed}/trajectory.zarr"
        ),
        record="results/{preset}/{paper}/{run}/seed-{seed}/checkpoints.json",
    log:
        "logs/{preset}/{paper}/train_trajectory/{run}-seed-{seed}.log",
    benchmark:
        "results/{preset}/{paper}/{run}/seed-{seed}/benchmark.tsv"
    wildcard_constraints:
        run="|".join(TRAJECTORIES),
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
        trainer=trainer,
        code=lambda w: code_digest("train.py", trainer(w)),
    script:
        "../scripts/train.py"
