package lambda

import (
	"bytes"
	"io"
)

// maxLine is the longest line that CloudWatch Logs takes, in bytes.
const maxLine = 256 << 10

// wholeLines passes on whole lines, so that those of several processes do not run into each other. A line that is longer
// than maxLine is passed on in parts.
type wholeLines struct {
	to   io.Writer
	rest []byte // of a line that has not ended
}

func (w *wholeLines) Write(text []byte) (int, error) {
	w.rest = append(w.rest, text...)
	n := bytes.LastIndexByte(w.rest, '\n') + 1
	if n == 0 && len(w.rest) >= maxLine {
		n = len(w.rest)
	}
	if n == 0 {
		return len(text), nil
	}
	_, err := w.to.Write(w.rest[:n])
	w.rest = append(w.rest[:0], w.rest[n:]...)
	return len(text), err
}

// end passes on what came after the last line.
func (w *wholeLines) end() error {
	if len(w.rest) == 0 {
		return nil
	}
	_, err := w.to.Write(append(w.rest, '\n'))
	w.rest = nil
	return err
}
