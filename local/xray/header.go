package xray

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"time"
)

// HeaderName is the HTTP header that carries a Header.
const HeaderName = "X-Amzn-Trace-Id"

// Decision says whether a request is traced.
type Decision string

// The decisions. Undecided is the one of a header without Sampled.
const (
	Undecided  Decision = ""
	Sampled    Decision = "1"
	NotSampled Decision = "0"
	Requested  Decision = "?" // the caller wants to know
)

// Header is a trace header, such as "Root=1-…;Parent=…;Sampled=1;Lineage=…".
type Header struct {
	Root    string // the trace id
	Parent  string // the segment or subsegment that made the call
	Sampled Decision
	Self    string // the id that a load balancer added
	Lineage string // Lambda's, which reveals circular calls
	// Rest are the other fields, "key=value" joined by ";".
	Rest string
}

// ParseHeader reads a trace header. What does not have the form key=value is left out, so that a malformed header
// yields an empty one.
func ParseHeader(text string) Header {
	var h Header
	for field := range strings.SplitSeq(text, ";") {
		field = strings.TrimSpace(field)
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			continue
		}
		switch key {
		case "Root":
			h.Root = value
		case "Parent":
			h.Parent = value
		case "Sampled":
			h.Sampled = Decision(value)
		case "Self":
			h.Self = value
		case "Lineage":
			h.Lineage = value
		default:
			if h.Rest != "" {
				h.Rest += ";"
			}
			h.Rest += field
		}
	}
	return h
}

// String is the header in the form that travels.
func (h Header) String() string {
	b := make([]byte, 0, 128)
	add := func(key, value string) {
		if value == "" {
			return
		}
		if len(b) > 0 {
			b = append(b, ';')
		}
		b = append(append(b, key...), value...)
	}
	add("Self=", h.Self)
	add("Root=", h.Root)
	add("Parent=", h.Parent)
	add("Sampled=", string(h.Sampled))
	add("Lineage=", h.Lineage)
	add("", h.Rest)
	return string(b)
}

// NewTraceID makes the id of a trace that begins now.
func NewTraceID() string {
	var id [16]byte
	binary.BigEndian.PutUint32(id[:], uint32(time.Now().Unix()))
	binary.BigEndian.PutUint32(id[4:], rand.Uint32())
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	var text [35]byte
	text[0], text[1], text[10] = '1', '-', '-'
	hex.Encode(text[2:], id[:4])
	hex.Encode(text[11:], id[4:])
	return string(text[:])
}

// NewSegmentID makes the id of a segment or subsegment.
func NewSegmentID() string {
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], rand.Uint64())
	return hex.EncodeToString(id[:])
}
