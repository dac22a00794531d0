// A License Server as a subject of `harness conformance client`.
//
// SUBJECT.md is the contract, PROTOCOL.md the protocol. A verb that is not in verbs answers 89, "not implemented". To
// implement one, write a function that returns the JSON to print, and enter it below. What you log to standard error is
// shown when a case fails.
//
// The cryptography is P-384 (ECDSA, ECDH), SHA-384 and HPKE (RFC 9180). A Go program starts fast: it needs no worker of
// SUBJECT.md.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

const notImplemented = 89

// A verb takes its flags, without "--": flags["state"] is a directory of your own; another one is another server.
type verb func(flags map[string]string) (map[string]any, error)

var verbs = map[string]verb{
	// Remembers flags["id"] and the trust file flags["trust"] (P 15), makes a key pair: {"outcome": "done"}
	// "init": initialize,

	// Posts a request to the 443 role, checks the receipt, fetches the payload, stores both (P 5, 11, 13):
	// {"outcome": "synchronized", "code": "synchronized", "changes": {"added": [], "removed": [], "changed": []}}
	// "synchronize": synchronize,

	// {"state": "unsynchronized", "key_thumbprint": "...", "key_generation": null, "sequence": null,
	// "synchronize_by": null, "days_left": null, "licenses": []}
	// "status": status,

	// May it issue licenses, or flags["license"], now (P 17)? {"may_issue": false, "code": "unsynchronized"}
	// "may-issue": mayIssue,

	// From now on the local clock is flags["offset"] seconds ahead (P 17): {"outcome": "done"}
	// "set-clock": setClock,

	// Writes a request file to flags["out"] (P 14): {"outcome": "done"}
	// "export-request": exportRequest,

	// Reads the response file flags["in"] as synchronize reads an answer: the same JSON
	// "import-response": importResponse,

	// Replaces the key pair (P 3): {"outcome": "done"}
	// "new-key-pair": newKeyPair,
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: adapter VERB [--flag value]...")
		os.Exit(2)
	}
	carryOut, implemented := verbs[os.Args[1]]
	if !implemented {
		os.Exit(notImplemented)
	}
	flags := map[string]string{}
	for at := 2; at+1 < len(os.Args); at += 2 {
		flags[strings.TrimPrefix(os.Args[at], "--")] = os.Args[at+1]
	}
	answer, err := carryOut(flags)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
