"""A simulator of Solme's main license server, in your tests.

    with MockSolme() as main_server:
        subprocess.run(["my-license-server", "--id", main_server.demo_id, "--trust", main_server.trust_file])
        assert main_server.key_pair(main_server.demo_id)["key_generation"] == 1
"""

from .admin import AdminApi, AdminError, By
from .server import MainServerDied, MockSolme, MockSolmeError, program

__all__ = ["AdminApi", "AdminError", "By", "MainServerDied", "MockSolme", "MockSolmeError", "program"]
