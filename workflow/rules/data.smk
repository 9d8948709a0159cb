# source -> verified raw -> prepared arrays. Embedded sets are made from a rule and need no fetch.
import csv

REAL = ["mnist", "cifar10", "cifar100"]
with (ROOT / "data" / "sources.csv").open(encoding="utf-8", newline="") as listed:
    FETCHED = list(dict.fromkeys(row["set"] for row in csv.DictReader(listed)))
# set: the function that gives its arrays
ARRAYS = {
    **{name: "sgdiffusion.data.raw:real_arrays" for name in REAL},
    "tiny-imagenet": "sgdiffusion.data.tiny_imagenet:tiny_imagenet",
    "digits": "sgdiffusion.data.digits:digits",
    "textures10": "sgdiffusion.data.textures:textures10",
    "textures100": "sgdiffusion.data.textures:textures100",
}
TRANSFORMS = {
    "full": "sgdiffusion.data.preparation:full",
    "pool7": "sgdiffusion.data.preparation:pool7",
    "pool7-five": "sgdiffusion.data.preparation:pool7_five",
    "pool7-odd": "sgdiffusion.data.preparation:pool7_odd",
    "grey28": "sgdiffusion.data.preparation:grey28",
    "gcn-zca": "sgdiffusion.data.preparation:gcn_zca",
    "gcn-zca-weak": "sgdiffusion.data.preparation:gcn_zca_weak",
}


# Neither the mirror nor the code is a parameter, and the tables are ancient(): verified bytes are the same
# wherever they came from and however they were fetched, so nothing but their absence is a reason to fetch.
# (ancient() on the manifest below instead would make Snakemake skip everything downstream of a stale fetch.)
# Of the fetched sets only REAL are asked for by `all` and the presets; the others are those of Table 1.
rule fetch:
    input:
        sources=ancient("data/sources.csv"),
        digests=ancient("data/digests.csv"),
    output:
        manifest="data/raw/{set}/manifest.json",
    log:
        "logs/data/fetch/{set}.log",
    wildcard_constraints:
        set="|".join(FETCHED),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=240,
    script:
        "../scripts/fetch.py"


rule prepare:
    input:
        unpack(raw_files),
    output:
        arrays="data/prepared/{set}/{preparation}.npz",
        records="data/prepared/{set}/{preparation}.json",
    log:
        "logs/data/prepare/{set}-{preparation}.log",
    wildcard_constraints:
        set="|".join(ARRAYS),
        preparation="|".join(TRANSFORMS),
    conda:
        ENVIRONMENT
    threads: whitened(2, 1)
    resources:
        mem_mb=lambda w, attempt: (
            16000 if w.set == "tiny-imagenet" else memory("prepare", 3000)(w, attempt)
        ),
        runtime=lambda w: 60 if w.set == "tiny-imagenet" else whitened(30, 10)(w),
    params:
        arrays=lambda w: ARRAYS[w.set],
        transform=lambda w: TRANSFORMS[w.preparation],
        real=lambda w: w.set in FETCHED,
        code=lambda w: code_digest(
            "prepare.py", ARRAYS[w.set], TRANSFORMS[w.preparation]
        ),
    script:
        "../scripts/prepare.py"
