package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// magic opens the file; the digit is the version of the layout.
const magic = "VPX4"

// file collects sections and writes them after a directory of their ends.
type file struct{ sections []*section }

// section is a column of numbers of one width, or a block of text, which is a column of bytes.
type section struct {
	// planes are as many as a number has bytes. The first has the lowest byte of each number.
	planes [][]byte
	err    error
}

// column adds a section of numbers of a width in bytes.
func (f *file) column(width int) *section {
	s := &section{planes: make([][]byte, width)}
	f.sections = append(f.sections, s)
	return s
}

// text appends to a block of text.
func (s *section) text(t string) { s.planes[0] = append(s.planes[0], t...) }

// put appends a number.
func (s *section) put(n int) {
	if n < 0 || n >= 1<<(8*len(s.planes)) {
		s.err = fmt.Errorf("%d does not fit in %d bytes", n, len(s.planes))
	}
	for i := range s.planes {
		s.planes[i] = append(s.planes[i], byte(n))
		n >>= 8
	}
}

// texts adds a table of texts: a column of 24-bit offsets, one more than there are texts, and the block
// they point into.
func (f *file) texts(texts []string) {
	offsets, block := f.column(3), f.column(1)
	for _, text := range texts {
		offsets.put(len(block.planes[0]))
		block.text(text)
	}
	offsets.put(len(block.planes[0]))
}

// encode returns the magic, the number of sections, the end of each section as an offset from the
// start of the file, and the sections.
func (f *file) encode() ([]byte, error) {
	data := append([]byte(magic), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(data[len(magic):], uint32(len(f.sections)))
	end := len(data) + 4*len(f.sections)
	for i, s := range f.sections {
		if s.err != nil {
			return nil, fmt.Errorf("section %d: %w", i, s.err)
		}
		for _, plane := range s.planes {
			end += len(plane)
		}
		data = binary.LittleEndian.AppendUint32(data, uint32(end))
	}
	for _, s := range f.sections {
		data = append(data, bytes.Join(s.planes, nil)...)
	}
	return data, nil
}
