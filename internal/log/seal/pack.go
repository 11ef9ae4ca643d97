package seal

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"sync"

	"milepost/internal/bounds"
)

// packFrom is the length from which on a text is worth compressing.
const packFrom = 4 << 10

// gzipMagic begins what is compressed, and no JSON text.
const gzipMagic = "\x1f\x8b"

var writers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// Pack compresses a long JSON text; a short one, and one that compression would make longer, stays as it is.
func Pack(text []byte) []byte {
	if len(text) < packFrom {
		return text
	}
	var packed bytes.Buffer
	w := writers.Get().(*gzip.Writer)
	defer writers.Put(w)
	w.Reset(&packed)
	_, _ = w.Write(text) // a buffer takes everything
	_ = w.Close()
	if packed.Len() >= len(text) {
		return text
	}
	return packed.Bytes()
}

// unpack returns what was given to Pack.
func unpack(packed []byte) ([]byte, error) {
	if !bytes.HasPrefix(packed, []byte(gzipMagic)) {
		return packed, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack what was sealed: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, bounds.Data+1))
	if err != nil {
		return nil, fmt.Errorf("unpack what was sealed: %w", err)
	}
	if len(text) > bounds.Data {
		return nil, fmt.Errorf("what was sealed is larger than the %d bytes of an event", bounds.Data)
	}
	return text, nil
}
