# One rule computes: it is written once for every study of every paper's registry, papers/<paper>/items.py.
for paper, registry in REGISTRIES.items():
    for name, study in registry.studies.items():

        rule:
            name:
                rule_name(paper, name, study)
            input:
                unpack(inputs_of(paper, study.inputs)),
            output:
                **study_output(paper, study),
                records=study_records(paper, study),
            log:
                study_file(paper, study, ".log").replace("results/", "logs/", 1),
            benchmark:
                study_file(paper, study, ".tsv")
            wildcard_constraints:
                **study.where,
            conda:
                ENVIRONMENT
            threads: study.threads
            resources:
                gpu=0,
                mem_mb=memory(rule_name(paper, name, study), study.mem_mb),
                runtime=study.minutes,
            params:
                paper=paper,
                function=entry(paper, study.function),
                settings=study_settings(paper, study),
                root_seed=study_seed(paper, study),
                runs=study_runs(study),
                model=study.model and entry(paper, study.model),
                code=study_code(paper, study),
            script:
                "../scripts/compute.py"
