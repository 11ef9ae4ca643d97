package main

import (
	"bufio"
	"bytes"
	"io"
)

// withoutMark reads r without the byte order mark that some programs write at the start of a text.
func withoutMark(r io.Reader) io.Reader { return &markSkipper{text: bufio.NewReader(r)} }

type markSkipper struct {
	text  *bufio.Reader
	begun bool
}

var byteOrderMark = []byte("\ufeff")

// Read is as io.Reader says. It waits for no more than the first byte, unless a mark begins with it.
func (m *markSkipper) Read(p []byte) (int, error) {
	if !m.begun {
		m.begun = true
		if first, _ := m.text.Peek(1); bytes.HasPrefix(byteOrderMark, first) && len(first) > 0 {
			if mark, _ := m.text.Peek(len(byteOrderMark)); bytes.Equal(mark, byteOrderMark) {
				_, _ = m.text.Discard(len(mark)) // they are buffered
			}
		}
	}
	return m.text.Read(p)
}
