"""The process: it ends with whoever started it, and says why it is not there."""

import os
import select
import signal
import subprocess
import sys

import pytest

from mock_solme import MainServerDied, MockSolme, MockSolmeError


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_ends_with_the_block_and_starts_again() -> None:
    main_server = MockSolme("--empty")
    with main_server:
        first, trust_file = main_server.pid, main_server.trust_file
        assert main_server.ids() == [] and trust_file.exists()
        with pytest.raises(MockSolmeError, match="no demo_license_server_id"):
            main_server.demo_id
        with pytest.raises(MockSolmeError, match="running already"):
            main_server.start()
    assert gone(first) and not trust_file.exists()
    with main_server:
        assert main_server.ids() == []


def test_two_run_side_by_side() -> None:
    with MockSolme() as one, MockSolme() as two:
        assert one.main_server_id != two.main_server_id


def test_what_is_wrong_with_its_arguments_is_in_the_error() -> None:
    with pytest.raises(MainServerDied, match="--https"), MockSolme("--https", "nonsense"):
        pass


def test_a_call_after_its_death_says_so() -> None:
    with MockSolme() as main_server:
        os.kill(main_server.pid, signal.SIGKILL)
        with pytest.raises(MainServerDied, match="has ended|was stopped"):
            main_server.ids()
            main_server.ids()  # the first may have been answered still
    with pytest.raises(MockSolmeError, match="with MockSolme"):
        MockSolme().ids()


def test_it_does_not_outlive_a_program_that_was_killed() -> None:
    child = """if True:
        import os, signal
        from mock_solme import MockSolme
        print(MockSolme().start().pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", child], stdout=subprocess.PIPE, check=False)
    assert killed.returncode == -signal.SIGKILL
    pid = int(killed.stdout)
    try:
        ended = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([ended], [], [], 10)[0], f"process {pid} is still there"
    os.close(ended)
