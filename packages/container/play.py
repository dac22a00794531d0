"""Plays a compose file where no container can run: each service as its image's configuration says, in a root directory of its
own with its volumes, in the order of `depends_on`. Prints each service and its exit code.

Run it as root, under `unshare --net --mount`:

    play.py COMPOSE_FILE FOLDER    with FOLDER/IMAGE/root and FOLDER/IMAGE/config.json of each image
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

HEALTHY_WITHIN = 20  # seconds
CHROOT = shutil.which("chroot") or "/usr/sbin/chroot"  # what runs inside has no PATH


class Service:
    def __init__(self, name: str, spec: dict, folder: Path) -> None:
        image = folder / spec["image"]
        config = json.loads((image / "config.json").read_text())["config"]
        self.root = folder / "services" / name
        shutil.copytree(image / "root", self.root)
        (self.root / "etc").mkdir()
        (self.root / "etc/hosts").write_text("127.0.0.1 main-server\n")
        (self.root / "dev").mkdir(exist_ok=True)  # every container has one
        for device in ("random", "urandom"):
            (self.root / "dev" / device).touch()
            subprocess.run(["mount", "--bind", f"/dev/{device}", str(self.root / "dev" / device)], check=True)
        for volume in spec.get("volumes", []):
            self.mount(volume, folder, image / "root")
        user, self.health = config["User"], config.get("Healthcheck", {}).get("Test", [])[1:]
        environment = config["Env"] + [f"{name}={value}" for name, value in spec.get("environment", {}).items()]
        self.inside = ["env", "-i", *environment, CHROOT, f"--userspec={user}", str(self.root)]
        self.process = subprocess.Popen([*self.inside, *config["Entrypoint"], *(spec.get("command") or config["Cmd"])])

    def mount(self, volume: str, folder: Path, image: Path) -> None:
        source, target = volume.split(":")[:2]
        where, kept = self.root / target[1:], folder / "volumes" / source
        if not kept.exists():
            kept.mkdir(parents=True)
            of = os.stat(image / target[1:])  # a new volume is as the image's directory
            os.chown(kept, of.st_uid, of.st_gid)
            os.chmod(kept, of.st_mode & 0o7777)
        where.mkdir(exist_ok=True)
        subprocess.run(["mount", "--bind", str(kept), str(where)], check=True)

    def wait(self, condition: str) -> None:
        if condition == "service_completed_successfully":
            self.process.wait()
            return
        until = time.monotonic() + HEALTHY_WITHIN
        while subprocess.run([*self.inside, *self.health], capture_output=True).returncode != 0:
            if time.monotonic() > until or self.process.poll() is not None:
                raise SystemExit("a service is not healthy")
            time.sleep(0.1)


def main(compose: Path, folder: Path) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    waiting: dict[str, dict] = yaml.safe_load(compose.read_text())["services"]
    services: dict[str, Service] = {}
    try:
        while waiting:
            name = next(name for name, spec in waiting.items() if spec.get("depends_on", {}).keys() <= services.keys())
            spec = waiting.pop(name)
            for other, needed in spec.get("depends_on", {}).items():
                services[other].wait(needed["condition"])
                if services[other].process.returncode:
                    raise SystemExit(f"{name} is not started: {other} ended with {services[other].process.returncode}")
            services[name] = Service(name, spec, folder)
        for name, service in services.items():
            if not service.health:
                print(name, service.process.wait())
    finally:
        for service in services.values():
            service.process.kill()


main(Path(sys.argv[1]), Path(sys.argv[2]))
