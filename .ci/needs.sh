# For the scripts of checks: `. .ci/needs.sh`, then `needs COMMAND PACKAGE` installs a Debian package that the machine lacks.
needs() {
    command -v "$1" >/dev/null && return
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "$2"
}
