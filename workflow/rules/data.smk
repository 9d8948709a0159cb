# source -> verified raw -> prepared arrays. Embedded sets are made from a rule and need no fetch.
REAL_ARRAYS = "sgdiffusion.data.fetch:real_arrays"
EMBEDDED_ARRAYS = {
    "digits": "sgdiffusion.data.digits:digits",
    "textures10": "sgdiffusion.data.textures:textures10",
    "textures100": "sgdiffusion.data.textures:textures100",
}
TRANSFORMS = {
    "full": "sgdiffusion.data.preparation:full",
    "pool7": "sgdiffusion.data.preparation:pool7",
    "pool7-five": "sgdiffusion.data.preparation:pool7_five",
    "gcn-zca": "sgdiffusion.data.preparation:gcn_zca",
}


# Neither the mirror nor the code is a parameter, and the tables are ancient(): verified bytes are the same
# wherever they came from and however they were fetched, so nothing but their absence is a reason to fetch.
# (ancient() on the manifest below instead would make Snakemake skip everything downstream of a stale fetch.)
rule fetch_set:
    input:
        sources=ancient("data/sources.csv"),
        digests=ancient("data/digests.csv"),
    output:
        manifest="data/raw/{set}/manifest.json",
    log:
        "logs/data/fetch_set/{set}.log",
    wildcard_constraints:
        set="mnist|cifar10|cifar100",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=120,
    script:
        "../scripts/fetch.py"


rule prepare_real:
    input:
        manifest="data/raw/{set}/manifest.json",
        sources=ancient("data/sources.csv"),
        digests="data/digests.csv",
    output:
        arrays="data/prepared/{set}/{preparation}.npz",
        record="data/prepared/{set}/{preparation}.json",
    log:
        "logs/data/prepare_real/{set}-{preparation}.log",
    wildcard_constraints:
        set="mnist|cifar10|cifar100",
        preparation="|".join(TRANSFORMS),
    conda:
        "../../environment.yml"
    threads: whitened(2, 1)
    resources:
        mem_mb=whitened(3000, 2000),
        runtime=whitened(30, 10),
    params:
        arrays=REAL_ARRAYS,
        transform=lambda w: TRANSFORMS[w.preparation],
        real=True,
        code=lambda w: code_digest("prepare.py", REAL_ARRAYS, TRANSFORMS[w.preparation]),
    script:
        "../scripts/prepare.py"


rule prepare_embedded:
    output:
        arrays="data/prepared/{set}/{preparation}.npz",
        record="data/prepared/{set}/{preparation}.json",
    log:
        "logs/data/prepare_embedded/{set}-{preparation}.log",
    wildcard_constraints:
        set="|".join(EMBEDDED_ARRAYS),
        preparation="|".join(TRANSFORMS),
    conda:
        "../../environment.yml"
    threads: whitened(2, 1)
    resources:
        mem_mb=whitened(1500, 1000),
        runtime=10,
    params:
        arrays=lambda w: EMBEDDED_ARRAYS[w.set],
        transform=lambda w: TRANSFORMS[w.preparation],
        real=False,
        code=lambda w: code_digest(
            "prepare.py", EMBEDDED_ARRAYS[w.set], TRANSFORMS[w.preparation]
        ),
    script:
        "../scripts/prepare.py"
