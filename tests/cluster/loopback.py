"""A real Slurm on this machine's loopback address: a controller, two nodes of two processors, no accounting.

The configuration must lie where Slurm looks without being told: the plugin starts its steps without the
variables that name another place. So a machine that has a configuration there is left alone.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

SYSTEM = Path("/etc/slurm")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
NODES = ("node1", "node2")
MARK = "# written by tests/cluster"
CONFIGURATION = """{mark}
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=26817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=20
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdSpoolDir={folder}/%n
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
SlurmdTimeout=20
KillWait=3
MinJobAge={min_job_age}
ReturnToService=2
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port=26818 CPUs=2 RealMemory=16000 Gres=gpu:1
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port=26819 CPUs=2 RealMemory=16000
PartitionName=all Nodes=ALL Default=YES State=UP
"""


def refusal() -> str | None:
    """Why no Slurm can be set up here, in one line."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin"])
    if missing := [name for name in PROGRAMS if shutil.which(name, path=path) is None]:
        return f"no {', '.join(missing)} here: install Slurm, on Debian `apt-get install slurm-wlm munge`"
    if os.geteuid() != 0:
        return "Slurm's daemons are started as root: call this as root, on a machine that nothing else needs"
    if (SYSTEM / "slurm.conf").exists() and MARK not in (SYSTEM / "slurm.conf").read_text():
        return f"{SYSTEM}/slurm.conf is this machine's own Slurm: call this on a machine without one"
    return None


def of_jobs(jobs: list[str]) -> list[int]:
    """The processes of jobs on their nodes: Slurm's own, which report on the others, first."""
    own, others = [], []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            title = (process / "cmdline").read_bytes().decode(errors="replace")
            variables = (process / "environ").read_bytes().split(b"\0")
            if any(title.startswith(f"slurmstepd: [{job}.") for job in jobs):
                own.append(int(process.name))
            elif any(f"SLURM_JOB_ID={job}".encode() in variables for job in jobs):
                others.append(int(process.name))
    return [*own, *others]


def kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_until(true, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.5)


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


class Slurm:
    """The daemons; as a context they are stopped and the configuration is taken away at the end."""

    def __init__(self, folder: Path, min_job_age: int = 300):
        self.folder, self.daemons = folder, {}
        self._text = CONFIGURATION.format(
            mark=MARK, folder=folder, host=os.uname().nodename, min_job_age=min_job_age
        )

    def __enter__(self) -> "Slurm":
        (self.folder / "state").mkdir()
        SYSTEM.mkdir(exist_ok=True)
        (SYSTEM / "slurm.conf").write_text(self._text)
        (SYSTEM / "gres.conf").write_text(f"{MARK}\nNodeName=node1 Name=gpu Count=1 File=/dev/null\n")
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def _start(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        names = {
            "key-file": "key",
            "socket": "socket",
            "pid-file": "pid",
            "log-file": "log",
            "seed-file": "seed",
        }
        options = [f"--{option}={self.folder}/munge.{ending}" for option, ending in names.items()]
        self._daemon("munged", "munged", "--foreground", "--force", *options)
        wait_until((self.folder / "munge.socket").exists, 20, "munge's socket")
        self._daemon("slurmctld", "slurmctld", "-D")
        for node in NODES:
            self.start_node(node)
        wait_until(lambda: self.up() == len(NODES), 60, f"both nodes up, see {self.folder}")

    def _daemon(self, name: str, *command: str) -> None:
        path = shutil.which(command[0], path=os.environ["PATH"] + ":/usr/sbin")
        with (self.folder / f"{name}.out").open("a") as out:
            self.daemons[name] = subprocess.Popen(
                [path, *command[1:]], stdout=out, stderr=out, start_new_session=True
            )

    def start_node(self, node: str) -> None:
        self._daemon(node, "slurmd", "-D", "-N", node)

    def up(self) -> int:
        """Nodes that can run a job."""
        states = said("sinfo", "--noheader", "--Node", "--format=%T").split()
        return sum(state in ("idle", "mixed", "allocated") for state in states)

    def running(self, node: str | None = None) -> list[str]:
        """Identifiers of the jobs that run, on all nodes or one."""
        where = [] if node is None else [f"--nodelist={node}"]
        return said("squeue", "--noheader", "--states=RUNNING", "--format=%i", *where).split()

    def queued(self) -> list[str]:
        return said("squeue", "--noheader", "--format=%i").split()

    def kill_node(self, node: str) -> None:
        """As if its power had gone: the daemon, and all that it started, before any can report."""
        kill([self.daemons[node].pid, *of_jobs(self.running(node))])
        self.daemons[node].wait()

    def stop(self) -> None:
        jobs = self.queued() if "slurmctld" in self.daemons else []
        kill(of_jobs(jobs))
        for daemon in reversed(self.daemons.values()):
            kill([daemon.pid])
            daemon.wait()
        for file in ("slurm.conf", "gres.conf"):
            (SYSTEM / file).unlink(missing_ok=True)
