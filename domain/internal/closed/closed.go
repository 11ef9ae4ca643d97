// Package closed decodes strings of which only certain values have a meaning.
package closed

import (
	"fmt"
	"slices"
)

// Parse stores text in value if it is one of the known values. Any other text is an error that names what was being
// read, the text, and the known values.
func Parse[T ~string](value *T, text []byte, what string, known []T) error {
	if i := slices.Index(known, T(text)); i >= 0 {
		*value = known[i]
		return nil
	}
	return fmt.Errorf("unknown %s %q: want one of %v", what, text, known)
}
