"""The subject contract of harness/SUBJECT.md over the peer: it translates flags and words, and is the peer's clock.

    subject.py VERB [--flag value]...
    subject.py serve SOCKET    imports the libraries once, and forks for each verb that comes with PEER_SOCKET=SOCKET

To start Python costs 20 ms, to import the libraries 80 ms, and the suite has 2,000 verbs.
"""

import contextlib
import json
import os
import signal
import socket
import sys

VERBS = ("init", "synchronize", "export-request", "import-response", "status", "may-issue", "set-clock")
UNIMPLEMENTED = 89


def answer(arguments: list[str]) -> tuple[int, str]:
    """Exit code, and what is printed."""
    verb, *flags = arguments
    if verb not in VERBS:
        return UNIMPLEMENTED, ""
    import subject_verbs  # not above: a verb that is handed on has no use for it

    return 0, json.dumps(subject_verbs.carry_out(verb, dict(zip(flags[::2], flags[1::2], strict=True))))


def handed_on(address: str, arguments: list[str]) -> tuple[int, str]:
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        server.sendall(json.dumps(arguments).encode() + b"\n")
        return tuple(json.load(server.makefile()))


def serve(address: str) -> None:
    import subject_verbs  # noqa: F401, here once for every fork

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a fork
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen(64)
        print("ready", flush=True)
        while True:
            verb, _ = server.accept()
            if os.fork() == 0:
                with contextlib.suppress(BrokenPipeError), verb.makefile("rw") as stream:  # who asked may be killed
                    json.dump(answer(json.loads(stream.readline())), stream)
                os._exit(0)
            verb.close()


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[0] == "serve":
        return serve(arguments[1])
    address = os.environ.get("PEER_SOCKET")
    status, text = handed_on(address, arguments) if address else answer(arguments)
    print(text)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
