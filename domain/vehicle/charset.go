package vehicle

import "math/bits"

// charset is a set of digits, upper-case letters and the bar that represents the check digit in patterns. Other
// characters are in no set.
type charset uint64

const members = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ|"

// Characters by their allowed positions.
var (
	digits          = charsetOf("0123456789")
	vinCharacters   = charsetOf("0123456789ABCDEFGHJKLMNPRSTUVWXYZ")
	checkCharacters = charsetOf("0123456789X")
	yearCharacters  = charsetOf("123456789ABCDEFGHJKLMNPRSTVWXY")
)

func charsetOf(text string) charset {
	var s charset
	for i := range len(text) {
		s |= one(text[i])
	}
	return s
}

// one returns the set of one character.
func one(c byte) charset {
	switch {
	case '0' <= c && c <= '9':
		return 1 << (c - '0')
	case 'A' <= c && c <= 'Z':
		return 1 << (c - 'A' + 10)
	case c == '|':
		return 1 << (len(members) - 1)
	}
	return 0
}

// span returns the set of the characters from one to another. It is empty if they are in the wrong order.
func span(from, to byte) charset {
	low, high := one(from), one(to)
	if low == 0 || high < low {
		return 0
	}
	return high | (high - low)
}

func (s charset) has(c byte) bool { return s&one(c) != 0 }

func (s charset) size() int { return bits.OnesCount64(uint64(s)) }

// each yields the members in order, digits first.
func (s charset) each(yield func(byte) bool) {
	for ; s != 0; s &= s - 1 {
		if !yield(members[bits.TrailingZeros64(uint64(s))]) {
			return
		}
	}
}
