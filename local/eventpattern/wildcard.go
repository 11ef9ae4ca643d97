package eventpattern

import (
	"encoding/binary"
	"slices"
	"strings"
)

// parseWildcard splits a wildcard pattern at its "*"; "\*" and "\\" are the characters themselves.
func parseWildcard(text string) test {
	var pieces wildcard
	var piece strings.Builder
	star := false // the last character was a wildcard
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
			if i == len(text) || text[i] != '\\' && text[i] != '*' {
				fail("Invalid escape character at pos %d", i) // counting the opening quote
			}
			piece.WriteByte(text[i])
			star = false
		case c == '*' && star:
			fail("Consecutive wildcard characters at pos %d", i)
		case c == '*':
			pieces = append(pieces, piece.String())
			piece.Reset()
			star = true
		default:
			piece.WriteByte(c)
			star = false
		}
	}
	if pieces == nil {
		return equalsString(piece.String())
	}
	pieces = append(pieces, piece.String())
	if pieces.tooComplex() {
		fail("Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character")
	}
	return pieces
}

const (
	// maxPrefixes is how many prefixes of a wildcard pattern may match one and the same text. AWS
	// does not publish its bound; this one accepts and refuses as AWS was seen to do.
	maxPrefixes = 10
	// maxStates bounds the search for such a text.
	maxStates = 1 << 12
)

// tooComplex reports whether a text exists that as many as maxPrefixes prefixes of the pattern match. A prefix is a
// number of characters of the pattern; a set of them is what a text can have matched.
func (t wildcard) tooComplex() bool {
	pattern := []int{} // characters, -1 for a wildcard
	alphabet := []int{}
	for i, piece := range t {
		if i > 0 {
			pattern = append(pattern, -1)
		}
		for _, c := range []byte(piece) {
			pattern = append(pattern, int(c))
			alphabet = append(alphabet, int(c))
		}
	}
	slices.Sort(alphabet)
	alphabet = slices.Compact(alphabet)

	// with returns the set with everything that p reaches by an empty text, which a wildcard matches.
	with := func(set []int, p int) []int {
		for {
			if !slices.Contains(set, p) {
				set = append(set, p)
			}
			if p == len(pattern) || pattern[p] != -1 {
				return set
			}
			p++
		}
	}
	seen := map[string]bool{}
	queue := [][]int{with(nil, 0)}
	for len(queue) > 0 {
		set := queue[0]
		queue = queue[1:]
		for _, c := range alphabet {
			var next []int
			for _, p := range set {
				if p > 0 && pattern[p-1] == -1 {
					next = with(next, p) // the wildcard takes the character
				}
				if p < len(pattern) && pattern[p] == c {
					next = with(next, p+1)
				}
			}
			if len(next) >= maxPrefixes {
				return true
			}
			slices.Sort(next)
			key := setKey(next)
			if len(next) > 0 && !seen[key] {
				seen[key] = true
				queue = append(queue, next)
			}
		}
		if len(seen) > maxStates {
			return true
		}
	}
	return false
}

func setKey(set []int) string {
	var key []byte
	for _, p := range set {
		key = binary.AppendUvarint(key, uint64(p))
	}
	return string(key)
}
