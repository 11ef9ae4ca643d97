package main

import (
	"encoding/binary"
	"fmt"
)

// magic opens the file; the digit is the version of the layout.
const magic = "VPX3"

// file collects sections and writes them behind a directory of where each one ends.
type file struct{ sections []*section }

// section is a column of fixed-width little-endian numbers, or a block of text.
type section struct {
	bytes []byte
	err   error
}

func (f *file) section() *section {
	s := &section{}
	f.sections = append(f.sections, s)
	return s
}

// texts adds a table of texts: a column of 24-bit offsets, one more than there are texts, and the block
// they point into.
func (f *file) texts(texts []string) {
	offsets, block := f.section(), f.section()
	for _, text := range texts {
		offsets.put(3, len(block.bytes))
		block.bytes = append(block.bytes, text...)
	}
	offsets.put(3, len(block.bytes))
}

// put appends a number of the given width in bytes.
func (s *section) put(width, n int) {
	if n < 0 || n >= 1<<(8*width) {
		s.err = fmt.Errorf("%d does not fit in %d bytes", n, width)
	}
	for range width {
		s.bytes = append(s.bytes, byte(n))
		n >>= 8
	}
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
		end += len(s.bytes)
		data = binary.LittleEndian.AppendUint32(data, uint32(end))
	}
	for _, s := range f.sections {
		data = append(data, s.bytes...)
	}
	return data, nil
}
