#!/bin/sh
# A main server that says whatever could do harm to a reader of a report, as hostile.sh does. It is ours, started and set up
# by the words after this script's name, so that cases get as far as its answers.
#   sh harness/reports/hostile-main-server.sh HARNESS VERB ...
harness=$1
shift
forged='\r\nok 999 - forged\nBail out! forged\n1..1\n'
markup='</code></details><script>document.title=\\"owned\\"</script><img src=x onerror=alert(1)>]]>&bogus;<!--'
acting='\\u001b[31m\\u001b]0;owned\\u0007\\u0000\\u202e\\u2066\\ufffe'
printf 'escape \033[31m\033]0;owned\007 nul \000 bidi \342\200\256 %b' "$forged$markup" >&2
case "$1" in
serve | add-id | allocate) exec "$harness" mock-solme-subject "$@" ;;
clear | disable | advance-clock) printf "{\"outcome\":\"\\\\r\\\\nok 999 - forged\\\\nBail out!$acting$markup\"}" ;;
snapshot) exit 3 ;;
worker) exit 89 ;;
*) printf '\033[2J\000%b' "$forged$markup" ;;
esac
