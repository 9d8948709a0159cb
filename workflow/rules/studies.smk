# One rule computes: it is written once for every study of every paper's registry, papers/<paper>/items.py.
def study_rule(paper, name, study):
    """The rule's name: verb, paper, study."""
    return (
        f"{study.verb}_{paper}_{name.removeprefix(study.verb + '-').replace('-', '_')}"
    )


def study_output(paper, study):
    """Output files of a study by name."""
    files = {name: located(path, paper) for name, path in study.outputs.items()}
    marked = {n: directory(f) if f.endswith(".zarr") else f for n, f in files.items()}
    return {n: temp(f) if n in study.temporary else f for n, f in marked.items()}


def study_records(paper, study):
    """The provenance records beside the outputs."""
    records = [record_of(located(path, paper)) for path in study.outputs.values()]
    return [record for record in records if record]


def study_file(paper, study, ending):
    """A file beside the first output."""
    first = located(next(iter(study.outputs.values())), paper)
    return first.rpartition(".")[0] + ending


def study_settings(paper, study):
    """A params function: the parts of the configuration that a study is given."""
    return lambda w: {
        name: part(plan(paper, w)) for name, part in study.settings.items()
    }


def study_seed(paper, study):
    """A params function: the seed that the study's random streams descend from."""
    return lambda w: SETTINGS.root_seed + study.seed(plan(paper, w))


def study_runs(study_name, study):
    """A params function: the run that a training or simulation is, for its record."""
    if study.verb == "train" or not study.inputs:
        return lambda w: [w.get("run", study_name)]
    return []


def study_code(paper, study):
    """A params value: the digest of the code that the study depends on."""
    entries = [e for e in (study.function, study.model) if e]
    return code_digest("compute.py", *(entry(paper, e) for e in entries))


for paper, registry in REGISTRIES.items():
    for name, study in registry.studies.items():

        rule:
            name:
                study_rule(paper, name, study)
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
                mem_mb=study.mem_mb,
                runtime=study.minutes,
            params:
                paper=paper,
                function=entry(paper, study.function),
                settings=study_settings(paper, study),
                root_seed=study_seed(paper, study),
                runs=study_runs(name, study),
                model=study.model and entry(paper, study.model),
                code=study_code(paper, study),
            script:
                "../scripts/compute.py"
