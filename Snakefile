# The table of contents: every figure, table and verdict of the three papers is a target below.
configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/chaudhari2018.smk"
include: "workflow/rules/ziyin2025.smk"
include: "workflow/rules/hennick2025_common.smk"
include: "workflow/rules/hennick2025.smk"
include: "workflow/rules/hennick2025_table1.smk"
include: "workflow/rules/cross.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        targets(SETTINGS.preset),
