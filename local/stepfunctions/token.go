package stepfunctions

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
)

const tokenMark = "milepost-task"

// newToken makes the token of a task. It names the execution and the frame that wait for it, so that it can be answered
// after a restart; the random part keeps it from being guessed and distinguishes attempts.
func newToken(execution, path string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join([]string{tokenMark, execution, path, rand.Text()}, "\x00")))
}

// readToken returns what newToken put into a token.
func readToken(token string) (execution, path string, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return "", "", false
	}
	parts := strings.Split(string(text), "\x00")
	if len(parts) != 4 || parts[0] != tokenMark {
		return "", "", false
	}
	return parts[1], parts[2], true
}
