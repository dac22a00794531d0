#!/bin/sh
# A subject that says whatever could do harm to a reader of a report: escape sequences, NUL, bidi controls, markup, forged
# lines of TAP, invalid XML. It is no License Server: every case fails.
# Some verbs have a code, others print no JSON at all: a finding quotes each in a way of its own.
forged='\r\nok 999 - forged\nBail out! forged\n1..1\n'
markup='</code></details><script>document.title=\\"owned\\"</script><img src=x onerror=alert(1)>]]>&bogus;<!--'
acting='\\u001b[31m\\u001b]0;owned\\u0007\\u0000\\u202e\\u2066\\ufffe'
printf 'escape \033[31m\033]0;owned\007 nul \000 bidi \342\200\256 %b' "$forged$markup" >&2
case "$1" in
init | new-key-pair | set-clock) printf '{"outcome":"done"}' ;;
status) printf "{\"state\":\"\\\\r\\\\nok 999 - forged\\\\nBail out!$acting\",\"key_thumbprint\":\"$markup\"}" ;;
export-request) exit 3 ;;
*) printf '\033[2J\000%b' "$forged$markup" ;;
esac
